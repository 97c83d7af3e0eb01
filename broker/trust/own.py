"""An agency's own rules as a signed document: one officer of that agency says what its bulletins may less.

They narrow what the agency sends and concern nobody else, so they are no release: they are numbered per agency, lie at
its own gateway, and one signature is enough. The exchange's rules go on deciding; `policy.own` says how both do.

Pure: what a document says and whether it may follow another. Keeping them is `ownfiles`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from broker.seal import PublicKey, SealError, Signer, cbor, fingerprint, sign_document, verify_document
from broker.trust.beat import SKEW, Named
from broker.trust.directory import Directory
from broker.trust.errors import TrustError
from broker.trust.root import Officer, Root
from broker.trust.rules import Rules
from policy import PolicyError, Ruleset, parse_ruleset
from policy.own import Carried, blocks_always, carried

OWN_FORMAT: Final = "tearline own rules/1"
OWN_CONTEXT: Final = "own rules"
OWN_SOURCE: Final = "own-rules.yaml"
#: A year, as an agency reviews its own orders. Past it they go on narrowing, and their officer is told.
OWN_VALID: Final = timedelta(days=365)
MAX_OWN: Final = 128 * 1024
NO_HASH: Final = bytes(32)
_FIELDS: Final = 10

# The exchange's rules of a number, as far as they were accepted here.
RulesAt: TypeAlias = Callable[[int], Rules | None]

_NOTHING: Final = Ruleset(name="own", version=1, rules=(), agreements={}, cases=())


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRules:
    """Verified rules of one agency's own.

    Attributes:
        hash: SHA-256 of their signed bytes.
        previous: hash of what they replace; zeros for the first.
        basis: number and hash of the exchange's rules that they were written and proved beside: their words and dates
            are read as those release has them.
        text: in the rule language; empty when the agency withdraws what it had.
        preview: SHA-256 of what their signer saw; zeros when nothing was shown.
        ruleset: the text, read beside the basis.
        signer: the person.
    """

    agency: str
    number: int
    hash: bytes
    previous: bytes
    created: datetime
    expires: datetime
    basis: Named
    text: str
    preview: bytes
    ruleset: Ruleset
    signer: str

    @property
    def named(self) -> Named:
        """Number and hash: what the next ones follow."""
        return self.number, self.hash


def own_signers(agency: str, directory: Directory, root: Root) -> tuple[Officer, ...]:
    """Return who may sign an agency's own rules: its officers in the directory, and the exchange's that are of it."""
    listed = directory.entry(agency).officers
    known = {key.key for officer in listed for key in officer.signing}
    of_the_root = (one for one in root.officers if one.agency == agency and one.signing[0].key not in known)
    return (*listed, *of_the_root)


def sign_own_rules(
    text: str,
    signer: Signer,
    *,
    agency: str,
    root: str,
    basis: Rules,
    previous: Named | None,
    created: datetime,
    expires: datetime | None = None,
    preview: bytes = NO_HASH,
) -> bytes:
    """Sign an agency's own rules after the `previous` ones; whether they may be is for `read_own_rules` to say."""
    payload = cbor.encode(
        {
            1: OWN_FORMAT,
            2: root,
            3: agency,
            4: 1 if previous is None else previous[0] + 1,
            5: NO_HASH if previous is None else previous[1],
            6: int(created.timestamp()),
            7: int((expires or created + OWN_VALID).timestamp()),
            8: [basis.number, basis.hash],
            9: text,
            10: preview,
        }
    )
    return sign_document(payload, [signer], OWN_CONTEXT)


def read_own_rules(
    document: bytes,
    *,
    agency: str,
    directory: Directory,
    root: Root,
    rules_at: RulesAt,
    in_force: Rules,
    known: OwnRules | None,
    now: datetime,
) -> OwnRules:
    """Verify rules that an agency is to have as its own from now on; `known` is what it has.

    1. Officers of this agency signed it (`own_signers`), and nobody else did.
    2. Its fields are complete, and it belongs to this root and this agency.
    3. The rules that it was written beside were accepted here, the very same ones.
    4. Its text is never and require rules under ids of an agency's own, in the words of those rules.
    5. It is the next one, or the known one once more; where nothing is known (at first, or after the loss of a disk)
       any number is the next.
    6. It was not made in the future and has not expired.
    7. None of its never rules may meet a recipient of an always rule in force (`policy.narrowing`).

    Raises:
        TrustError: `own-too-large`, `bad-signature`, `wrong-role`, `unknown-agency`, `not-own-rules`, `other-exchange`,
            `other-agency`, `unknown-basis`, `own-not-narrow`, `own-id`, `own-rules-invalid`, `rollback`,
            `equivocation`, `skipped-number`, `fork`, `own-from-the-future`, `own-expired`, `own-blocks-always`.
    """
    own = reopen_own_rules(document, agency=agency, directory=directory, root=root, rules_at=rules_at)  # 1 to 4
    _check_follows(own, known)  # 5
    if own.created > now + SKEW:  # 6
        raise TrustError("own-from-the-future", f"own rules {own.number} were made after now")
    if own.expires <= now:
        raise TrustError("own-expired", f"own rules {own.number} have expired")
    for never, always in blocked_always(own, in_force, rules_at).items():  # 7
        raise TrustError("own-blocks-always", f"{never} may hold back what {', '.join(always)} must deliver")
    return own


def reopen_own_rules(document: bytes, *, agency: str, directory: Directory, root: Root, rules_at: RulesAt) -> OwnRules:
    """Verify what was accepted before, or is about to be: the first four steps of `read_own_rules`.

    Raises:
        TrustError: the codes of those steps.
    """
    if len(document) > MAX_OWN:
        raise TrustError("own-too-large", f"own rules take at most {MAX_OWN} bytes")
    payload, signer = _verified(document, own_signers(agency, directory, root), directory, root)  # 1
    try:
        fields = cbor.decode(payload, limit=MAX_OWN, code="document-shape")
    except SealError as error:
        raise TrustError("not-own-rules", "not strict CBOR") from error
    match fields:  # 2
        case {
            1: str(form), 2: str(origin), 3: str(named), 4: int(number), 5: bytes(previous), 6: int(created),
            7: int(expires), 8: [int(basis), bytes(basis_hash)], 9: str(text), 10: bytes(preview),
        }:  # fmt: skip
            pass
        case _:
            raise TrustError("not-own-rules", "a field is missing or of another type")
    hashes = {len(previous), len(basis_hash), len(preview)}
    if len(fields) != _FIELDS or form != OWN_FORMAT or number < 1 or hashes != {len(NO_HASH)}:
        raise TrustError("not-own-rules", "not own rules of this version")
    if origin != root.fingerprint:
        raise TrustError("other-exchange", "these own rules belong to another exchange")
    if named != agency:
        raise TrustError("other-agency", f"these are own rules of `{named}`, not of `{agency}`")
    beside = rules_at(basis)  # 3
    if beside is None or beside.hash != basis_hash:
        raise TrustError("unknown-basis", f"they were written beside rules {basis}, which was never accepted here")
    return OwnRules(
        agency=agency,
        number=number,
        hash=bytes.fromhex(fingerprint(payload).partition(":")[2]),
        previous=previous,
        created=_time(created),
        expires=_time(expires),
        basis=(basis, basis_hash),
        text=text,
        preview=preview,
        ruleset=parse_own(text, beside),  # 4
        signer=signer.person,
    )


def parse_own(text: str, beside: Rules) -> Ruleset:
    """Read the text of own rules beside a release; no rules for the empty text, which withdraws them.

    Raises:
        TrustError: `own-not-narrow`, `own-id`, `own-rules-invalid`.
    """
    if not text:
        return _NOTHING
    try:
        return parse_ruleset(text, beside.vocabulary, source=OWN_SOURCE, beside=beside.ruleset)
    except PolicyError as error:
        code = error.code if error.code in {"own-not-narrow", "own-id"} else "own-rules-invalid"
        raise TrustError(code, f"the own rules are refused: {error}") from error


def carried_into(own: OwnRules, in_force: Rules, rules_at: RulesAt) -> Carried:
    """Return own rules as they read under the rules in force; what cannot be told any more forbids.

    Raises:
        TrustError: `unknown-basis`.
    """
    beside = rules_at(own.basis[0])
    if beside is None:
        raise TrustError("unknown-basis", f"rules {own.basis[0]} was never accepted here")
    return carried(own.ruleset, beside.vocabulary, in_force.vocabulary, in_force.ruleset.agreements)


def blocked_always(own: OwnRules, in_force: Rules, rules_at: RulesAt) -> Mapping[str, tuple[str, ...]]:
    """Return own never rules that may meet a recipient of an always rule in force, each with those rules."""
    return blocks_always(in_force.ruleset, in_force.vocabulary, carried_into(own, in_force, rules_at).ruleset)


def _check_follows(own: OwnRules, known: OwnRules | None) -> None:
    if known is None:
        return
    if own.number < known.number:
        raise TrustError("rollback", f"own rules {own.number} are older than {known.number}, which are in force")
    if own.number == known.number:
        if own.hash != known.hash:
            raise TrustError("equivocation", f"own rules {own.number} exist twice, with different content")
        return
    if own.number > known.number + 1:
        raise TrustError("skipped-number", f"own rules {own.number} came before {known.number + 1}")
    if own.previous != known.hash:
        raise TrustError("fork", f"own rules {own.number} do not follow the {known.number} that are known here")


def _verified(document: bytes, signers: Sequence[Officer], directory: Directory, root: Root) -> tuple[bytes, Officer]:
    try:
        payload, names = verify_document(document, _keyring([one.signing for one in signers]), OWN_CONTEXT)
    except SealError as error:
        if _known_elsewhere(document, directory, root):
            raise TrustError("wrong-role", "a key of this exchange signed what it may not sign") from error
        raise TrustError("bad-signature", f"a signature does not verify ({error.code})") from error
    return payload, signers[int(names[0])]


def _known_elsewhere(document: bytes, directory: Directory, root: Root) -> bool:
    keys = [*(one.signing for one in root.officers), *root.beats]
    for entry in directory.entries.values():
        keys += [entry.public.signing, *(one.signing for one in entry.officers)]
    try:
        verify_document(document, _keyring(keys), OWN_CONTEXT)
    except SealError:
        return False
    return True


def _keyring(keys: Sequence[tuple[PublicKey, ...]]) -> dict[str, tuple[PublicKey, ...]]:
    return {str(index): signing for index, signing in enumerate(keys)}


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise TrustError("not-own-rules", "no such time") from error
