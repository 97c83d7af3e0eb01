"""Every attack on an envelope; importing the four rooms of attacks registers them, in the order of the steps."""

from __future__ import annotations

from tests.seal import attacks_manifest, attacks_outside, attacks_parts, attacks_signer
from tests.seal.attack import ATTACKS, Attack, unseal_room

ROOMS = (attacks_outside, attacks_manifest, attacks_signer, attacks_parts)

__all__ = ["ATTACKS", "ROOMS", "Attack", "unseal_room"]
