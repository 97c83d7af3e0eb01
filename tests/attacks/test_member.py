"""A member whose gateway is bought: it signs validly, seals properly, and lies. Each recipient judges for itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from broker.gateway import control
from broker.seal import Claim, Reference, Terms, Witness, make_receipts
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    FUSION,
    Twist,
    alarms,
    bend,
    copy_of,
    only,
    recorded,
    refusals,
    refused,
    send_receipts,
    times,
)
from tests.gateway.documents import alert, portion, threat
from tests.gateway.exchange import HOME, Exchange, clock, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    folder = tmp_path_factory.mktemp("member")
    async with exchange(folder, CHICAGO, CITY, FUSION, "small-agencies", retry_seconds=[2.0, 600.0]) as started:
        yield started


async def test_a_portion_shared_against_the_rules_is_refused_and_its_sender_told(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | {"category": "narcotics"}))
    sent = await running.desks[CHICAGO].accepted(threat("against the rules"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"
    entry = recorded(running.nodes[CITY], "envelope refused", code="recheck-refused")[-1]
    assert (entry["agency"], entry["peer"], entry["verified"]) == (CITY, CHICAGO, True)
    assert alarms(running.nodes[CITY], "recheck-refused") > 0


async def test_a_full_portion_slipped_to_an_agency_that_may_have_the_tearline_only_is_refused_whole(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def both(audience: Any) -> Any:
        return tuple(replace(one, parts=(1, 2)) for one in audience if one.agency == CITY)

    bend(monkeypatch, Twist(audience=both))
    document = threat(
        portions=[portion("federal", dissemination=["FED ONLY"]), portion("below", ident="t1", version="tearline")]
    )
    sent = await running.desks[CHICAGO].accepted(document)

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_a_copy_for_a_suspended_agency_is_refused_there(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bolo = threat(
        product="BOLO", category="officer safety", purpose="officer safety", protectee=None, precedence="ROUTINE"
    )  # fmt: skip
    del bolo["protectee"]
    # cook-sheriff is in Chicago's region and gets it; peoria-pd is made a neighbour of it by the lie.
    bend(monkeypatch, Twist(audience=only("cook-sheriff", "peoria-pd")))
    sent = await running.desks[CHICAGO].accepted(bolo)

    assert await refused(running, CHICAGO, "peoria-pd", sent["id"]) == "recheck-refused"
    assert (await running.desks["cook-sheriff"].received(sent["id"]))["from"] == CHICAGO


async def test_weaker_obligations_than_the_rules_say_are_not_believed(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weaker(audience: Any) -> Any:
        terms = Terms(obligations={1: {"onward": "community", "retain for": 10**9}}, named=(), approved=False, note="")
        return tuple(replace(one, terms=terms) for one in audience if one.agency == CITY)

    bend(monkeypatch, Twist(audience=weaker))
    sent = await running.desks[CHICAGO].accepted(threat("with weak terms"))

    held = (await running.desks[CITY].received(sent["id"]))["obligations"]["p1"]
    assert held["onward"] == "own agency"
    assert held["acknowledge within"] == 600
    assert held["not to be used for"] == ["civil immigration enforcement"]


@pytest.mark.parametrize(
    "lie",
    [
        {"agency": FUSION},
        {"kind": "request"},
        {"status": "Exercise"},
        {"expires": "2099-01-01T00:00:00Z"},
        {"info_class": "administrative"},
        {"created": "2020-01-01T00:00:00Z"},
    ],
    ids=lambda lie: f"another {next(iter(lie))}",
)
async def test_a_portion_that_contradicts_what_was_signed_above_it_is_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch, lie: dict[str, str]
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | lie))
    sent = await running.desks[CHICAGO].accepted(threat("a lie inside"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


@pytest.mark.parametrize(
    "lie",
    [
        {"bulletin": "01890000-0000-7000-8000-00000000abcd"},
        {"control_number": "CHICAGO-PD-2026-999999"},
        {"product": "SITREP"},
        {"precedence": "ROUTINE"},
        {"due": "2026-12-31T00:00:00Z"},
    ],
    ids=lambda lie: f"another {next(iter(lie))}",
)
async def test_portions_that_contradict_each_other_are_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch, lie: dict[str, str]
) -> None:
    second = itertools.count()
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | (lie if next(second) else {})))
    document = threat(portions=[portion("one"), portion("two", ident="p2")])
    sent = await running.desks[CHICAGO].accepted(document)

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_an_exercise_through_and_through_does_not_enter_a_live_exchange(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(
        monkeypatch,
        Twist(
            audience=only(CITY),
            document=lambda said: said | {"status": "Exercise"},
            draft=lambda draft: replace(draft, status="Exercise"),
        ),
    )
    sent = await running.desks[CHICAGO].accepted(threat("this is an exercise"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_a_member_of_a_portion_that_the_border_would_never_take_is_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | {"immigration_status": "unknown"}))
    sent = await running.desks[CHICAGO].accepted(threat())

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def test_rules_that_nobody_signed_decide_nothing(running: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    bend(monkeypatch, Twist(audience=only(CITY), draft=lambda draft: replace(draft, rules=(draft.rules[0], bytes(32)))))
    sent = await running.desks[CHICAGO].accepted(threat("under rules of my own"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"


async def _from_fusion(running: Exchange) -> str:
    """A bulletin of the fusion center that both police departments hold."""
    document = alert("a road is closed", agency=FUSION)
    sent = await running.desks[FUSION].accepted({k: v for k, v in document.items() if k != "protectee"})
    await running.desks[CITY].received(sent["id"])
    return str(sent["id"])


@pytest.mark.parametrize("kind", ["recall", "purge", "escalation"])
async def test_a_control_about_somebody_elses_bulletin_is_refused_and_changes_nothing(
    running: Exchange, kind: str
) -> None:
    ident = await _from_fusion(running)
    hostile, victim = running.nodes[CHICAGO], running.nodes[CITY]
    before = len(recorded(victim, "envelope refused", code="recheck-refused"))
    about = dict(copy_of(running, FUSION, ident)) | {"agency": CHICAGO}

    message = control.prepare(hostile, kind=kind, about=about, recipients=(CITY,), note="")  # type: ignore[arg-type]
    await hostile.store.write(lambda connection: control.record(hostile, connection, message, status="Actual"))
    hostile.outbox.ring()

    await eventually(lambda: len(recorded(victim, "envelope refused", code="recheck-refused")) > before)
    await eventually(
        lambda: hostile.store.read_one(
            "SELECT 1 FROM deliveries WHERE id = ? AND code = 'recheck-refused'", (message.id.bytes,)
        )
    )
    held = await running.desks[CITY].bulletin(ident)
    assert (held["recalled"], held["portions"][0]["content"]) == (False, "a road is closed")
    events = victim.store.read("SELECT event FROM events WHERE id = ?", (UUID(ident).bytes,))
    assert [row["event"] for row in events] == ["bulletin"]


async def test_a_correction_of_somebody_elses_bulletin_is_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await _from_fusion(running)
    supersedes = (Reference(kind="supersedes", bulletin=UUID(ident)),)

    def claiming(audience: Any) -> Any:
        return tuple(replace(one, references=supersedes) for one in only(CITY)(audience))

    bend(
        monkeypatch,
        Twist(
            audience=claiming,
            document=lambda said: said | {"kind": "correction"},
            draft=lambda draft: replace(draft, kind="correction"),
        ),
    )
    sent = await running.desks[CHICAGO].accepted(threat("what the fusion center should have said"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"
    assert (await running.desks[CITY].bulletin(ident))["superseded_by"] is None


async def test_a_bulletin_id_of_another_agency_is_no_id_for_ones_own(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    ident = await _from_fusion(running)
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | {"bulletin": ident}))
    sent = await running.desks[CHICAGO].accepted(threat("in another's place"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "recheck-refused"
    held = await running.desks[CITY].bulletin(ident)
    assert (held["from"], held["portions"][0]["content"]) == (FUSION, "a road is closed")


async def test_a_second_bulletin_under_a_taken_id_is_an_alarm_and_no_delivery(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await running.desks[CHICAGO].accepted(threat("the first under this id"))
    await running.desks[CITY].received(first["id"])
    taken = {"bulletin": first["id"], "control_number": first["control_number"]}
    bend(monkeypatch, Twist(audience=only(CITY), document=lambda said: said | taken))
    second = await running.desks[CHICAGO].accepted(threat("the second under this id"))

    assert await refused(running, CHICAGO, CITY, second["id"]) == "bulletin-id-taken"
    held = await running.desks[CITY].bulletin(first["id"])
    assert held["portions"][0]["content"] == "the first under this id"
    assert alarms(running.nodes[CITY], "bulletin-id-taken") == 1


async def test_two_bodies_under_one_envelope_id_are_an_alarm_and_one_delivery(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = os.urandom(16)

    def random(size: int) -> bytes:
        return chosen if size == 16 else os.urandom(size)

    bend(monkeypatch, Twist(audience=only(CITY), random=random))
    first = await running.desks[CHICAGO].accepted(threat("to you I say this"))
    await running.desks[CITY].received(first["id"])
    second = await running.desks[CHICAGO].accepted(threat("and that"))

    entry = await eventually(lambda: recorded(running.nodes[CITY], "envelope refused", code="equivocation"))
    assert (entry[-1]["peer"], entry[-1]["verified"]) == (CHICAGO, True)
    assert alarms(running.nodes[CITY], "equivocation") == 1
    assert (await times(running, CITY, first["id"]), await times(running, CITY, second["id"])) == (1, 0)


async def test_receipts_for_a_bulletin_one_never_got_are_refused(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))
    sent = await running.desks[CHICAGO].accepted(threat("for the city alone"))
    await running.desks[CHICAGO].delivered(sent["id"])
    origin, copy = running.nodes[CHICAGO], copy_of(running, CHICAGO, sent["id"])
    witness = Witness(
        id=copy["envelope"],
        sender=CHICAGO,
        recipient=FUSION,
        hh=copy["header_hash"],
        body_digest=copy["body_digest"],
        manifest_digest=bytes(32),
        leaf=bytes(32),
        seed=bytes(32),
        keys={0: bytes(32), 1: bytes(32)},
    )
    cases = {
        "receipt-digest": witness,
        "receipt-unknown-bulletin": replace(witness, hh=bytes(32)),
    }
    for code, forged in cases.items():
        claim = Claim(rung="acknowledged", seq=1, time=clock(), person="Nobody")
        kem = running.keys[CHICAGO].public().kem[0]
        batch = make_receipts(running.keys[FUSION].signing, FUSION, kem, CHICAGO, [(forged, claim)])
        before = refusals(origin, "receipt", code)
        await send_receipts(running, FUSION, CHICAGO, batch)
        await eventually(lambda code=code, before=before: refusals(origin, "receipt", code) > before)

    shown = await running.desks[CHICAGO].bulletin(sent["id"])
    assert [item["agency"] for item in shown["deliveries"]] == [CITY]
    assert shown["who_has_not"]["acknowledged"] == [CITY]


async def test_one_recipient_cannot_acknowledge_for_another(running: Exchange) -> None:
    sent = await running.desks[CHICAGO].accepted(threat("to both of you"))
    for agency in (CITY, FUSION):
        await running.desks[agency].received(sent["id"])
    copy = copy_of(running, FUSION, sent["id"])
    fusion, origin = running.nodes[HOME[FUSION]], running.nodes[CHICAGO]
    own = Witness.decode(
        fusion.vault.open(FUSION, copy["storage_key"], copy["keyring_sealed"], "keyring", bytes(copy["id"]))
    )
    claim = Claim(rung="acknowledged", seq=9, time=clock() + timedelta(seconds=1), person="Sgt. Nobody")
    kem = running.keys[CHICAGO].public().kem[0]
    # Signed with its own key in another's name.
    stolen = replace(own, recipient=CITY)
    batch = make_receipts(running.keys[FUSION].signing, CITY, kem, CHICAGO, [(stolen, claim)])
    await send_receipts(running, FUSION, CHICAGO, batch)

    # The city's entry names other keys than those that signed.
    await eventually(lambda: refusals(origin, "deliver", "receipt-signature-set"))
    shown = await running.desks[CHICAGO].bulletin(sent["id"])
    assert CITY in shown["who_has_not"]["acknowledged"]
