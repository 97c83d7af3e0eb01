"""A small exchange: three officers of two agencies, three agencies at two gateways, real rules."""

import functools
import hashlib
import pathlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from broker.seal import encrypt_release, sign_document
from broker.trust import (
    AgencyKeys,
    Conditions,
    Directory,
    Entry,
    GatewayKeys,
    Minted,
    MintedRoot,
    OfficerKeys,
    Root,
    Rules,
    TrustStore,
    make_beat,
    mint_directory,
    mint_root,
    mint_rules,
    new_agency_keys,
    new_beat_keys,
    new_gateway_keys,
    new_officer_keys,
    next_sequence,
)

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RULES_FOLDER = pathlib.Path(__file__).parents[2] / "policy" / "rules.example"
VOCABULARY = (RULES_FOLDER / "vocabulary.yaml").read_text()
RULES = (RULES_FOLDER / "rules.yaml").read_text()
CONTACTS = {"duty": {"telephone": "+1 555 0100"}, "alternate": {"name": "Sgt. Example", "telephone": "+1 555 0101"}}
HOSTED = {"il-state-police": "state", "il-fusion": "shared", "springfield-pd": "shared"}


def seeded(name: str) -> Callable[[int], bytes]:
    """Randomness that is the same in every run, and another one for every name."""
    counter = iter(range(1_000_000))
    return lambda size: hashlib.shake_256(f"{name} {next(counter)}".encode()).digest(size)


@functools.cache
def officer(person: str, agency: str, seed: str = "") -> OfficerKeys:
    return new_officer_keys(person, agency, random=seeded(person + seed))


@functools.cache
def agency_keys(agency: str) -> AgencyKeys:
    return new_agency_keys(agency, random=seeded(agency))


@functools.cache
def gateway_keys(gateway: str) -> GatewayKeys:
    return new_gateway_keys(gateway, random=seeded("gateway " + gateway))


AVERY = officer("avery", "il-state-police")
BLAKE = officer("blake", "il-fusion")
CASEY = officer("casey", "il-fusion")
#: Avery's second key file: another key, the same person.
AVERY_AGAIN = officer("avery", "il-state-police", "again")
STRANGER = officer("mallory", "north-il-fusion")


#: The hub's key that beats, and one of a hub of another exchange.
BEATING = new_beat_keys(random=seeded("beat"))
STRANGE_BEATING = new_beat_keys(random=seeded("strange beat"))
#: What the officers saw before they signed; gateways only insist that there was something.
PREVIEW = hashlib.sha256(b"a preview").digest()


@functools.cache
def founded() -> MintedRoot:
    return mint_root("example", [AVERY, BLAKE, CASEY, AVERY_AGAIN], beats=[BEATING.public], created=NOW)


@functools.cache
def other_exchange() -> MintedRoot:
    return mint_root("another", [AVERY, BLAKE], beats=[STRANGE_BEATING.public], created=NOW)


def root() -> Root:
    return founded().root


def entry(agency: str, *, revoked: bool = False, **attributes: Any) -> Entry:
    keys = agency_keys(agency)
    known = {"kind": "city police", "state": "IL", "status": "active", "serves": frozenset({"IL-SANGAMON"})}
    return Entry(
        agency=agency,
        gateway=HOSTED[agency],
        attributes=MappingProxyType(known | attributes),
        public=keys.public(revoked=revoked),
        contacts=CONTACTS,
    )


def gateways() -> dict[str, str]:
    return {name: gateway_keys(name).public for name in ("state", "shared")}


def entries(**changed: Entry) -> list[Entry]:
    by_name = {name: entry(name) for name in HOSTED}
    return list((by_name | {name.replace("_", "-"): value for name, value in changed.items()}).values())


def directory(
    previous: Directory | None = None,
    *,
    officers: Sequence[OfficerKeys] = (AVERY, BLAKE),
    listed: list[Entry] | None = None,
    of: Root | None = None,
    created: datetime = NOW,
    expires: datetime | None = None,
    **conditions: Any,
) -> Minted:
    return mint_directory(
        listed or entries(),
        gateways(),
        root=of or root(),
        previous=previous,
        officers=officers,
        created=created,
        expires=expires,
        conditions=conditions_of(previous, **conditions),
    )


def rules(
    previous: Rules | None = None,
    *,
    officers: Sequence[OfficerKeys] = (AVERY, BLAKE),
    text: str = RULES,
    created: datetime = NOW,
    expires: datetime | None = None,
    floor: int = 0,
    **conditions: Any,
) -> Minted:
    return mint_rules(
        VOCABULARY,
        text,
        root=root(),
        previous=previous,
        officers=officers,
        created=created,
        expires=expires,
        floor=floor,
        conditions=conditions_of(previous, **conditions),
    )


def conditions_of(previous: Rules | Directory | None, **given: Any) -> Conditions:
    return Conditions(**{"preview": PREVIEW if previous else bytes(32), **given})


def beat_of(
    rules: Minted | Rules,
    directory: Minted | Directory,
    *,
    at: datetime = NOW,
    sequence: int = 0,
    keys: Any = BEATING,
    confirmed: bool | None = None,
) -> bytes:
    """A beat as the hub sends it, naming these two."""
    named = [(one.release.number, one.release.hash) for one in (rules, directory)]
    return make_beat(
        keys,
        root=root().fingerprint,
        sequence=sequence or next_sequence(0, at),
        issued=at,
        rules=named[0],
        directory=named[1],
        confirmed=rules.release.confirmed if confirmed is None else confirmed,
    )


def put_in_force(store: TrustStore, *, at: datetime = NOW) -> None:
    """Let the hub beat what is staged."""
    assert store.staged_rules is not None
    assert store.staged_directory is not None
    sequence = next_sequence(store.force.sequence, at)
    store.activate(beat_of(store.staged_rules, store.staged_directory, at=at, sequence=sequence), now=at)


def forged(payload: bytes, officers: Sequence[OfficerKeys], context: str) -> bytes:
    """What an attacker with these keys sends, without the checks of `mint`."""
    document = sign_document(payload, [keys.signing for keys in officers], context)
    return encrypt_release(root().fingerprint, document)
