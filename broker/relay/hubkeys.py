"""The hub's key file: two nkey seeds, made at the first start. They administer NATS and open nothing else."""

import base64
import binascii
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.relay.errors import RelayError
from broker.relay.files import write_private
from broker.relay.nkeys import Nkey

_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class HubKeys:
    """The hub's users: one in the account that owns JetStream, one in the system account."""

    hub: Nkey
    system: Nkey


def load_or_make_hub_keys(
    path: Path, *, nkey_of: Callable[[bytes], Nkey], random: Callable[[int], bytes] = os.urandom
) -> HubKeys:
    """Load the key file, or make it when there is none.

    Args:
        path: the file, mode 0600.
        nkey_of: makes an Nkey of a 32-byte seed (`broker.seal` does, the only room with cryptography).
        random: where new seeds come from.

    Raises:
        RelayError: `keys-too-open` when others may read it, `bad-hub-keys` when it is damaged.
    """
    if not path.exists():
        seeds = {name: base64.b64encode(random(_SEED_BYTES)).decode() for name in ("hub", "system")}
        write_private(path, json.dumps(seeds) + "\n")
    if path.stat().st_mode & 0o077:
        raise RelayError("keys-too-open", f"`{path.name}` can be read by others; it must have mode 0600")
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        hub, system = (base64.b64decode(kept[name], validate=True) for name in ("hub", "system"))
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise RelayError("bad-hub-keys", f"`{path.name}` is not a hub key file") from error
    if len(hub) != _SEED_BYTES or len(system) != _SEED_BYTES:
        raise RelayError("bad-hub-keys", f"`{path.name}` is not a hub key file")
    return HubKeys(hub=nkey_of(hub), system=nkey_of(system))
