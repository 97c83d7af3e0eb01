"""The second officer's desk: what was proposed, made again and compared, and signed with the verdict typed out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from broker.model import JsonValue, Refusal, parse_json
from broker.officer import editions, previewing, proposal
from broker.officer.previewing import Recording
from broker.officer.proposal import Proposal
from broker.trust import Accepted, OfficerKeys, TrustError, TrustStore
from broker.trust.release import Release

#: What a solver may tell otherwise at another desk, and what needs the same recordings: shown, not compared.
_NOT_COMPARED: Final = frozenset({"widening", "narrowing", "example", "replay", "history", "replayed"})
_MAX_PREVIEW: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What an approver looks at: the release as drafted, the signed preview, and where a new one differs from it."""

    release: Release
    preview: Mapping[str, Any]
    preview_sha256: str
    differing: tuple[str, ...]
    replayed: bool


def examine(store: TrustStore, proposed: Proposal, *, recordings: Sequence[Recording] = ()) -> Examined:
    """Verify a proposal, and make its preview again from the releases in this folder.

    With the same recordings the replay is compared, too; without, `replayed` is False and the author's is shown.

    Raises:
        TrustError: those of `proposal.examine`; `not-a-proposal` for a preview that is none.
        PolicyError: `no-solver`.
    """
    release = proposal.examine(proposed, store)
    try:
        signed = parse_json(proposed.preview, limit=_MAX_PREVIEW)
    except Refusal as refusal:
        raise TrustError("not-a-proposal", f"its preview is not JSON ({refusal.code})") from None
    if not isinstance(signed, dict):
        raise TrustError("not-a-proposal", "its preview is not a preview")
    before = editions.current(store)
    made = previewing.make(before, editions.after(before, release), recordings=recordings)
    mine = parse_json(made.raw, limit=_MAX_PREVIEW)
    same_history = bool(recordings) and isinstance(mine, dict) and mine["history"] == signed.get("history")
    differing = _differing(signed, mine, compared_replay=same_history)
    return Examined(
        release=release,
        preview=signed,
        preview_sha256=hashlib.sha256(proposed.preview).hexdigest(),
        differing=differing,
        replayed=same_history,
    )


def approve(
    store: TrustStore,
    proposed: Proposal,
    *,
    approver: OfficerKeys,
    verdict: str,
    recordings: Sequence[Recording] = (),
    now: datetime,
) -> Accepted:
    """Sign a proposal as its approver, and put it into the folder of releases.

    `verdict` is what the approver believes that they approve: the audience verdict of the preview, in its words.

    Raises:
        TrustError: `preview-differs` when the preview made here says something else than the signed one,
            `other-verdict`, and those of `proposal.approve` and `proposal.release`.
    """
    examined = examine(store, proposed, recordings=recordings)
    if examined.differing:
        raise TrustError("preview-differs", f"made here it says otherwise: {', '.join(examined.differing)}")
    if verdict.strip().upper() != examined.preview["audience"]:
        raise TrustError("other-verdict", f"the preview's verdict is {examined.preview['audience']}")
    return proposal.release(proposal.approve(proposed, store=store, approver=approver), store=store, now=now)


def _differing(signed: Mapping[str, Any], mine: JsonValue, *, compared_replay: bool) -> tuple[str, ...]:
    if not isinstance(mine, dict):
        return ("everything",)
    skipped = _NOT_COMPARED - ({"replay", "history", "replayed"} if compared_replay else set())
    names = sorted({*signed, *mine} - skipped)
    return tuple(name for name in names if _without(signed.get(name), skipped) != _without(mine.get(name), skipped))


def _without(value: Any, skipped: frozenset[str] | set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, skipped) for name, item in value.items() if name not in skipped}
    return [_without(item, skipped) for item in value] if isinstance(value, list) else value
