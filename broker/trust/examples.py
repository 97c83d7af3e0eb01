"""Fingerprints of the published example keys (`keys.example/`): recognised so that nobody runs on them by mistake."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from broker.seal import fingerprint


def key_print(public: bytes) -> str:
    """Return the fingerprint of one public key, in the form of the file FINGERPRINTS."""
    return fingerprint(public)


def _read() -> frozenset[str]:
    lines = files("broker.trust").joinpath("FINGERPRINTS").read_text(encoding="ascii").splitlines()
    return frozenset(line.split()[0] for line in lines if line and not line.startswith("#"))


EXAMPLES: Final = _read()
