"""What a gateway says of itself: which releases it has in force, and which it is ready for. Signed by an agency of it.

A report changes nothing by itself: the hub counts them before it beats, officers look at them, and a gateway that lost
its state asks what the others have in force.

Pure: what a report says and whether it may be believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from broker.model.times import from_ms, to_ms
from broker.seal import (
    AgencyPublic,
    PublicKey,
    SealError,
    Signer,
    cbor,
    decrypt_release,
    encrypt_release,
    sign_document,
    unverified_payload,
    verify_document,
)
from broker.trust.beat import SKEW, Named
from broker.trust.directory import Directory
from broker.trust.errors import TrustError

REPORT_FORMAT: Final = "tearline report/1"
REPORT_CONTEXT: Final = "report"
MAX_REPORT: Final = 16 * 1024
_FIELDS: Final = 10
_HASH: Final = 32
_CODE: Final = re.compile(r"[a-z][a-z-]{0,39}")

# An agency's public keys and its gateway.
Place: TypeAlias = tuple[AgencyPublic, str]
# What the directories say of an agency that signs a report, the newest first; nothing when it is no member.
Places: TypeAlias = Callable[[str], Sequence[Place]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One gateway's word.

    Attributes:
        rules, directory: in force; None when nothing is.
        since: when that pair came into force there.
        ready_rules, ready_directory: the newest staged, verified, compiled, its cases hold.
        probe: SHA-256 of what the newest pair comes to over the fixed probes; empty when nothing is compiled.
        trouble: why it is not ready for what is staged; empty when it is.
    """

    gateway: str
    agency: str
    at: datetime
    rules: Named | None
    directory: Named | None
    since: datetime | None
    ready_rules: Named | None
    ready_directory: Named | None
    probe: bytes
    trouble: str


def make_report(report: Report, keys: Signer, *, root: str) -> bytes:
    """Sign a report as one of the gateway's agencies, and cover it as releases are: a relay sees no agency's name."""
    payload = cbor.encode(
        {
            1: REPORT_FORMAT,
            2: root,
            3: report.gateway,
            4: report.agency,
            5: to_ms(report.at),
            6: [_written(report.rules), _written(report.directory)],
            7: 0 if report.since is None else to_ms(report.since),
            8: [_written(report.ready_rules), _written(report.ready_directory)],
            9: report.probe,
            10: report.trouble,
        }
    )
    return encrypt_release(root, sign_document(payload, [keys], REPORT_CONTEXT))


def places_in(newest: Directory | None, in_force: Directory | None) -> Places:
    """Return who may sign reports: members by the newest directory, there or where they are while it is not in force.

    Otherwise a gateway that waits for the newest directory, to move an agency or to change its keys by it, could not
    say that it is ready for it.
    """

    def places(agency: str) -> Sequence[Place]:
        if newest is None or agency not in newest.entries:
            return ()
        known = [one.entries[agency] for one in (newest, in_force) if one is not None and agency in one.entries]
        return [(entry.public, entry.gateway) for entry in known]

    return places


def read_report(raw: bytes, places: Places, *, root: str, now: datetime) -> Report:
    """Verify a report.

    1. It is of a report's size and form, opens under this root and belongs to it.
    2. The agency it names is a member, not revoked by the newest directory, at the gateway it names.
    3. That agency signed it.
    4. It was not made in the future.

    Raises:
        TrustError: `not-a-report`, `other-exchange`, `unknown-agency`, `revoked-signer`, `wrong-gateway`,
            `bad-signature`, `report-from-the-future`.
    """
    if len(raw) > MAX_REPORT:
        raise TrustError("not-a-report", "larger than a report can be")
    try:
        document = decrypt_release(root, raw)
    except SealError as error:
        raise TrustError("other-exchange", "it does not open under this exchange's root") from error
    try:
        payload = unverified_payload(document)
        report = _read(cbor.decode(payload, limit=MAX_REPORT, code="document-shape"), root)  # 1
    except SealError as error:
        raise TrustError("not-a-report", "not a signed document of strict CBOR") from error
    known = places(report.agency)
    if not known:  # 2
        raise TrustError("unknown-agency", f"the directory has no agency `{report.agency}`")
    if known[0][0].revoked:
        raise TrustError("revoked-signer", f"`{report.agency}` is revoked")
    keys = [public.signing for public, gateway in known if gateway == report.gateway]
    if not keys:
        raise TrustError("wrong-gateway", f"`{report.agency}` is not at gateway `{report.gateway}`")
    _verify(document, report.agency, keys)  # 3
    if report.at > now + SKEW:  # 4
        raise TrustError("report-from-the-future", "a report was made after now")
    return report


def _verify(document: bytes, agency: str, keys: Sequence[tuple[PublicKey, ...]]) -> None:
    refused: SealError | None = None
    for signing in keys:
        try:
            verify_document(document, {agency: signing}, REPORT_CONTEXT)
        except SealError as error:
            refused = refused or error
        else:
            return
    code = refused.code if refused else "no-keys"
    raise TrustError("bad-signature", f"a signature does not verify ({code})") from refused


def _read(fields: cbor.Cbor, root: str) -> Report:
    match fields:
        case {
            1: str(form), 2: str(origin), 3: str(gateway), 4: str(agency), 5: int(at), 6: [rules, directory],
            7: int(since), 8: [ready_rules, ready_directory], 9: bytes(probe), 10: str(trouble),
        } if len(fields) == _FIELDS and form == REPORT_FORMAT:  # fmt: skip
            pass
        case _:
            raise TrustError("not-a-report", "not a report of this version")
    if origin != root:
        raise TrustError("other-exchange", "the report belongs to another exchange")
    if len(probe) not in {0, _HASH} or (trouble and not _CODE.fullmatch(trouble)):
        raise TrustError("not-a-report", "a field is out of range")
    try:
        made, began = from_ms(at), from_ms(since) if since else None
    except (OverflowError, ValueError, OSError) as error:
        raise TrustError("not-a-report", "no such time") from error
    return Report(
        gateway=gateway,
        agency=agency,
        at=made,
        rules=_named(rules),
        directory=_named(directory),
        since=began,
        ready_rules=_named(ready_rules),
        ready_directory=_named(ready_directory),
        probe=probe,
        trouble=trouble,
    )


def _written(named: Named | None) -> list[cbor.Cbor]:
    return [] if named is None else [named[0], named[1]]


def _named(item: cbor.Cbor) -> Named | None:
    match item:
        case []:
            return None
        case [int(number), bytes(digest)] if number > 0 and len(digest) == _HASH:
            return number, digest
        case _:
            raise TrustError("not-a-report", "a release is named by number and hash")
