"""An agency's own rules at its officer's desk: proved to only narrow before anybody signs them."""

from __future__ import annotations

import dataclasses
import pathlib
from datetime import timedelta

import pytest

from broker.officer import own_rules
from broker.officer.previewing import Recording
from broker.trust import Entry, Officer, OfficerKeys, TrustError, TrustStore
from policy.history import Recorded
from policy.preview import History
from tests.trust.exchange import (
    AVERY,
    BLAKE,
    NOW,
    directory,
    entries,
    entry,
    founded,
    officer,
    root,
    rules,
)

PAT = officer("pat", "springfield-pd")
TEXT = """policy: what Springfield PD keeps back
version: 1
rules:
- rule: OWN-1 Officer safety stays with the police of the city
  effect: never
  when: {category: officer safety}
  to:
  - kind: state police
  because: General order 12
- rule: OWN-2 Officer safety is kept for a week
  effect: require
  when: {category: officer safety}
  to: everyone
  with: {retain for: 7 days}
  because: General order 12
tests:
- test: the state police get no BOLO of ours
  bulletin: {category: officer safety, TLP: AMBER, purpose: officer safety, region: IL-C, version: full, caveats: [],
             dissemination: [], information class: investigative, content basis: criminal predicate, origin state: IL}
  reaches exactly: [springfield-pd]
  with: {springfield-pd: {retain for: 7 days}}
"""


def listed(keys: OfficerKeys) -> Officer:
    return Officer(person=keys.person, agency=keys.agency, signing=keys.signing.public)


def member(agency: str, *officers: OfficerKeys, kind: str) -> Entry:
    made = entry(agency, kind=kind, region="IL-C", **{"law enforcement": "yes", "28 CFR 23 agreement": "yes"})
    return dataclasses.replace(made, officers=tuple(map(listed, officers)))


@pytest.fixture
def store(tmp_path: pathlib.Path) -> TrustStore:
    opened = TrustStore(tmp_path / "releases", root().fingerprint)
    members = entries(
        springfield_pd=member("springfield-pd", PAT, kind="city police"),
        il_state_police=member("il-state-police", kind="state police"),
    )
    for minted in (founded(), rules(), directory(listed=members)):
        opened.offer(minted.sealed, now=NOW)
    return opened


def codes(checked: own_rules.Checked) -> list[str]:
    return [fault.code for fault in checked.faults]


def test_own_rules_are_proved_to_narrow_and_to_loosen_nothing(store: TrustStore) -> None:
    checked = own_rules.check(store, TEXT, agency="springfield-pd")

    assert codes(checked) == []
    assert checked.previewed.preview.comparison.audience == "NARROWS"
    assert "LOOSENED" not in checked.previewed.preview.comparison.duties
    assert [case.failure for case in checked.previewed.preview.cases] == [False]


def test_one_officer_of_the_agency_signs_them_with_what_was_shown(store: TrustStore) -> None:
    document, own, checked = own_rules.sign(store, TEXT, officer=PAT, previous=None, now=NOW)

    assert (own.number, own.signer, own.preview.hex()) == (1, "pat", checked.previewed.sha256)
    assert own_rules.read(store, document, agency="springfield-pd") == own
    later = NOW + timedelta(minutes=1)
    _, withdrawn, _ = own_rules.sign(store, "", officer=PAT, previous=own.named, now=later)
    assert (withdrawn.number, withdrawn.previous, withdrawn.ruleset.rules) == (2, own.hash, ())


@pytest.mark.parametrize(
    "keys", [officer("pat", "springfield-pd", "stolen"), BLAKE], ids=["unknown key", "other agency"]
)
def test_nobody_else_signs_them(store: TrustStore, keys: OfficerKeys) -> None:
    as_springfield = dataclasses.replace(keys, agency="springfield-pd")

    with pytest.raises(TrustError) as refused:
        own_rules.sign(store, TEXT, officer=as_springfield, previous=None, now=NOW)

    assert refused.value.code in {"wrong-role", "bad-signature"}


def test_an_exchanges_officer_signs_for_their_own_agency(store: TrustStore) -> None:
    text = TEXT.replace("  - kind: state police", "  - kind: city police").replace("springfield-pd", "il-state-police")

    _, own, _ = own_rules.sign(store, text, officer=AVERY, previous=None, now=NOW)

    assert (own.agency, own.signer) == ("il-state-police", "avery")


UNTOUCHED = """- rule: OWN-3 Nothing on cyber to the fusion centers
  effect: never
  when: {category: cyber}
  to:
  - kind: fusion center
  because: General order 13
tests:"""


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("when: {category: officer safety}\n  to:\n", "when: {TLP: AMBER}\n  to:\n", "own-blocks-always"),
        ("tests:", UNTOUCHED, "untouched-rule"),
        ("reaches exactly: [springfield-pd]", "reaches exactly: [springfield-pd, il-state-police]", "case-fails"),
    ],
    ids=["blocks an always rule", "no case", "a case fails"],
)
def test_what_stands_against_own_rules_keeps_them_from_being_signed(
    store: TrustStore, old: str, new: str, code: str
) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)

    checked = own_rules.check(store, text, agency="springfield-pd")

    assert code in codes(checked)
    with pytest.raises(TrustError) as refused:
        own_rules.sign(store, text, officer=PAT, previous=None, now=NOW)
    assert refused.value.code == "own-rules-faulty"


def test_a_never_rule_that_could_stop_a_warning_is_found_by_proof_and_by_the_gateways_own_look(
    store: TrustStore,
) -> None:
    text = TEXT.replace("when: {category: officer safety}\n  to:\n  - kind", "when: anything\n  to:\n  - kind")

    found = codes(own_rules.check(store, text, agency="springfield-pd"))

    assert {"blocks-always", "own-blocks-always"} <= set(found)


def test_only_what_the_agency_itself_sent_is_replayed(store: TrustStore) -> None:
    attributes = {
        "category": "officer safety", "TLP": "AMBER", "purpose": "officer safety", "region": "IL-C", "version": "full",
        "caveats": frozenset(), "content basis": "criminal predicate", "information class": "investigative",
        "dissemination": frozenset(), "product": "BOLO", "origin state": "IL", "originator": "springfield-pd",
        "traffic": "Actual", "area": frozenset({"IL-SANGAMON"}), "named": frozenset(), "approved": frozenset(),
    }  # fmt: skip
    recorded = tuple(
        Recorded(
            bulletin=f"{agency.upper()}-2026-000001",
            portion="p1",
            originator=agency,
            at=NOW,
            precedence="IMMEDIATE",
            attributes=attributes,
        )
        for agency in ("springfield-pd", "il-fusion")
    )
    recording = Recording(recorded=recorded, history=History(sha256="0" * 64, portions=2))

    checked = own_rules.check(store, TEXT, agency="springfield-pd", recordings=[recording])

    replayed = checked.previewed.preview.replay
    assert replayed is not None
    assert (replayed.portions, replayed.withdrawn.deliveries, replayed.disclosed.deliveries) == (1, 1, 0)
    assert replayed.examples[0].rules == ("OWN-1",)


def test_own_rules_of_an_agency_that_is_no_member_are_refused(store: TrustStore) -> None:
    with pytest.raises(TrustError) as refused:
        own_rules.check(store, TEXT, agency="peoria-pd")
    assert refused.value.code == "unknown-agency"
