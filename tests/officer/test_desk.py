"""The way of a change over two officers' desks: who may sign what, and that both have seen the same."""

from __future__ import annotations

import hashlib
import pathlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from broker.officer import approving, desk, membership, proposal
from broker.officer.proposal import Proposal
from broker.seal import cbor
from broker.trust import Entry, OfficerKeys, TrustError, TrustStore
from policy import PolicyError
from tests.trust.exchange import (
    AVERY,
    AVERY_AGAIN,
    BLAKE,
    CASEY,
    NOW,
    RULES,
    STRANGER,
    VOCABULARY,
    directory,
    founded,
    root,
    rules,
)

SOON = NOW + timedelta(minutes=1)
NEVER = """- rule: E01 Nothing on cyber to the city police
  effect: never
  when: {category: cyber}
  to:
  - kind: city police
  because: order of the duty officer

# Locked section"""
CASE = """
- test: nothing on cyber to the city police
  bulletin: {category: cyber}
  reaches exactly: []
"""


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    """The example rules over a directory of three agencies, of which no case holds yet: all wait for agencies."""
    opened = TrustStore(tmp_path / "releases", root().fingerprint)
    for minted in (founded(), rules(), directory()):
        opened.offer(minted.sealed, now=NOW)
    return opened


def edited(old: str, new: str) -> str:
    assert RULES.count(old) == 1
    return RULES.replace(old, new)


LOOSER = edited("acknowledge within: 30 minutes", "acknowledge within: 4 hours")
STRICTER = edited("acknowledge within: 30 minutes", "acknowledge within: 5 minutes")
EMERGENCY = edited("# Locked section", NEVER) + CASE
ANYTHING = NEVER.replace("{category: cyber}", "anything").replace("city police\n  because", "JTTF\n  because")
BLOCKING = edited("# Locked section", ANYTHING) + CASE


def proposed(store: TrustStore, text: str = LOOSER, author: OfficerKeys = AVERY, **options: Any) -> Proposal:
    change = desk.change_of_rules(store, VOCABULARY, text, **options)
    return desk.propose(store, change, author=author, now=SOON)


def approve(store: TrustStore, proposal: Proposal, approver: OfficerKeys = BLAKE, verdict: str = "SAME") -> Any:
    return approving.approve(store, proposal, approver=approver, verdict=verdict, now=SOON)


def code_of(refused: pytest.ExceptionInfo[TrustError]) -> str:
    return refused.value.code


def test_two_officers_of_two_agencies_make_a_release_that_names_the_preview(store: TrustStore) -> None:
    made = proposed(store)
    assert store.staged_rules is not None
    assert store.staged_rules.number == 1
    accepted = approve(store, made)
    released = store.staged("rules")
    assert (accepted.number, released.number) == (2, 2)  # type: ignore[union-attr]
    assert released is not None
    assert released.signers == ("avery", "blake")
    assert released.preview == hashlib.sha256(made.preview).digest()
    assert store.staged_rules.rules_text == LOOSER


@pytest.mark.parametrize(
    ("approver", "code"),
    [
        pytest.param(AVERY, "own-proposal", id="the author"),
        pytest.param(AVERY_AGAIN, "own-proposal", id="the author's other key"),
        pytest.param(STRANGER, "bad-signature", id="no officer"),
    ],
)
def test_who_may_not_approve(store: TrustStore, approver: OfficerKeys, code: str) -> None:
    with pytest.raises(TrustError) as refused:
        approve(store, proposed(store), approver)
    assert code_of(refused) == code
    assert store.staged("rules").number == 1  # type: ignore[union-attr]


def test_two_persons_of_one_agency_are_one_agency(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        approve(store, proposed(store, author=BLAKE), CASEY)
    assert code_of(refused) == "too-few-agencies"


def test_a_stranger_proposes_nothing(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        proposed(store, author=STRANGER)
    assert code_of(refused) == "bad-signature"


def test_the_author_alone_releases_nothing(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        proposal.release(proposed(store), store=store, now=SOON)
    assert code_of(refused) == "too-few-persons"


def test_an_approver_types_the_verdict_that_they_approve(store: TrustStore) -> None:
    made = proposed(store, edited("    28 CFR 23 agreement: yes\n", ""))
    with pytest.raises(TrustError) as refused:
        approve(store, made, verdict="NARROWS")
    assert code_of(refused) == "other-verdict"
    assert approve(store, made, verdict=" widens ").number == 2


def test_another_preview_than_the_signed_one_is_seen(store: TrustStore) -> None:
    harmless = proposed(store)
    widening = proposed(store, edited("    28 CFR 23 agreement: yes\n", ""))
    with pytest.raises(TrustError) as refused:
        approve(store, replace(widening, preview=harmless.preview))
    assert code_of(refused) == "preview-differs"


def test_a_preview_that_its_author_falsified_is_seen(store: TrustStore) -> None:
    """The author signs the false preview's hash; only making it again tells."""
    change = desk.change_of_rules(store, VOCABULARY, edited("    28 CFR 23 agreement: yes\n", ""))
    raw = change.previewed.raw.replace(b'"audience":"WIDENS"', b'"audience":"SAME"').replace(b"WIDENS (", b"SAME (")
    assert raw != change.previewed.raw
    lie = replace(change, previewed=replace(change.previewed, raw=raw))
    made = desk.propose(store, lie, author=AVERY, now=SOON)
    assert "audience" in approving.examine(store, made).differing
    with pytest.raises(TrustError) as refused:
        approve(store, made, verdict="SAME")
    assert code_of(refused) == "preview-differs"


def test_a_proposal_that_was_overtaken_is_no_release(store: TrustStore) -> None:
    first, second = proposed(store), proposed(store, EMERGENCY)
    approve(store, first)
    with pytest.raises(TrustError) as refused:
        approve(store, second, verdict="NARROWS")
    assert code_of(refused) == "proposal-overtaken"


def test_a_changed_byte_anywhere_in_a_proposal_is_seen(store: TrustStore) -> None:
    raw = proposed(store).encode()
    for place in (3, 40, len(raw) // 4, len(raw) // 2, len(raw) - 40, len(raw) - 1):
        bent = bytearray(raw)
        bent[place] ^= 1
        with pytest.raises(TrustError):
            approve(store, Proposal.decode(bytes(bent)))
    for odd in (b"", raw[:-1], raw + b"\0", cbor.encode({1: "tearline proposal/2", 2: b"", 3: b""})):
        with pytest.raises(TrustError) as refused:
            Proposal.decode(odd)
        assert code_of(refused) == "not-a-proposal"


def test_a_proof_against_the_rules_stops_the_author(store: TrustStore) -> None:
    blocking = edited(
        "- rule: R16",
        "- rule: R20 Nothing above amber\n  effect: never\n  when: {TLP: AMBER+STRICT}\n  to: everyone\n"
        "  because: x\n\n- rule: R16",
    )
    with pytest.raises(TrustError) as refused:
        proposed(store, blocking)
    assert code_of(refused) == "does-not-pass"
    assert "R02" in str(refused.value)


def test_a_rule_that_no_case_touches_is_not_signed(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        proposed(store, edited("# Locked section", NEVER))
    assert code_of(refused) == "does-not-pass"
    assert "E01" in str(refused.value)


def test_the_same_files_are_no_change(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        proposed(store, RULES)
    assert code_of(refused) == "nothing-changed"


def test_a_mistaken_file_is_told_with_its_line(store: TrustStore) -> None:
    with pytest.raises(PolicyError) as refused:
        proposed(store, edited("TLP: at most AMBER+STRICT", "TLP: at most REDD"))
    assert refused.value.line


def test_a_floor_is_for_a_change_that_narrows(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        proposed(store, raise_floor=True)
    assert code_of(refused) == "floor-widens"
    approve(store, proposed(store, EMERGENCY, raise_floor=True), verdict="NARROWS")
    assert store.staged_rules is not None
    assert (store.staged_rules.number, store.staged_rules.floor) == (2, 2)


def test_one_officer_alone_adds_a_never_for_a_day(store: TrustStore) -> None:
    previewed, accepted = desk.emergency(store, VOCABULARY, EMERGENCY, author=AVERY, now=SOON)
    assert previewed.preview.comparison.audience == "NARROWS"
    released = store.staged("rules")
    assert released is not None
    assert (accepted.number, released.confirmed, released.basis) == (2, False, 1)
    assert released.lapses == (SOON + timedelta(hours=24)).replace(microsecond=0)


def test_an_emergency_over_the_rules_in_force_while_newer_ones_wait(store: TrustStore) -> None:
    approve(store, proposed(store))
    _, accepted = desk.emergency(store, VOCABULARY, EMERGENCY, author=AVERY, basis=1, now=SOON)
    released = store.staged("rules")
    assert released is not None
    assert (accepted.number, released.basis) == (3, 1)
    # Over the newest rules the same text would take back what two officers signed, and is refused.
    with pytest.raises(TrustError) as refused:
        desk.emergency(store, VOCABULARY, EMERGENCY.replace("E01", "E02"), author=AVERY, basis=2, now=SOON)
    assert code_of(refused) == "emergency-not-narrow"
    with pytest.raises(TrustError) as refused:
        desk.emergency(store, VOCABULARY, EMERGENCY, author=AVERY, basis=99, now=SOON)
    assert code_of(refused) == "unknown-release"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(LOOSER, "emergency-not-narrow", id="loosens a duty"),
        pytest.param(edited("    28 CFR 23 agreement: yes\n", ""), "emergency-not-narrow", id="widens"),
        pytest.param(STRICTER, "emergency-not-narrow", id="tightens a duty"),
        pytest.param(edited("when: {caveats: LES}", "when: anything"), "emergency-not-narrow", id="changes a never"),
        pytest.param(BLOCKING, "emergency-blocks-always", id="blocks an always"),
        pytest.param(RULES, "nothing-changed", id="adds nothing"),
    ],
)  # fmt: skip
def test_what_one_officer_alone_cannot_do(store: TrustStore, text: str, code: str) -> None:
    with pytest.raises(TrustError) as refused:
        desk.emergency(store, VOCABULARY, text, author=AVERY, now=SOON)
    assert code_of(refused) == code
    assert store.staged("rules").number == 1  # type: ignore[union-attr]


def test_a_second_officer_of_another_agency_confirms_it(store: TrustStore) -> None:
    desk.emergency(store, VOCABULARY, EMERGENCY, author=BLAKE, now=SOON)
    for approver, code in ((BLAKE, "own-proposal"), (CASEY, "too-few-agencies"), (STRANGER, "bad-signature")):
        with pytest.raises(TrustError) as refused:
            proposal.confirm(2, store=store, approver=approver, now=SOON)
        assert code_of(refused) == code
    accepted = proposal.confirm(2, store=store, approver=AVERY, now=SOON)
    assert accepted.confirmed
    assert store.staged("rules").confirmed  # type: ignore[union-attr]
    with pytest.raises(TrustError) as refused:
        proposal.confirm(2, store=store, approver=AVERY, now=SOON)
    assert code_of(refused) == "no-emergency"


def test_going_back_is_a_next_release_with_the_old_files(store: TrustStore) -> None:
    approve(store, proposed(store))
    change = desk.rollback(store, "rules", 1)
    assert "TIGHTENED" in change.previewed.preview.comparison.duties
    approve(store, desk.propose(store, change, author=BLAKE, now=SOON), AVERY)
    assert store.staged_rules is not None
    first = store.rules_at(1)
    assert first is not None
    assert (store.staged_rules.number, store.staged_rules.rules_text) == (3, first.rules_text)
    assert store.staged_rules.release.basis == 1
    # Compiled once: a rollback finds what was in force before.
    assert store.staged_rules.files == first.files


@pytest.mark.parametrize("number", [2, 3, 99])
def test_nobody_goes_back_to_what_never_was(store: TrustStore, number: int) -> None:
    approve(store, proposed(store))
    with pytest.raises(TrustError) as refused:
        desk.rollback(store, "rules", number)
    assert code_of(refused) == "nothing-changed"


def members_of(store: TrustStore) -> membership.Members:
    return membership.members_of(store.staged_directory)


def test_a_suspension_is_a_release_with_a_preview(store: TrustStore) -> None:
    change = desk.change_of_members(store, membership.suspended(members_of(store), "il-fusion"))
    assert change.previewed.preview.comparison.audience == "NARROWS"
    assert [one.agency for one in change.previewed.preview.comparison.agencies] == ["il-fusion"]
    accepted = approve(store, desk.propose(store, change, author=AVERY, now=SOON), verdict="NARROWS")
    assert (accepted.type, accepted.number) == ("directory", 2)
    assert store.staged_directory is not None
    assert store.staged_directory.agencies["il-fusion"]["status"] == "suspended"


def test_a_removed_agency_stays_listed_as_revoked(store: TrustStore) -> None:
    change = desk.change_of_members(store, membership.removed(members_of(store), "il-fusion"))
    approve(store, desk.propose(store, change, author=AVERY, now=SOON), verdict="NARROWS")
    assert store.staged_directory is not None
    assert "il-fusion" not in store.staged_directory.agencies
    assert store.staged_directory.signer("il-fusion").revoked


@pytest.mark.parametrize("change", [membership.suspended, membership.resumed, membership.removed])
def test_a_change_of_nobody_or_of_nothing_is_refused(store: TrustStore, change: Any) -> None:
    with pytest.raises(TrustError) as refused:
        change(members_of(store), "nobody")
    assert code_of(refused) == "unknown-agency"
    with pytest.raises(TrustError) as refused:
        change(change(members_of(store), "il-fusion"), "il-fusion")
    assert code_of(refused) == "nothing-changed"


def test_new_keys_leave_what_the_officers_vouched_for(store: TrustStore) -> None:
    before = members_of(store)
    announced: Entry = replace(
        before.entries["il-fusion"], attributes={}, contacts=before.entries["il-fusion"].contacts
    )
    after = membership.with_keys(before, announced, before.gateways[announced.gateway])
    assert after.entries["il-fusion"].attributes == before.entries["il-fusion"].attributes


def test_an_approver_sees_other_keys_though_no_audience_changes(store: TrustStore) -> None:
    """Whoever gives an agency other keys reads its inbox: the rules see nothing of it, and the approver must."""
    before = members_of(store)
    other = replace(before.entries["il-fusion"], public=before.entries["springfield-pd"].public)
    forged = replace(other, public=replace(other.public, agency="il-fusion"))
    after = membership.with_keys(before, forged, before.gateways[forged.gateway])
    change = desk.change_of_members(store, after)
    assert change.previewed.preview.comparison.audience == "SAME"
    ((entry),) = change.previewed.document["entries"]
    assert entry["agency"] == "il-fusion"
    assert [said.split(":")[0] for said in entry["words"]] == ["signing keys", "sealing keys"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entry: replace(entry, gateway="state"), "gateway: shared becomes state"),
        (lambda entry: replace(entry, contacts={**entry.contacts, "duty": {"telephone": "+1 555 0199"}}), "contacts"),
        (lambda entry: replace(entry, public=replace(entry.public, revoked=True)), "is revoked"),
    ],
)
def test_what_the_rules_do_not_see_of_an_entry_is_told(store: TrustStore, change: Any, said: str) -> None:
    before = members_of(store)
    entry = before.entries["il-fusion"]
    after = membership.with_entry(before, change(entry), before.gateways[change(entry).gateway])
    (told,) = membership.entry_changes(before, after)
    assert told.agency == "il-fusion"
    assert told.words[0].startswith(said)
    assert membership.entry_changes(before, before) == ()


def test_a_gateways_other_key_is_told(store: TrustStore) -> None:
    before = members_of(store)
    entry = before.entries["il-fusion"]
    (told,) = membership.entry_changes(before, membership.with_entry(before, entry, before.gateways["state"]))
    assert "another NATS key" in told.words[0]


def test_a_trial_is_signed_like_rules_and_puts_nothing_in_force(store: TrustStore) -> None:
    made = proposed(store, EMERGENCY, trial=timedelta(days=14))
    accepted = approve(store, made, verdict="NARROWS")
    assert (accepted.type, accepted.number) == ("trial", 1)
    assert store.staged("rules").number == 1  # type: ignore[union-attr]
    on_trial = store.trial(SOON)
    assert on_trial is not None
    assert on_trial.rules_text == EMERGENCY
    assert store.trial(SOON + timedelta(days=15)) is None
