"""The HTTP border: who may ask, what is refused with which code, and that a repeat changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from broker.gateway.api import application
from broker.gateway.openapi import document
from broker.gateway.tokens import Tokens, create, revoke
from tests.gateway.documents import portion, threat
from tests.gateway.exchange import Desk, Exchange, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, "chicago-pd", "springfield-pd") as started:
        yield started


async def test_the_description_is_valid_openapi_and_names_every_route(running: Exchange) -> None:
    described = document()
    validate(described)

    app = application(running.nodes["chicago-pd"], Tokens(Path("none")))
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }

    assert {(method, path) for path, methods in described["paths"].items() for method in methods} == routes
    status, served = await running.desks["chicago-pd"].call("GET", "/openapi.json")
    assert (status, served) == (200, json.loads(json.dumps(described)))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic dXNlcjpwYXNz"])
async def test_without_a_token_of_this_gateway_nothing_is_answered(running: Exchange, header: str) -> None:
    for method, path in (("GET", "/v1/inbox"), ("POST", "/v1/bulletins"), ("GET", "/v1/events"), ("GET", "/v1/status")):
        status, problem = await running.desks["chicago-pd"].call(method, path, Authorization=header)
        assert (status, problem["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("read", "POST", "/v1/bulletins"),
        ("publish", "GET", "/v1/inbox"),
        ("publish", "GET", "/v1/events"),
        ("read", "POST", "/v1/bulletins/01890000-0000-7000-8000-000000000000/receipts"),
        ("read", "POST", "/v1/bulletins/01890000-0000-7000-8000-000000000000/recall"),
        ("read", "GET", "/v1/status"),
    ],
)
async def test_a_token_does_only_what_its_scopes_say(running: Exchange, scope: str, method: str, path: str) -> None:
    settings = running.nodes["chicago-pd"].settings
    token, _ = create(settings.tokens, agency="chicago-pd", scopes=(scope,), name="narrow")

    status, problem = await running.desks["chicago-pd"].call(method, path, Authorization=f"Bearer {token}")

    assert (status, problem["code"]) == (403, "forbidden")


async def test_a_revoked_token_is_refused_at_once(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    settings = running.nodes["chicago-pd"].settings
    token, grant = create(settings.tokens, agency="chicago-pd", scopes=("read",), name="short-lived")
    assert (await desk.call("GET", "/v1/inbox", Authorization=f"Bearer {token}"))[0] == 200

    revoke(settings.tokens, grant.id)

    assert (await desk.call("GET", "/v1/inbox", Authorization=f"Bearer {token}"))[0] == 401


async def test_a_token_of_one_agency_publishes_for_no_other(running: Exchange) -> None:
    status, problem = await running.desks["springfield-pd"].publish(threat(agency="chicago-pd"))

    assert (status, problem["code"], problem["errors"][0]["pointer"]) == (403, "forbidden", "/agency")


async def test_the_same_key_and_body_get_the_first_answer_and_one_bulletin(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    body = json.dumps(threat()).encode()

    first = await desk.call("POST", "/v1/bulletins", body, Idempotency_Key="k1")
    again = await desk.call("POST", "/v1/bulletins", body, Idempotency_Key="k1")

    assert first == again
    assert first[0] == 202
    _, page = await desk.call("GET", "/v1/outbox")
    assert len(page["items"]) == 1


async def test_the_same_key_with_another_body_is_refused(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    await desk.publish(threat("one"), "k1")

    status, problem = await desk.publish(threat("two"), "k1")

    assert (status, problem["code"]) == (422, "idempotency-key-reused")


async def test_simultaneous_repeats_leave_one_bulletin(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    body = json.dumps(threat()).encode()
    statuses: list[int] = []

    async def publish() -> None:
        statuses.append((await desk.call("POST", "/v1/bulletins", body, Idempotency_Key="k1"))[0])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(publish())

    assert set(statuses) <= {202, 409}
    assert 202 in statuses
    _, page = await desk.call("GET", "/v1/outbox")
    assert len(page["items"]) == 1


async def test_without_an_idempotency_key_nothing_is_taken(running: Exchange) -> None:
    status, problem = await running.desks["chicago-pd"].call("POST", "/v1/bulletins", threat())

    assert (status, problem["code"]) == (400, "idempotency-key-missing")


ILLEGAL = [
    ({"status": "Exercise"}, "exercise-on-live-exchange"),
    ({"info_class": "criminal intelligence"}, "reasonable-suspicion-missing"),
    ({"portions": [portion("x", tlp="RED")]}, "red-without-named-persons"),
    ({"purpose": "civil immigration enforcement", "category": "narcotics"}, "nobody-permitted"),
    ({"surprise": 1}, "unknown-field"),
]


@pytest.mark.parametrize(("change", "code"), ILLEGAL, ids=[code for _, code in ILLEGAL])
async def test_an_illegal_submission_is_refused_with_its_reason_and_recorded(
    running: Exchange, change: dict[str, Any], code: str
) -> None:
    canary = "Q7ZK2M9XCANARYTEXT"
    document = threat(canary) | change

    status, problem = await running.desks["chicago-pd"].publish(document)

    assert (status, problem["code"]) == (422, code)
    assert canary not in json.dumps(problem)
    rows = running.nodes["chicago-pd"].store.read("SELECT detail FROM audit WHERE event = 'submission refused'")
    assert json.loads(rows[-1]["detail"])["code"] == code


async def test_a_refusal_by_the_rules_names_the_rules_that_blocked(running: Exchange) -> None:
    _, problem = await running.desks["chicago-pd"].publish(threat(purpose="civil immigration enforcement"))

    assert problem["code"] == "nobody-permitted"
    assert {rule for item in problem["withheld"] for rule in item["rules"]} == {"R04"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "not-json"),
        (b'{"kind":"bulletin","kind":"request"}', "duplicate-key"),
        (b'{"a":NaN}', "not-a-number"),
        (b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "too-deep"),
        (b"[" * 100_000, None),
        (b'"' + b"x" * 900_000 + b'"', "too-large"),
    ],
)
async def test_hostile_json_is_refused_with_a_code(running: Exchange, body: bytes, code: str | None) -> None:
    status, problem = await running.desks["chicago-pd"].call("POST", "/v1/bulletins", body, Idempotency_Key="k")

    assert 400 <= status < 500
    assert problem["code"] == code or code is None


async def test_a_dry_run_says_what_would_happen_and_changes_nothing(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]

    status, answer = await desk.call("POST", "/v1/bulletins?dry_run=true", threat())

    assert status == 200
    assert answer["audience"][0]["agency"] == "il-fusion"
    assert "id" not in answer
    _, page = await desk.call("GET", "/v1/outbox")
    assert page["items"] == []
    assert (await desk.accepted(threat()))["control_number"].endswith("-000001")


async def test_another_agencys_bulletin_is_not_there(running: Exchange) -> None:
    sent = await running.desks["chicago-pd"].accepted(threat())
    other = Desk(
        running.session, running.desks["springfield-pd"].url, running.desks["springfield-pd"].token, "springfield-pd"
    )
    await other.received(sent["id"])

    explained = await other.call("GET", f"/v1/explain?bulletin={sent['id']}&agency=peoria-pd")

    assert (explained[0], explained[1]["code"]) == (404, "not-found")


async def test_explain_says_why_and_why_not(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    sent = await desk.accepted(threat())

    _, shared = await desk.call("GET", f"/v1/explain?bulletin={sent['id']}&agency=springfield-pd")
    _, not_shared = await desk.call("GET", f"/v1/explain?bulletin={sent['id']}&agency=north-il-fusion")

    assert shared["portions"][0]["outcome"] == "shared"
    assert shared["portions"][0]["granted_by"] == ["R02"]
    assert not_shared["portions"][0]["outcome"] == "not shared"
    assert any("serves the area" in line for line in not_shared["portions"][0]["sentences"])
    assert [one["rule"] for one in shared["portions"][0]["others"]] == ["R02"]
    assert "springfield-pd" not in shared["portions"][0]["others"][0]["agencies"]
    assert not_shared["portions"][0]["ways"][0]["changes"][0]["name"] == "serves"


async def _events(desk: Desk, count: int, **headers: str) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named["Authorization"] = f"Bearer {desk.token}"
    async with asyncio.timeout(10), desk._session.get(desk.url + "/v1/events", headers=named) as stream:
        fields: dict[str, str] = {}
        async for raw in stream.content:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                found.append((fields["id"], fields["event"], json.loads(fields["data"])))
                fields = {}
                if len(found) == count:
                    return found
            else:
                fields = {}
    return found


async def test_events_come_again_until_they_are_confirmed_and_then_not(running: Exchange) -> None:
    origin, desk = running.desks["chicago-pd"], running.desks["springfield-pd"]
    first = await origin.accepted(threat("one"))
    await desk.received(first["id"])

    once = await _events(desk, 1)
    twice = await _events(desk, 1)
    assert once == twice
    assert once[0][2]["bulletin"]["portions"][0]["content"] == "one"
    status, _ = await desk.call("POST", "/v1/events/confirm", {"cursor": once[0][0]})
    assert status == 204
    second = await origin.accepted(threat("two"))

    after = await _events(desk, 1)
    assert after[0][2]["id"] == second["id"]
    resumed = await _events(desk, 1, Last_Event_ID=once[0][0])
    assert resumed == after


async def test_confirming_an_event_is_a_fetched_receipt_at_the_originator(running: Exchange) -> None:
    origin, desk = running.desks["chicago-pd"], running.desks["springfield-pd"]
    sent = await origin.accepted(threat())
    await desk.received(sent["id"])
    ((cursor, _, _),) = await _events(desk, 1)

    await desk.call("POST", "/v1/events/confirm", {"cursor": cursor})

    async def fetched() -> bool:
        shown = await origin.bulletin(sent["id"])
        return any(item["agency"] == "springfield-pd" and "fetched" in item["rungs"] for item in shown["deliveries"])

    assert await eventually(fetched)


async def test_status_shows_what_waits_while_a_recipient_is_away(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    await desk.accepted(threat())

    async def waiting() -> dict[str, Any] | None:
        _, shown = await desk.call("GET", "/v1/status")
        return shown if shown["queue"]["waiting"] == 3 else None

    shown = await eventually(waiting)
    assert shown["queue"]["oldest"] is not None
    assert shown["relay"]["connected"] is True


async def test_metrics_are_prometheus_text_without_ids(running: Exchange) -> None:
    desk = running.desks["chicago-pd"]
    sent = await desk.accepted(threat("SECRETWORDS"))

    status, text = await desk.call("GET", "/metrics")

    assert status == 200
    assert "tearline_bulletins_submitted_total" in text
    assert sent["id"] not in text
    assert "SECRETWORDS" not in text


async def test_a_revoked_token_receives_nothing_more_over_a_stream_that_stands(running: Exchange) -> None:
    origin, desk = running.desks["chicago-pd"], running.desks["springfield-pd"]
    settings = running.nodes["springfield-pd"].settings
    token, grant = create(settings.tokens, agency="springfield-pd", scopes=("read",), name="stolen")
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(10), running.session.get(desk.url + "/v1/events", headers=headers) as stream:
        await stream.content.readuntil(b"\n\n")
        revoke(settings.tokens, grant.id)
        sent = await origin.accepted(threat("after the revocation"))
        await desk.received(sent["id"])

        rest = await stream.content.read()

    assert b"after the revocation" not in rest


async def test_a_cursor_of_another_store_is_refused(running: Exchange) -> None:
    status, problem = await running.desks["chicago-pd"].call("GET", "/v1/events", Last_Event_ID="effff")

    assert (status, problem["code"]) == (400, "cursor-unknown")
