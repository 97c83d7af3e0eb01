"""Rules on trial: they decide what is submitted, deliver nothing, and say what they would have done otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.gateway import housekeeping, trial_desk
from broker.gateway.tokens import create
from broker.store import trials
from broker.trust import Conditions, Minted, mint_release
from broker.trust.rules import rules_content
from policy.history import parse_attributes_document
from tests.gateway.documents import alert, portion, threat
from tests.gateway.exchange import Desk, Exchange, clock, eventually, exchange
from tests.gateway.own_rules import KEEPS_FROM_THE_MAYOR, appoint, install, signed
from tests.policy.oracle import Oracle

ISP = "il-state-police"
SHERIFFS = """- rule: R21 Alerts go to every sheriff
  effect: share
  when: {product: CAP-ALERT, TLP: at most GREEN}
  to:
  - kind: county sheriff
  because: a test

"""
#: Alerts go to the county sheriffs as well, to the mayor no longer, and nobody need forget them.
CHANGES = (
    ("- rule: R19 A public-safety alert", f"{SHERIFFS}- rule: R19 A public-safety alert"),
    ("when: {dissemination: FED ONLY}", "when: {product: CAP-ALERT}"),
    ("  - federal: no\n", "  - kind: mayor's office\n"),
    ("  with: {precedence: IMMEDIATE, retain for: 30 days}\n", "  with: {precedence: IMMEDIATE}\n"),
)
#: Everything to everybody: the widest there can be.
ALL = """policy: everything
version: 1
rules:
- rule: A1 Everything to everybody
  effect: share
  when: anything
  to: everyone
  because: a test
"""


def changed(running: Exchange) -> str:
    text = running.rules_text
    for old, new in CHANGES:
        assert old in text, old
        text = text.replace(old, new)
    return text


async def release_trial(running: Exchange, text: str, **ends: Any) -> Minted:
    previous = running.authority.staged("trial")
    now = clock()
    minted = mint_release(
        "trial",
        rules_content(running.vocabulary_text, text),
        root=running.root.root,
        previous=previous,
        officers=running.officers[:2],
        created=now,
        expires=now + (timedelta(**ends) or timedelta(days=7)),
        conditions=Conditions(preview=b"p" * 32) if previous else Conditions(),
    )
    running.authority.offer(minted.sealed, now=now)
    await running.hub.publish_release("trial", minted.release.number, minted.sealed)
    for node in running.nodes.values():
        await eventually(lambda node=node: node.trial.rules and node.trial.rules.number == minted.release.number)
    return minted


async def report(desk: Desk, **wanted: int) -> dict[str, Any]:
    """The report, once it has come to so many bulletins (or whatever is wanted)."""

    async def look() -> dict[str, Any] | None:
        status, answer = await desk.call("GET", "/v1/rules/trial")
        assert status == 200, answer
        return answer if all(answer.get(name) == value for name, value in wanted.items()) else None

    return dict(await eventually(look))


@pytest.fixture
async def running(tmp_path: Path):
    async with exchange(tmp_path, ISP, "small-agencies", "springfield-mayor", "springfield-pd") as started:
        yield started


async def test_a_trial_says_who_would_get_more_and_who_less_and_delivers_nothing(running: Exchange) -> None:
    await release_trial(running, changed(running))
    desk = running.desks[ISP]

    sent = await desk.accepted(alert())
    shown = await report(desk, bulletins=1)

    # What went out went out by the rules in force: to the mayor, and to no sheriff.
    assert {"springfield-mayor", "springfield-pd"} < {row["agency"] for row in sent["audience"]}
    await running.desks["springfield-mayor"].received(sent["id"])
    await running.desks["springfield-pd"].received(sent["id"])
    assert await running.desks["cook-sheriff"].inbox() == []
    assert sorted(item["agency"] for item in (await desk.bulletin(sent["id"]))["deliveries"]) == sorted(
        row["agency"] for row in sent["audience"]
    )
    assert (shown["number"], shown["running"], shown["portions"], shown["skipped"]) == (1, True, 1, 0)
    changes = {row["agency"]: row["cells"] for row in shown["matrix"]["rows"]}
    assert changes == {"cook-sheriff": [[1, 0]], "lake-sheriff": [[1, 0]], "springfield-mayor": [[0, 1]]}
    assert shown["matrix"]["markings"] == ["GREEN"]
    assert [shown[name]["deliveries"] for name in ("disclosed", "withdrawn")] == [2, 1]
    assert shown["loosened"]["agencies"] == len(sent["audience"]) - 1
    told = {one["effect"]: (one["agencies"], one["rules"], one["bulletin"]) for one in shown["examples"]}
    assert told["disclosed"] == (["cook-sheriff", "lake-sheriff"], ["R21"], sent["control_number"])


async def test_the_widest_trial_delivers_nothing_to_anybody(running: Exchange) -> None:
    await release_trial(running, ALL)
    desk = running.desks[ISP]
    before = [await desk.accepted(alert(agency=ISP)) for _ in range(3)]
    status, _ = await desk.publish(threat(agency=ISP, purpose="civil immigration enforcement"))

    await report(desk, bulletins=4)

    assert status == 422
    deliveries = running.nodes[ISP].store.read("SELECT id, recipient FROM deliveries")
    assert len(deliveries) == sum(len(sent["audience"]) for sent in before)
    for agency in ("cook-sheriff", "lake-sheriff", "peoria-pd", "newtown-pd", "ero-chicago"):
        assert await running.desks[agency].inbox() == []


async def test_a_trials_differences_are_what_deciding_by_the_oracle_finds(running: Exchange) -> None:
    trial = changed(running)
    await release_trial(running, trial)
    desk, node = running.desks[ISP], running.nodes[ISP]
    documents = [alert(), alert(protectee="mayor-springfield"), threat(agency=ISP)]
    documents += [threat(agency=ISP, purpose="civil immigration enforcement")]
    full = alert()
    full["portions"].append(
        portion("line", ident="line", tlp="CLEAR", version="tearline") | {"content_basis": "public safety"}
    )
    for document in [*documents, full]:
        await desk.publish(document)

    await report(desk, bulletins=5)

    kept = {(row["control_number"], row["portion"]): row for row in trials.differences(node.store, ISP, 1)}
    _, history = await desk.call("GET", "/v1/rules/history")
    directory = running.authority.staged_directory
    assert directory is not None
    at = clock()
    was, now = (Oracle(running.vocabulary_text, text, directory.agencies, at) for text in (running.rules_text, trial))
    assert len(history["items"]) == 6
    for item in history["items"]:
        attributes = parse_attributes_document(item["attributes"])
        row = kept.pop((item["bulletin"], item["portion"]), None)
        for place, agency in enumerate(sorted(directory.agencies)):
            had, _, _, _, old = was.judge(attributes, agency)
            has, _, _, _, new = now.judge(attributes, agency)
            bits = {
                name: row is not None and bool(trials.unpacked(row[name]) >> place & 1)
                for name in ("gained", "lost", "loosened", "tightened")
            }
            mine = agency != ISP
            assert bits["gained"] is bool(mine and has and not had), (item, agency)
            assert bits["lost"] is bool(mine and had and not has), (item, agency)
            assert (bits["loosened"] or bits["tightened"]) is bool(mine and had and has and old != new), (item, agency)
    assert kept == {}


async def test_no_text_and_no_attribute_of_a_portion_is_kept_for_a_trial(running: Exchange) -> None:
    await release_trial(running, ALL)
    desk = running.desks[ISP]
    await desk.accepted(alert("MARKER-OF-A-TEXT", protectee="mayor-springfield"))
    await report(desk, bulletins=1)

    rows = running.nodes[ISP].store.read("SELECT * FROM trial_differences")

    assert len(rows) == 1
    for value in rows[0]:
        assert b"MARKER" not in bytes(str(value), "utf-8")
        assert b"mayor-" not in bytes(str(value), "utf-8")


async def test_a_dry_run_is_not_on_trial(running: Exchange) -> None:
    await release_trial(running, ALL)
    desk = running.desks[ISP]
    await desk.call("POST", "/v1/bulletins?dry_run=true", alert())
    await desk.accepted(alert())

    shown = await report(desk, bulletins=1)

    assert shown["portions"] == 1


async def test_an_agency_sees_the_trial_of_what_it_sent_alone(running: Exchange) -> None:
    await release_trial(running, ALL)
    await running.desks["cook-sheriff"].accepted(alert(agency="cook-sheriff"))
    await report(running.desks["cook-sheriff"], bulletins=1)

    shown = await report(running.desks["lake-sheriff"])
    settings = running.nodes[ISP].settings
    token, _ = create(settings.tokens, agency=ISP, scopes=("publish", "read"), name="adapter")
    status, _ = await running.desks[ISP].call("GET", "/v1/rules/trial", Authorization=f"Bearer {token}")

    assert (shown["bulletins"], shown["examples"], shown["running"]) == (0, [], True)
    assert status == 403


async def test_without_a_trial_there_is_none(running: Exchange) -> None:
    desk = running.desks[ISP]
    await desk.accepted(alert())

    assert await report(desk) == {"agency": ISP, "number": 0, "running": False}
    assert not running.nodes[ISP].trial.jobs


async def test_a_trial_that_expires_stops_and_its_report_stays(running: Exchange) -> None:
    await release_trial(running, ALL, hours=1)
    desk, node = running.desks[ISP], running.nodes[ISP]
    await desk.accepted(alert())
    await report(desk, bulletins=1)

    later = clock() + timedelta(hours=2)
    node.now = lambda: later
    node.trial.bell.ring()
    await eventually(lambda: node.trial.rules is None)
    expires = str((later + timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    await desk.accepted(alert(expires=expires))

    assert not node.trial.jobs
    shown = await report(desk)
    assert (shown["running"], shown["bulletins"]) == (False, 1)


async def test_another_trial_takes_the_place_of_the_first_and_counts_anew(running: Exchange) -> None:
    await release_trial(running, ALL)
    desk = running.desks[ISP]
    await desk.accepted(alert())
    await report(desk, bulletins=1)

    await release_trial(running, running.rules_text)
    await desk.accepted(alert())
    shown = await report(desk, bulletins=1, number=2)

    assert shown["matrix"]["rows"] == []
    assert shown["disclosed"]["deliveries"] == 0


async def test_a_trial_goes_on_after_a_restart_with_what_it_has_found(running: Exchange) -> None:
    await release_trial(running, changed(running))
    desk = running.desks[ISP]
    await desk.accepted(alert())
    before = await report(desk, bulletins=1)
    await running.stop_gateway(ISP)
    node = await running.start_gateway(ISP)
    await running.ready(ISP)
    await eventually(lambda: node.trial.rules)

    assert (await report(desk))["matrix"] == before["matrix"]
    await desk.accepted(alert())
    assert (await report(desk, bulletins=2))["withdrawn"]["bulletins"] == 2


async def test_a_gateway_that_is_behind_skips_the_trial_and_counts_what_it_skipped(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    await release_trial(running, ALL)
    monkeypatch.setattr(trial_desk, "QUEUE", 0)
    desk = running.desks[ISP]

    await desk.accepted(alert())
    monkeypatch.setattr(trial_desk, "QUEUE", 10)
    await desk.accepted(alert())
    shown = await report(desk, bulletins=1)

    assert shown["skipped"] == 1
    assert b"tearline_trial_skipped_total 1.0" in running.nodes[ISP].metrics.text()
    assert b'tearline_trial_portions_total{outcome="differs"} 1.0' in running.nodes[ISP].metrics.text()


async def test_own_rules_hold_back_from_a_trial_as_well(running: Exchange) -> None:
    await appoint(running)
    status, _ = await install(running.desks[ISP], signed(running, ISP, KEEPS_FROM_THE_MAYOR))
    assert status == 200
    await release_trial(running, ALL)

    await running.desks[ISP].accepted(alert())
    shown = await report(running.desks[ISP], bulletins=1)

    changes = {row["agency"]: row["cells"] for row in shown["matrix"]["rows"]}
    assert "springfield-mayor" not in changes
    assert changes["peoria-pd"] == [[1, 0]]


async def test_what_a_trial_found_is_forgotten_after_ninety_days(running: Exchange) -> None:
    await release_trial(running, ALL)
    desk, node = running.desks[ISP], running.nodes[ISP]
    await desk.accepted(alert())
    await report(desk, bulletins=1)
    moment = clock()

    node.now = lambda: moment + timedelta(days=89)
    await housekeeping.tidy(node)
    assert len(trials.differences(node.store, ISP, 1)) == 1

    node.now = lambda: moment + timedelta(days=91)
    await housekeeping.tidy(node)
    assert trials.differences(node.store, ISP, 1) == []
    assert trials.counted(node.store, ISP, 1) is None


def test_sets_of_agencies_come_back_as_they_were_kept() -> None:
    for bits in (0, 1, 1 << 17_999, (1 << 18_000) - 1, 0b1011):
        assert trials.unpacked(trials.packed(bits)) == bits
