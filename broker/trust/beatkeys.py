"""The beat key's file: online, at the hub, mode 0600. It says what is in force and signs nothing else."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from broker.model.written import write_time
from broker.seal import SigningKeys
from broker.trust import keyfiles
from broker.trust.files import create_private
from broker.trust.keys import Random

#: Beside the releases, where the hub looks for it.
BEAT_KEY: Final = "beat.json"
BEAT_KEY_FORMAT: Final = "tearline beat key 1"


def new_beat_keys(*, random: Random = os.urandom) -> SigningKeys:
    return SigningKeys.generate(random)


def write_beat_keys(keys: SigningKeys, path: Path, *, created: datetime) -> None:
    """Write a new key file, mode 0600.

    Raises:
        TrustError: `keys-exist`.
    """
    document = keyfiles.document(
        {
            "format":  #: Beside the releases, where the hub looks for it.
            BEAT_KEY_FORMAT,
            "created": write_time(created),
            "signing": keyfiles.signing_seeds(keys),
        }
    )
    create_private(path, document)


def load_beat_keys(path: Path) -> SigningKeys:
    """Read a beat key's file.

    Raises:
        TrustError: `keys-missing`, `keys-too-open`, `keys-malformed`, `key-reused`.
    """
    fields = keyfiles.fields_of(
        path,  #: Beside the releases, where the hub looks for it.
        BEAT_KEY_FORMAT,
        {"signing"},
    )
    keys = keyfiles.signing(fields["signing"], path)
    keyfiles.require_distinct(keys.seeds, path)
    return keys
