"""The root of an exchange: which persons may sign, how many of them it takes, and which key beats.

Its fingerprint is given by hand. The beat key is online (the hub's): it says which of the signed releases are in force,
and can sign nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from broker.seal import PublicKey, SealError, cbor, fingerprint, unverified_payload, verify_document
from broker.seal.keys import key_id, require_signature_set
from broker.trust.errors import TrustError
from policy.vocabulary import is_agency_id

ROOT_FORMAT: Final = "tearline root/1"
ROOT_CONTEXT: Final = "root"
#: Two persons of two agencies: no single person, and no single agency, changes who is who or what is shared.
THRESHOLD: Final = 2
MAX_ROOT: Final = 256 * 1024
MAX_BEATS: Final = 2
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Officer:
    """One key set of one person. A person may have several (an old and a new one); they count as one person."""

    person: str
    agency: str
    signing: tuple[PublicKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Who may sign releases of this exchange. `fingerprint` is that of its bytes."""

    name: str
    created: datetime
    expires: datetime
    officers: tuple[Officer, ...]
    beats: tuple[tuple[PublicKey, ...], ...]
    fingerprint: str

    def signers(self, names: Sequence[str]) -> tuple[Officer, ...]:
        """Return the officers by the names `keyring` gave them."""
        return tuple(self.officers[int(name)] for name in names)

    def keyring(self) -> dict[str, tuple[PublicKey, ...]]:
        """Return every key set under a name of its own, for `verify_document`."""
        return {str(index): officer.signing for index, officer in enumerate(self.officers)}

    def verify(self, document: bytes, context: str) -> tuple[bytes, tuple[str, ...]]:
        """Return what officers signed for one purpose, and their names in the keyring.

        Raises:
            TrustError: `bad-signature`; `wrong-role` when a key of this exchange signed that may not sign such a thing.
        """
        return self._verified(document, context, self.keyring())

    def verify_beat(self, document: bytes, context: str) -> bytes:
        """Return what the beat key signed.

        Raises:
            TrustError: as `verify`.
        """
        return self._verified(document, context, self._beating())[0]

    def _beating(self) -> dict[str, tuple[PublicKey, ...]]:
        return {f"beat {index}": keys for index, keys in enumerate(self.beats)}

    def _verified(
        self, document: bytes, context: str, keyring: dict[str, tuple[PublicKey, ...]]
    ) -> tuple[bytes, tuple[str, ...]]:
        try:
            return verify_document(document, keyring, context)
        except SealError as error:
            if self._known(document, context):
                raise TrustError("wrong-role", "a key of this exchange signed what it may not sign") from error
            raise TrustError("bad-signature", f"a signature does not verify ({error.code})") from error

    def _known(self, document: bytes, context: str) -> bool:
        try:
            verify_document(document, {**self.keyring(), **self._beating()}, context)
        except SealError:
            return False
        return True


def root_payload(
    name: str,
    officers: Sequence[Officer],
    beats: Sequence[tuple[PublicKey, ...]],
    *,
    created: datetime,
    expires: datetime,
) -> bytes:
    """Return the bytes whose fingerprint members are given.

    Raises:
        TrustError: `root-invalid`.
    """
    payload = cbor.encode(
        {
            1: ROOT_FORMAT,
            2: name,
            3: int(created.timestamp()),
            4: int(expires.timestamp()),
            5: THRESHOLD,
            6: [[officer.person, officer.agency, _written(officer.signing)] for officer in officers],
            7: [_written(keys) for keys in beats],
        }
    )
    _parse(payload)
    return payload


def read_root(document: bytes, *, expected: str | None) -> Root:
    """Verify a signed root: it is the one whose fingerprint was given, and every officer in it signed it.

    Without `expected` (an officer who is about to publish it) only its own consistency is checked.

    Raises:
        TrustError: `other-exchange`, `root-invalid`, `bad-signature`.
    """
    try:
        payload = unverified_payload(document)
    except SealError as error:
        raise TrustError("root-invalid", "not a signed document") from error
    if expected is not None and fingerprint(payload) != expected:
        raise TrustError("other-exchange", "this is the root of another exchange")
    root = _parse(payload)
    try:
        # Proof that every named person holds the keys: nobody can be listed as an officer with a stranger's key.
        _, signers = verify_document(document, root.keyring(), ROOT_CONTEXT)
    except SealError as error:
        raise TrustError("bad-signature", "a signature on the root does not verify") from error
    if len(signers) != len(root.officers):
        raise TrustError("root-invalid", "not every officer signed the root")
    return root


def _parse(payload: bytes) -> Root:
    try:
        fields = cbor.decode(payload, limit=MAX_ROOT, code="document-shape")
        match fields:
            case {
                1: str(form), 2: str(name), 3: int(created), 4: int(expires), 5: int(threshold), 6: list(listed),
                7: list(beating),
            }:  # fmt: skip
                pass
            case _:
                raise _invalid("a field is missing or of another type")
        if len(fields) != 7 or form != ROOT_FORMAT or not 0 < len(name) <= _MAX_NAME:  # noqa: PLR2004 - those above
            raise _invalid("not a root of this version")
        officers = tuple(_officer(item) for item in listed)
        beats = tuple(_signing(keys) for keys in beating)
        times = datetime.fromtimestamp(created, tz=UTC), datetime.fromtimestamp(expires, tz=UTC)
    except SealError as error:
        raise _invalid("not strict CBOR, or a key is malformed") from error
    except (OverflowError, ValueError, OSError) as error:
        raise _invalid("no such time") from error
    _check(officers, beats, threshold=threshold)
    if times[0] >= times[1]:
        raise _invalid("it expires before it was made")
    return Root(
        name=name,
        created=times[0],
        expires=times[1],
        officers=officers,
        beats=beats,
        fingerprint=fingerprint(payload),
    )


def _officer(item: cbor.Cbor) -> Officer:
    match item:
        case [str(person), str(agency), list(keys)] if is_agency_id(person) and is_agency_id(agency):
            return Officer(person=person, agency=agency, signing=_signing(keys))
        case _:
            raise _invalid("an officer is malformed")


def _signing(keys: cbor.Cbor) -> tuple[PublicKey, ...]:
    signing = tuple(_public(key) for key in keys)
    require_signature_set(signing)
    return signing


def _written(signing: tuple[PublicKey, ...]) -> list[list[cbor.Cbor]]:
    return [[key.alg, key.key] for key in signing]


def _public(item: cbor.Cbor) -> PublicKey:
    match item:
        case [int(alg), bytes(key)]:
            public = PublicKey(alg=alg, kid=key_id(alg, key), key=key)
            public.check()
            return public
        case _:
            raise _invalid("a key is malformed")


def _check(officers: tuple[Officer, ...], beats: tuple[tuple[PublicKey, ...], ...], *, threshold: int) -> None:
    if threshold != THRESHOLD:
        raise _invalid("releases are signed by two persons of different agencies")
    agency_of: dict[str, str] = {}
    for officer in officers:
        # A person in two agencies could sign for both and be the only one.
        if agency_of.setdefault(officer.person, officer.agency) != officer.agency:
            raise _invalid("a person is listed under two agencies")
    if len(set(agency_of.values())) < THRESHOLD:
        raise _invalid("officers of at least two agencies are needed")
    if not 0 < len(beats) <= MAX_BEATS:
        raise _invalid("one beat key is needed, or two while one replaces the other")
    keys = [key.key for signing in (*(officer.signing for officer in officers), *beats) for key in signing]
    if len(set(keys)) != len(keys):
        raise _invalid("two officers share a key, or one beats")


def _invalid(why: str) -> TrustError:
    return TrustError("root-invalid", f"the root is refused: {why}")
