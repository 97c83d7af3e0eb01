"""How an adapter may reach its gateway: the token it shows, the address it shows it to, the patience of one call."""

from __future__ import annotations

import ipaddress
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from adapters.errors import SettingsError

_OWNER_ONLY = 0o077
_MAX_TOKEN = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How long one call keeps trying before it gives the question back to the caller."""

    attempts: int = 5
    first_seconds: float = 0.1
    most_seconds: float = 5.0

    def delay(self, attempt: int, jitter: float) -> float:
        """Full jitter: a gateway that restarts is not met by every adapter at once."""
        ceiling = self.first_seconds * float(2 ** min(attempt, 16))
        return min(self.most_seconds, ceiling) * (0.5 + jitter / 2)


def read_token(path: Path) -> str:
    """Load a bearer token from a file only its owner can read.

    Raises:
        SettingsError: `token-missing`, `token-too-open` (wider than 0600) or `token-malformed`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SettingsError("token-missing", f"cannot open the token file ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OWNER_ONLY:
            raise SettingsError("token-too-open", "the token file must be readable by its owner alone (chmod 600)")
        raw = file.read(_MAX_TOKEN + 1)
    try:
        token = raw.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise SettingsError("token-malformed", "the token is not ASCII text") from error
    if not token or len(raw) > _MAX_TOKEN or not all("!" <= letter <= "~" for letter in token):
        raise SettingsError("token-malformed", "the token file must hold one word and nothing else")
    return token


def check_url(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.query or parts.fragment:
        raise SettingsError("gateway-url", "the gateway must be given as http(s)://host:port")
    if parts.scheme == "http" and host != "localhost":
        try:
            loopback = ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise SettingsError("plaintext-gateway", "a token travels over https only, except on loopback")
    return url.rstrip("/")
