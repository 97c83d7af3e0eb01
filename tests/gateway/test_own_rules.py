"""An agency's own rules at its gateway: they narrow what it sends, nobody else's, and never go away by themselves."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.gateway import own_rules
from broker.gateway.tokens import create
from broker.store import audit
from broker.trust import new_officer_keys
from tests.gateway.documents import alert, portion, threat
from tests.gateway.exchange import Desk, Exchange, clock, eventually, exchange
from tests.gateway.own_rules import (
    KEEPS_FROM_THE_MAYOR,
    OFFICERS,
    appoint,
    install,
    own_folder,
    read,
    signed,
)

ISP = "il-state-police"


@pytest.fixture
async def running(tmp_path: Path):
    async with exchange(tmp_path, ISP, "small-agencies") as started:
        await appoint(started)
        yield started


async def reached(desk: Desk, document: dict[str, Any]) -> dict[str, Any]:
    """Who gets it, with what duties, by the gateway's own dry run."""
    status, answer = await desk.call("POST", "/v1/bulletins?dry_run=true", document)
    assert status == 200, answer
    return {row["agency"]: row["obligations"] for row in answer["audience"]}


async def put(running: Exchange, agency: str, text: str = KEEPS_FROM_THE_MAYOR, **changes: Any) -> dict[str, Any]:
    status, answer = await install(running.desks[agency], signed(running, agency, text, **changes))
    assert status == 200, answer
    return dict(answer)


def entries(running: Exchange, gateway: str, event: str) -> list[dict[str, Any]]:
    rows = running.nodes[gateway].store.read("SELECT detail FROM audit WHERE event = ? ORDER BY seq", (event,))
    return [json.loads(row["detail"]) for row in rows]


async def test_an_agencys_own_rules_hold_back_and_oblige_what_it_sends(running: Exchange) -> None:
    desk = running.desks[ISP]
    before = await reached(desk, alert())

    await put(running, ISP)
    sent = await desk.accepted(alert())

    assert "springfield-mayor" in before
    after = {row["agency"]: row["obligations"] for row in sent["audience"]}
    assert set(after) == set(before) - {"springfield-mayor"}
    assert {duties["retain for"] for one in after.values() for duties in one.values()} == {7 * 86400}
    assert {"agency": "springfield-mayor", "portion": "p1", "rules": ["OWN-1"]} in sent["withheld"]


async def test_a_bulletin_says_which_own_rules_it_was_decided_under(running: Exchange) -> None:
    desk = running.desks[ISP]
    first = await desk.accepted(alert())
    own = await put(running, ISP)
    second = await desk.accepted(alert())

    assert (first["own_rules"], second["own_rules"], own["number"]) == (0, 1, 1)
    assert [one["own"] for one in entries(running, ISP, "accepted")] == [0, 1]
    _, explained = await desk.call("GET", f"/v1/explain?bulletin={second['id']}&agency=springfield-mayor")
    assert explained["own_rules"] == 1
    assert explained["portions"][0]["blocked_by"] == ["OWN-1"]
    assert any("General order 7" in sentence for sentence in explained["portions"][0]["sentences"])
    await put(running, ISP, "", previous=read(running, signed_text(running), ISP).named)
    _, again = await desk.call("GET", f"/v1/explain?bulletin={second['id']}&agency=springfield-mayor")
    assert again == explained


def signed_text(running: Exchange) -> bytes:
    return (own_folder(running, ISP) / f"{ISP}-000001.cose").read_bytes()


async def test_own_rules_of_one_agency_never_touch_what_another_sends_from_the_same_gateway(running: Exchange) -> None:
    cook, lake = running.desks["cook-sheriff"], running.desks["lake-sheriff"]
    before = await reached(lake, alert(agency="lake-sheriff"))

    await put(running, "cook-sheriff")

    assert await reached(lake, alert(agency="lake-sheriff")) == before
    assert "springfield-mayor" in before
    assert "springfield-mayor" not in await reached(cook, alert(agency="cook-sheriff"))
    assert (await lake.call("GET", "/v1/rules/own"))[1]["number"] == 0


async def test_own_rules_bind_the_originator_alone_and_recipients_take_what_comes(tmp_path: Path) -> None:
    async with exchange(tmp_path, ISP, "springfield-pd") as running:
        await appoint(running)
        await put(running, ISP)

        sent = await running.desks[ISP].accepted(alert())

        got = await running.desks["springfield-pd"].received(sent["id"])
        assert [duties["retain for"] for duties in got["obligations"].values()] == [7 * 86400]


async def test_own_rules_keep_no_warning_from_those_an_always_rule_delivers_it_to(running: Exchange) -> None:
    text = KEEPS_FROM_THE_MAYOR.replace("{product: CAP-ALERT}", "{TLP: AMBER}").replace("mayor's office", "JTTF")

    status, problem = await install(running.desks[ISP], signed(running, ISP, text))

    assert (status, problem["code"]) == (422, "own-blocks-always")
    assert await reached(running.desks[ISP], threat(agency=ISP))


# --- who may install


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda running: signed(running, ISP, by=new_officer_keys("pat", ISP)), 403, "bad-signature"),
        (lambda running: signed(running, ISP, by=OFFICERS["cook-sheriff"]), 403, "wrong-role"),
        (lambda running: signed(running, ISP, by=running.officers[0]), 403, "wrong-role"),
        (lambda running: signed(running, ISP)[:-40], 403, "bad-signature"),
        (lambda running: signed(running, "cook-sheriff", by=OFFICERS[ISP]), 422, "other-agency"),
        (lambda running: signed(running, ISP, created=clock() - timedelta(days=400)), 422, "own-expired"),
        (lambda running: signed(running, ISP, KEEPS_FROM_THE_MAYOR.replace("never", "share")), 422, "own-not-narrow"),
        (lambda running: b"", 403, "bad-signature"),
    ],
    ids=["unknown key", "other agency's officer", "exchange's officer of another agency", "stripped", "other agency",
         "expired", "shares", "nothing"],
)  # fmt: skip
async def test_own_rules_that_are_not_this_agencys_are_refused_and_recorded(
    running: Exchange, change: Any, status: int, code: str
) -> None:
    answer, problem = await install(running.desks[ISP], change(running))

    assert (answer, problem["code"]) == (status, code)
    assert [one["code"] for one in entries(running, ISP, "own rules refused")] == [code]
    assert audit.first_break(running.nodes[ISP].store) is None
    assert "springfield-mayor" in await reached(running.desks[ISP], alert())


async def test_an_older_number_and_an_equal_one_with_other_content_are_refused(running: Exchange) -> None:
    first = signed(running, ISP)
    await install(running.desks[ISP], first)
    await put(running, ISP, previous=read(running, first, ISP).named)

    older, rollback = await install(running.desks[ISP], first)
    equal, equivocation = await install(
        running.desks[ISP],
        signed(running, ISP, KEEPS_FROM_THE_MAYOR + "# more\n", previous=read(running, first, ISP).named),
    )

    assert (older, rollback["code"], equal, equivocation["code"]) == (409, "rollback", 409, "equivocation")
    _, now = await running.desks[ISP].call("GET", "/v1/rules/own")
    assert now["number"] == 2


async def test_the_same_own_rules_again_are_no_alarm_and_change_nothing(running: Exchange) -> None:
    document = signed(running, ISP)
    first, again = [await install(running.desks[ISP], document) for _ in range(2)]

    assert first == again
    assert len(entries(running, ISP, "own rules in force")) == 1
    assert entries(running, ISP, "own rules refused") == []


async def test_own_rules_are_installed_with_a_scope_of_their_own(running: Exchange) -> None:
    settings = running.nodes[ISP].settings
    others = ("publish", "read", "acknowledge", "observe")
    token, _ = create(settings.tokens, agency=ISP, scopes=others, name="adapter")

    status, problem = await running.desks[ISP].call(
        "POST", "/v1/rules/own", signed(running, ISP), Authorization=f"Bearer {token}"
    )

    assert (status, problem["code"]) == (403, "forbidden")


async def test_an_agency_sees_its_own_rules_alone(running: Exchange) -> None:
    await put(running, "cook-sheriff")

    _, cook = await running.desks["cook-sheriff"].call("GET", "/v1/rules/own")
    _, lake = await running.desks["lake-sheriff"].call("GET", "/v1/rules/own")

    assert (cook["rules"], cook["text"], cook["signer"]) == (["OWN-1", "OWN-2"], KEEPS_FROM_THE_MAYOR, "pat")
    assert (lake["number"], "text" in lake) == (0, False)
    _, figures = await running.desks["lake-sheriff"].call("GET", "/metrics")
    assert "OWN-" not in figures


# --- restarts and losses


async def restarted(running: Exchange, gateway: str = ISP) -> None:
    await running.start_gateway(gateway)
    await running.ready(gateway)


async def test_own_rules_are_in_force_after_a_restart(running: Exchange) -> None:
    await put(running, ISP)
    await running.stop_gateway(ISP)
    await restarted(running)

    assert "springfield-mayor" not in await reached(running.desks[ISP], alert())
    older, problem = await install(running.desks[ISP], signed(running, ISP, KEEPS_FROM_THE_MAYOR + "# other\n"))
    assert (older, problem["code"]) == (409, "equivocation")


async def test_own_rules_that_were_kept_before_a_crash_are_in_force_and_recorded_after_it(running: Exchange) -> None:
    node = running.nodes[ISP]
    document = signed(running, ISP)
    node.own.take(document, read(running, document, ISP), directory=node.trust.directory.number)  # type: ignore[union-attr]
    await running.stop_gateway(ISP)
    await restarted(running)

    assert "springfield-mayor" not in await reached(running.desks[ISP], alert())
    await eventually(lambda: entries(running, ISP, "own rules in force"))


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: [path.unlink() for path in folder.iterdir()],
        lambda folder: (folder / f"{ISP}-000001.cose").write_bytes(b"nonsense"),
        lambda folder: (folder / f"{ISP}.json").write_text("{}"),
    ],
    ids=["gone", "damaged", "without index"],
)
async def test_own_rules_that_cannot_be_read_let_out_what_always_rules_deliver_and_nothing_else(
    running: Exchange, harm: Any
) -> None:
    desk = running.desks[ISP]
    life = await reached(desk, threat(agency=ISP))
    first = signed(running, ISP)
    await install(desk, first)
    await running.stop_gateway(ISP)
    harm(own_folder(running, ISP))
    await restarted(running)

    status, problem = await desk.publish(alert())

    assert (status, problem["code"]) == (422, "nobody-permitted")
    assert problem["withheld"]
    assert all("OWN-LOST" in row["rules"] for row in problem["withheld"])
    assert await reached(desk, threat(agency=ISP)) == life
    await eventually(lambda: running.nodes[ISP].own.told.get(ISP) == ("own-rules-lost",))
    assert b'tearline_alarms_total{code="own-rules-lost"} 1.0' in running.nodes[ISP].metrics.text()
    # The agency's officer mends it: with the next rules, or with the very same document; nothing older is taken.
    _, problem = await install(desk, signed(running, ISP, KEEPS_FROM_THE_MAYOR + "# other\n"))
    assert problem["code"] == "rollback"
    await put(running, ISP, previous=read(running, first, ISP).named)
    assert "springfield-mayor" not in await reached(desk, alert())
    assert await reached(desk, alert())


async def test_own_rules_from_an_old_copy_of_the_disk_count_as_lost(running: Exchange) -> None:
    first = signed(running, ISP)
    await install(running.desks[ISP], first)
    copied = {path.name: path.read_bytes() for path in own_folder(running, ISP).iterdir()}
    await put(running, ISP, previous=read(running, first, ISP).named)
    await running.stop_gateway(ISP)
    for path in own_folder(running, ISP).iterdir():
        path.unlink()
    for name, raw in copied.items():
        (own_folder(running, ISP) / name).write_bytes(raw)
    await restarted(running)

    status, problem = await running.desks[ISP].publish(alert())

    assert (status, problem["code"]) == (422, "nobody-permitted")


# --- when the exchange's rules change


async def in_force(running: Exchange, text: str, gateway: str = ISP) -> None:
    rules = await running.release_rules(text)
    node = running.nodes[gateway]
    await eventually(lambda: node.trust.rules is not None and node.trust.rules.number == rules.number)


ALWAYS = """
- rule: R20 Alerts always reach city hall
  effect: always
  when: {product: CAP-ALERT, TLP: at most GREEN}
  to:
  - kind: mayor's office
    serves the area: yes
  yields to: [R01, R04, R05, R06, R07, R08, R10, R14, R15]
  because: Council resolution
"""


async def test_a_new_always_rule_delivers_at_once_and_the_agencys_officer_is_told(running: Exchange) -> None:
    narrow = KEEPS_FROM_THE_MAYOR.replace("{product: CAP-ALERT}", "{product: CAP-ALERT, category: missing person}", 1)
    await put(running, ISP, narrow.replace("mayor's office", "[mayor's office, fusion center]"))
    desk = running.desks[ISP]
    before = await reached(desk, alert())
    text = running.rules_text
    place = text.index("# Locked section")

    await in_force(running, text[:place] + ALWAYS + text[place:])

    after = await reached(desk, alert())
    assert set(after) - set(before) == {"springfield-mayor"}
    assert "il-fusion" not in after
    _, shown = await desk.call("GET", "/v1/rules/own")
    assert shown["troubles"] == ["own-rules-block-always"]
    assert shown["not_for_recipients_of"] == {"OWN-1": ["R20"]}
    await eventually(lambda: entries(running, ISP, "own rules judged"))


async def test_a_word_that_own_rules_use_and_the_vocabulary_loses_makes_them_forbid_more(running: Exchange) -> None:
    text = KEEPS_FROM_THE_MAYOR.replace("{product: CAP-ALERT}", "{product: CAP-ALERT, category: cyber}")
    await put(running, ISP, text)
    desk = running.desks[ISP]
    before = await reached(desk, alert())
    assert "springfield-mayor" in before
    running.vocabulary_text = running.vocabulary_text.replace(" cyber,", "")

    await in_force(running, running.rules_text)

    after = await reached(desk, alert())
    assert set(before) - set(after) == {"springfield-mayor"}
    _, shown = await desk.call("GET", "/v1/rules/own")
    assert (shown["troubles"], shown["adapted"]) == (["own-rules-adapted"], ["OWN-1", "OWN-2"])


async def test_own_rules_that_expire_go_on_holding_back_and_say_so(running: Exchange) -> None:
    await put(running, ISP, expires=clock() + timedelta(hours=1))
    node = running.nodes[ISP]
    own = node.own.effective(ISP, node.trust.rules)  # type: ignore[arg-type]
    assert own.troubles(clock()) == ()

    later = clock() + timedelta(hours=2)
    node.now = lambda: later
    await own_rules.refresh(node)

    assert node.own.told[ISP] == ("own-rules-expired",)
    assert "springfield-mayor" not in await reached(running.desks[ISP], alert(expires=expiry(later)))


def expiry(moment: Any) -> str:
    return str((moment + timedelta(days=2)).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


async def test_a_tearline_follows_own_rules_portion_by_portion(running: Exchange) -> None:
    text = KEEPS_FROM_THE_MAYOR.replace("{product: CAP-ALERT}", "{product: CAP-ALERT, version: full}")
    await put(running, ISP, text)
    document = alert()
    document["portions"].append(
        portion("short", ident="line", tlp="GREEN", version="tearline") | {"content_basis": "public safety"}
    )

    sent = await running.desks[ISP].accepted(document)

    portions = {row["agency"]: row["portions"] for row in sent["audience"]}
    assert portions["springfield-mayor"] == ["line"]
    assert portions["springfield-pd"] == ["p1", "line"]
