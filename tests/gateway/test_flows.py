"""Both ways: requests and answers, corrections, recalls, acknowledgements, deadlines. Over real parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.store import bulletins
from tests.gateway.documents import later, portion, threat
from tests.gateway.exchange import Desk, Exchange, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path) as started:
        yield started


def request(**changes: Any) -> dict[str, Any]:
    return (
        threat(
            kind="request",
            agency="springfield-pd",
            product="RFI",
            precedence="PRIORITY",
            category="violent crime",
            purpose="criminal investigation",
            portions=[portion("who owns the blue van", caveats=["LES"])],
        )
        | changes
    )


def answer_to(ident: str, **changes: Any) -> dict[str, Any]:
    return (
        request(
            kind="response",
            agency="il-fusion",
            product="RFI-RESPONSE",
            references={"in_reply_to": ident},
            portions=[portion("a rental, see attached", caveats=["LES"])],
        )
        | changes
    )


def _without_protectee(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "protectee"}


async def _acknowledge(desk: Desk, ident: str, person: str = "Sgt. B. Example") -> None:
    status, answer = await desk.call(
        "POST", f"/v1/bulletins/{ident}/receipts", {"rung": "acknowledged", "person": person, "note": "on it"}
    )
    assert status == 202, answer


async def test_a_question_is_answered_to_the_agency_that_asked_and_nobody_else(running: Exchange) -> None:
    city, fusion = running.desks["springfield-pd"], running.desks["il-fusion"]
    asked = await city.accepted(_without_protectee(request()))
    await fusion.received(asked["id"])

    answered = await fusion.accepted(_without_protectee(answer_to(asked["id"])))

    assert [item["agency"] for item in answered["audience"]] == ["springfield-pd"]
    received = await city.received(answered["id"])
    assert received["references"] == {"in_reply_to": asked["id"]}
    assert received["portions"][0]["content"] == "a rental, see attached"


async def test_an_answer_to_a_question_one_never_received_is_refused(running: Exchange) -> None:
    status, problem = await running.desks["il-fusion"].publish(
        _without_protectee(answer_to("01890000-0000-7000-8000-000000000000"))
    )

    assert (status, problem["code"]) == (422, "unknown-reference")


async def test_a_persons_acknowledgement_reaches_the_originator_with_name_and_note(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    sent = await origin.accepted(threat())
    await running.desks["springfield-pd"].received(sent["id"])

    await _acknowledge(running.desks["springfield-pd"], sent["id"])

    async def seen() -> dict[str, Any] | None:
        shown = await origin.bulletin(sent["id"])
        line = next(item for item in shown["deliveries"] if item["agency"] == "springfield-pd")
        return shown if line["state"] == "acknowledged" and line["person"] == "Sgt. B. Example" else None

    shown = await eventually(seen)
    assert "springfield-pd" not in shown["who_has_not"]["acknowledged"]
    assert "il-fusion" in shown["who_has_not"]["acknowledged"]


async def test_a_recall_reaches_every_recipient_and_each_confirms_that_it_is_gone(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    sent = await origin.accepted(threat("withdrawn soon"))
    await origin.delivered(sent["id"])

    status, _ = await origin.call("POST", f"/v1/bulletins/{sent['id']}/recall", {"reason": "wrong house"})
    assert status == 202

    shown = await origin.delivered(sent["id"], "purged")
    assert shown["recalled"] is True
    for item in sent["audience"]:
        held = await running.desks[item["agency"]].bulletin(item_id := sent["id"])
        assert (held["recalled"], held["portions"], held["id"]) == (True, [], item_id)


async def test_what_was_recalled_is_unreadable_on_the_recipients_disk(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    sent = await origin.accepted(threat())
    await origin.delivered(sent["id"])
    await origin.call("POST", f"/v1/bulletins/{sent['id']}/recall", {"reason": "wrong house"})
    await origin.delivered(sent["id"], "purged")

    store = running.nodes["springfield-pd"].store
    row = store.read_one("SELECT id, keyring_sealed, record_sealed FROM bulletins WHERE kind = 'bulletin'")

    assert row is not None
    assert tuple(row)[1:] == (None, None)
    assert bulletins.body(store, "springfield-pd", row["id"]) is None


async def test_only_the_originator_recalls(running: Exchange) -> None:
    sent = await running.desks["chicago-pd"].accepted(threat())
    await running.desks["springfield-pd"].received(sent["id"])

    status, problem = await running.desks["springfield-pd"].call(
        "POST", f"/v1/bulletins/{sent['id']}/recall", {"reason": "not mine"}
    )

    assert (status, problem["code"]) == (403, "not-the-originator")
    assert (await running.desks["springfield-pd"].bulletin(sent["id"]))["recalled"] is False


async def test_a_recall_that_overtakes_its_bulletin_still_stops_it(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    await running.stop_gateway("il-fusion")
    sent = await origin.accepted(threat("must never be shown"))
    await eventually(lambda: running.nodes["chicago-pd"].store.read_one(
        "SELECT 1 FROM deliveries WHERE recipient = 'il-fusion' AND state = 'relayed'"
    ))  # fmt: skip
    # The relay hands the recall over first: il-fusion's store knows the tombstone before the bulletin comes.
    node = await running.start_gateway("il-fusion", relay=["nats://127.0.0.1:1"])
    from uuid import UUID

    from broker.store import bulletins

    await node.store.write(
        lambda c: bulletins.bury(
            c, agency="il-fusion", sender="chicago-pd", bulletin=UUID(sent["id"]).bytes, at=node.now_ms()
        )
    )
    await running.stop_gateway("il-fusion")
    await running.start_gateway("il-fusion")

    shown = await origin.delivered(sent["id"], "stored")
    line = next(item for item in shown["deliveries"] if item["agency"] == "il-fusion")
    await eventually(lambda: running.nodes["il-fusion"].store.read_one("SELECT 1 FROM claims WHERE rung = 'purged'"))
    events = running.nodes["il-fusion"].store.read("SELECT event FROM events WHERE agency = 'il-fusion'")
    assert line["agency"] == "il-fusion"
    assert [row["event"] for row in events] == []
    assert (await running.desks["il-fusion"].bulletin(sent["id"]))["portions"] == []


async def test_a_correction_is_decided_anew_and_who_may_not_have_it_gets_a_recall(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    sent = await origin.accepted(threat("first version"))
    await origin.delivered(sent["id"])

    narrower = threat("second version", portions=[portion("second version", dissemination=["FED ONLY"])])
    status, corrected = await origin.call(
        "POST", f"/v1/bulletins/{sent['id']}/correct", narrower, Idempotency_Key="correct-1"
    )

    assert status == 202, corrected
    assert [item["agency"] for item in corrected["audience"]] == ["jttf-springfield"]
    received = await running.desks["jttf-springfield"].received(corrected["id"])
    assert received["references"] == {"supersedes": sent["id"]}
    assert (await running.desks["jttf-springfield"].bulletin(sent["id"]))["superseded_by"] == corrected["id"]

    async def gone() -> bool:
        held = await running.desks["springfield-pd"].bulletin(sent["id"])
        return bool(held["recalled"]) and held["portions"] == []

    assert await eventually(gone)
    assert (await running.desks["jttf-springfield"].bulletin(sent["id"]))["recalled"] is False


async def test_a_late_acknowledgement_escalates_to_the_alternate_contact_and_to_nobody_new(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    sent = await origin.accepted(threat(due=later(seconds=1.5)))
    for item in sent["audience"]:
        await running.desks[item["agency"]].received(sent["id"])
        if item["agency"] != "il-fusion":
            await _acknowledge(running.desks[item["agency"]], sent["id"])

    async def escalated() -> dict[str, Any] | None:
        shown = await origin.bulletin(sent["id"])
        late = [item["agency"] for item in shown["deliveries"] if item["escalated"]]
        return shown if late else None

    shown = await eventually(escalated)
    assert [item["agency"] for item in shown["deliveries"] if item["escalated"]] == ["il-fusion"]
    store = running.nodes["il-fusion"].store
    row = await eventually(lambda: store.read_one("SELECT detail FROM events WHERE event = 'escalation'"))
    assert "il-fusion watch commander" in row["detail"]
    for gateway, node in running.nodes.items():
        count = node.store.read_one("SELECT count(*) AS n FROM events WHERE event = 'escalation'")
        assert count is not None
        assert bool(count["n"]) == (gateway in ("il-fusion", "chicago-pd")), gateway


async def test_the_tearline_alone_reaches_the_mayors_office_which_holds_no_key_to_the_rest(running: Exchange) -> None:
    document = threat(
        portions=[
            portion("the whole text", caveats=["LES"]),
            portion("stay away from the house", ident="t1", tlp="GREEN", version="tearline"),
        ]
    )

    sent = await running.desks["chicago-pd"].accepted(document)

    received = await running.desks["springfield-mayor"].received(sent["id"])
    assert [item["id"] for item in received["portions"]] == ["t1"]
    row = running.nodes["springfield-mayor"].store.read_one("SELECT * FROM bulletins")
    assert row is not None
    from broker.seal import SealError, Witness, reopen

    node = running.nodes["springfield-mayor"]
    keyring = Witness.decode(
        node.vault.open("springfield-mayor", row["storage_key"], row["keyring_sealed"], "keyring", row["id"])
    )
    assert sorted(keyring.keys) == [0, 2]
    with pytest.raises(SealError):
        reopen(
            bulletins.body(node.store, "springfield-mayor", row["id"]) or b"",
            Witness(
                **{name: getattr(keyring, name) for name in keyring.__slots__ if name != "keys"},
                keys={**keyring.keys, 1: keyring.keys[2]},
            ),
        )
    withheld = {(item["agency"], item["portion"]) for item in sent["withheld"]}
    assert ("springfield-mayor", "p1") not in {(i["agency"], p) for i in sent["audience"] for p in i["portions"]}
    assert withheld == set()


async def test_a_correction_takes_the_full_text_back_from_who_now_gets_the_tearline_alone(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    tearline = portion("stay away", ident="t1", tlp="GREEN", version="tearline")
    sent = await origin.accepted(threat(portions=[portion("all of it", caveats=["LES"]), tearline]))
    await origin.delivered(sent["id"])

    narrowed = threat(portions=[portion("all of it", dissemination=["FED ONLY"]), tearline])
    status, corrected = await origin.call(
        "POST", f"/v1/bulletins/{sent['id']}/correct", narrowed, Idempotency_Key="narrow"
    )

    assert status == 202, corrected
    await running.desks["springfield-pd"].received(corrected["id"])

    async def gone() -> bool:
        return (await running.desks["springfield-pd"].bulletin(sent["id"]))["portions"] == []

    assert await eventually(gone)


async def test_who_dropped_out_at_the_second_correction_loses_the_first_text_too(running: Exchange) -> None:
    origin = running.desks["chicago-pd"]
    first = await origin.accepted(threat("one"))
    await origin.delivered(first["id"])
    _, second = await origin.call("POST", f"/v1/bulletins/{first['id']}/correct", threat("two"), Idempotency_Key="c2")
    await origin.delivered(second["id"])

    narrower = threat("three", portions=[portion("three", dissemination=["FED ONLY"])])
    await origin.call("POST", f"/v1/bulletins/{second['id']}/correct", narrower, Idempotency_Key="c3")

    async def gone() -> bool:
        held = [await running.desks["il-fusion"].bulletin(ident) for ident in (first["id"], second["id"])]
        return all(item["portions"] == [] for item in held)

    assert await eventually(gone)


async def test_an_answer_to_what_was_no_question_is_refused(running: Exchange) -> None:
    sent = await running.desks["chicago-pd"].accepted(threat())
    await running.desks["il-fusion"].received(sent["id"])

    status, problem = await running.desks["il-fusion"].publish(_without_protectee(answer_to(sent["id"])))

    assert (status, problem["code"]) == (422, "unknown-reference")
