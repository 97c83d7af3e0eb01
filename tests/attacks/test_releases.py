"""Who is who changes: revoked and suspended agencies, gateways that are late or early with releases, a rising floor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.gateway import releases
from broker.seal import AgencyKeys, Claim, Witness, make_receipts
from broker.trust import Entry, TrustStore, new_agency_keys
from tests.attacks.ground import (
    CHICAGO,
    CITY,
    Relay,
    Twist,
    bend,
    copy_of,
    only,
    recorded,
    refusals,
    refused,
    send_receipts,
    tap,
    times,
)
from tests.gateway.documents import threat
from tests.gateway.exchange import HOME, Exchange, clock, eventually, exchange


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, CHICAGO, CITY, retry_seconds=[1.0]) as started:
        yield started


OFFER = TrustStore.offer


def revoked(entry: Entry) -> Entry:
    return replace(entry, public=replace(entry.public, revoked=True))


def suspended(entry: Entry) -> Entry:
    return replace(entry, attributes={**entry.attributes, "status": "suspended"})


def hold_back(monkeypatch: pytest.MonkeyPatch, *late: TrustStore) -> list[bytes]:
    """New releases reach every gateway but these, which the relay keeps waiting; what it keeps from them."""
    kept: list[bytes] = []

    def offered(store: TrustStore, raw: bytes, **when: Any) -> Any:
        if any(store is one for one in late):
            kept.append(raw)
            return None
        return OFFER(store, raw, **when)

    monkeypatch.setattr(TrustStore, "offer", offered)
    return kept


async def known_by(running: Exchange, *gateways: str) -> None:
    """Returns when the newest releases are in force at these gateways."""
    rules, directory = running.authority.staged_rules, running.authority.staged_directory
    assert rules is not None
    assert directory is not None
    for gateway in gateways:
        trust = running.nodes[gateway].trust
        await eventually(
            lambda trust=trust: (trust.rules.number, trust.directory.number) == (rules.number, directory.number)
        )


async def test_what_a_revoked_agency_signs_is_refused_whatever_date_it_wears(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY), draft=lambda draft: draft))
    hold_back(monkeypatch, running.nodes[CHICAGO].trust)
    await running.stop_gateway(CITY)
    # Made, dated and on the relay before the revocation; not drawn before it.
    before = await running.desks[CHICAGO].accepted(threat("from before"))
    await Relay(running).waits("HOT", CITY)
    await running.release_directory(chicago_pd=revoked)
    # The city starts from what it has, draws the release, and only then the bulletin.
    city = await running.start_gateway(CITY, relay=["nats://127.0.0.1:1"])
    city.trust.offer(running.authority.sealed("directory", 2), now=clock())
    await running.stop_gateway(CITY)
    city = await running.start_gateway(CITY)
    after = await running.desks[CHICAGO].accepted(threat("from after"))

    await eventually(lambda: refusals(city, "deliver", "revoked-signer") >= 2)
    await eventually(lambda: recorded(city, "envelope refused", code="revoked-signer"))
    assert await times(running, CITY, before["id"]) == await times(running, CITY, after["id"]) == 0


async def test_receipts_of_a_revoked_agency_are_refused_and_nothing_more_is_sent_to_it(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))
    sent = await running.desks[CHICAGO].accepted(threat("read me"))
    await running.desks[CHICAGO].delivered(sent["id"])
    copy, city, chicago = copy_of(running, CITY, sent["id"]), running.nodes[CITY], running.nodes[CHICAGO]
    witness = Witness.decode(
        city.vault.open(CITY, copy["storage_key"], copy["keyring_sealed"], "keyring", bytes(copy["id"]))
    )
    await running.stop_gateway(CITY)
    waiting = await running.desks[CHICAGO].accepted(threat("on its way when the city is revoked"))

    await running.release_directory(springfield_pd=revoked)
    await known_by(running, CHICAGO)
    # The relay lets nothing of the city through any more, so a friend of its carries the receipt.
    claim = Claim(rung="acknowledged", seq=7, time=clock(), person="Sgt. Revoked")
    kem = running.keys[CHICAGO].public().kem[0]
    batch = make_receipts(running.keys[CITY].signing, CITY, kem, CHICAGO, [(witness, claim)])
    await send_receipts(running, CHICAGO, CHICAGO, batch)

    await eventually(lambda: refusals(chicago, "deliver", "receipt-revoked"))
    shown = await running.desks[CHICAGO].bulletin(sent["id"])
    assert "acknowledged" not in shown["deliveries"][0]["rungs"]
    seen = tap(monkeypatch, chicago)

    async def given_up() -> bool:
        line = (await running.desks[CHICAGO].bulletin(waiting["id"]))["deliveries"][0]
        return (line["state"], line["code"]) == ("refused", "recipient-revoked")

    await eventually(given_up)
    assert [one for one in seen if f".{HOME[CITY]}." in one.subject] == []


async def test_a_suspended_agency_gets_nothing_by_r10_alone(running: Exchange) -> None:
    await running.release_directory(springfield_pd=suspended)
    await known_by(running, CHICAGO, CITY)

    sent = await running.desks[CHICAGO].accepted(threat("for its protectors"))

    assert CITY not in {item["agency"] for item in sent["audience"]}
    assert {"agency": CITY, "portion": "p1", "rules": ["R10"]} in sent["withheld"]
    explained = (await running.desks[CHICAGO].call("GET", f"/v1/explain?bulletin={sent['id']}&agency={CITY}"))[1]
    assert [portion["blocked_by"] for portion in explained["portions"]] == [["R10"]]


async def test_a_bulletin_decided_under_a_newer_directory_waits_for_it(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _waits(running, monkeypatch, "newer-directory", running.release_directory)


async def test_a_bulletin_decided_under_newer_rules_waits_for_them(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def release() -> None:
        await running.release_rules(running.rules_text)

    await _waits(running, monkeypatch, "newer-rules", release)


async def _waits(running: Exchange, monkeypatch: pytest.MonkeyPatch, code: str, release: Any) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))
    city = running.nodes[CITY]
    kept = hold_back(monkeypatch, city.trust)
    await release()
    await known_by(running, CHICAGO)

    sent = await running.desks[CHICAGO].accepted(threat("under the newest of all"))
    await eventually(lambda: refusals(city, "deliver", code))
    assert await times(running, CITY, sent["id"]) == 0
    await eventually(lambda: kept)
    monkeypatch.undo()
    for raw in kept:
        await releases._offer(city, raw)

    assert (await running.desks[CITY].received(sent["id"]))["portions"][0]["content"] == "under the newest of all"
    assert recorded(city, "envelope refused") == []


async def test_a_sender_whose_keys_are_newer_than_my_directory_waits_too(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))
    city, chicago = running.nodes[CITY], running.nodes[CHICAGO]
    kept = hold_back(monkeypatch, city.trust)
    fresh = new_agency_keys(CHICAGO)

    def rotated(entry: Entry) -> Entry:
        return replace(entry, public=replace(entry.public, signing=fresh.public().signing))

    await running.release_directory(chicago_pd=rotated)
    await known_by(running, CHICAGO)
    both = AgencyKeys(agency=CHICAGO, signing=fresh.signing, kem=chicago.keys[CHICAGO].kem)
    monkeypatch.setitem(chicago.keys, CHICAGO, both)  # type: ignore[arg-type]

    sent = await running.desks[CHICAGO].accepted(threat("signed with new keys"))
    await eventually(lambda: refusals(city, "deliver", "newer-directory"))
    assert recorded(city, "envelope refused") == []
    await eventually(lambda: kept)
    monkeypatch.setattr(TrustStore, "offer", OFFER)
    for raw in kept:
        await releases._offer(city, raw)

    assert (await running.desks[CITY].received(sent["id"]))["from"] == CHICAGO


async def test_rules_below_the_floor_decide_nothing_any_more(
    running: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    bend(monkeypatch, Twist(audience=only(CITY)))
    # A gateway that pretends not to have heard of the narrowing release goes on sharing by the old one.
    hold_back(monkeypatch, running.nodes[CHICAGO].trust)
    await running.release_rules(running.rules_text, floor=2)
    await known_by(running, CITY)

    sent = await running.desks[CHICAGO].accepted(threat("by the old rules"))

    assert await refused(running, CHICAGO, CITY, sent["id"]) == "rules-floor"
