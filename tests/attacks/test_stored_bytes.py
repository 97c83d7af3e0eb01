"""What lies on disks: no free text of any bulletin anywhere, no marking, category or agency name at the relay."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from broker.model import Tlp
from broker.ops import log
from policy import parse_agencies, parse_vocabulary
from tests.attacks.ground import CHICAGO, CITY, FUSION, STATE
from tests.gateway.documents import later, portion, threat
from tests.gateway.exchange import GATEWAYS, Exchange, eventually, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

# One for each field that takes somebody's own words, and what it is called when it is found.
FIELDS = (
    "content of the full text", "content of the tearline", "content of a JSON portion", "control official",
    "named person", "suspicion crime", "suspicion basis", "suspicion officer", "sar facts", "sar submitter",
    "sar reviewer", "source format", "source lost", "recall reason", "receipt person", "receipt note",
    "refused content", "refused official", "refused member", "protectee", "correction content", "idempotency",
)  # fmt: skip


def canary(field: str) -> str:
    """Letters that occur nowhere else: some 80 bits, the same in every run."""
    digest = base64.b32encode(hashlib.sha256(f"canary {field}".encode()).digest()).decode()
    return digest[:20].lower()


def shapes(text: str) -> Iterator[bytes]:
    """The text as it stands, and as encodings would hide it; base64 at each of its three alignments."""
    raw = text.encode()
    yield from (raw, raw.upper(), text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode())
    yield raw.hex().upper().encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        yield whole[4 if shift else 0 : -4]
    yield base64.b32encode(raw)[:-8]
    yield raw[::-1]


def found_in(folder: Path, needles: dict[str, list[bytes]]) -> set[tuple[str, str]]:
    """Which needle stands in which file."""
    hits = set()
    for path in folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            hits |= {(name, path.name) for name, forms in needles.items() if any(form in raw for form in forms)}
    return hits


NEEDLES = {field: list(shapes(canary(field))) for field in FIELDS}


def documents() -> list[dict[str, Any]]:
    """Bulletins that between them fill every free-text field there is."""
    full = threat(
        control_official=canary("control official"),
        named=[{"agency": CITY, "person": canary("named person")}],
        info_class="investigative",
        reasonable_suspicion={
            "crime": canary("suspicion crime"),
            "basis": canary("suspicion basis"),
            "officer": canary("suspicion officer"),
            "date": later(days=-2)[:10],
        },
        sar={
            "behaviors": ["photography"],
            "articulable_facts": canary("sar facts"),
            "submitter": canary("sar submitter"),
            "reviewer": canary("sar reviewer"),
        },
        source_document={"format": canary("source format"), "sha256": "0" * 64, "lost": [canary("source lost")]},
        area={"counties": ["17167"], "polygon": "38.47,-120.14 38.34,-119.95 38.52,-119.74 38.47,-120.14"},
        due=later(seconds=2),
        portions=[
            portion(canary("content of the full text"), caveats=["LES"]),
            portion(canary("content of the tearline"), ident="t1", tlp="GREEN", version="tearline"),
            portion(json.dumps({"note": canary("content of a JSON portion")}), ident="p2")
            | {"media_type": "application/json"},
        ],
    )
    return [full, threat("for somebody", protectee=f"official-{canary('protectee')}")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lived(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Exchange, str]]:
    """An exchange that has seen a bulletin's whole life, with one gateway down so that the relay still holds some."""
    folder = tmp_path_factory.mktemp("stored")
    words = io.StringIO()
    log.configure(stream=words, debug=True)
    async with exchange(folder, CHICAGO, CITY, STATE, FUSION, "springfield-mayor", retry_seconds=[2.0]) as running:
        origin, city = running.desks[CHICAGO], running.desks[CITY]
        await running.stop_gateway(FUSION)
        sent = [
            await origin.accepted(document | {"agency": CHICAGO}) for document in documents()
        ]  # the key of each is a canary, too
        status, first = await origin.publish(documents()[0], key=canary("idempotency"))
        assert status == 202, first
        for agency in (CITY, STATE):
            await running.desks[agency].received(sent[0]["id"])
        receipt = {"rung": "acknowledged", "person": canary("receipt person"), "note": canary("receipt note")}
        assert (await city.call("POST", f"/v1/bulletins/{sent[0]['id']}/receipts", receipt))[0] == 202
        acknowledged = "SELECT 1 FROM deliveries WHERE acknowledged IS NOT NULL"
        await eventually(lambda: running.nodes[CHICAGO].store.read(acknowledged))
        escalated = "SELECT 1 FROM events WHERE event = 'escalation'"
        await eventually(lambda: running.nodes[STATE].store.read(escalated))
        narrower = threat(portions=[portion(canary("correction content"), caveats=["LES"])])
        status, corrected = await origin.call(
            "POST", f"/v1/bulletins/{sent[0]['id']}/correct", narrower, Idempotency_Key="correct"
        )
        assert status == 202, corrected
        status, _ = await origin.call(
            "POST", f"/v1/bulletins/{corrected['id']}/recall", {"reason": canary("recall reason")}
        )
        assert status == 202
        purged = "SELECT 1 FROM bulletins WHERE role = 'recipient' AND recalled IS NOT NULL"
        await eventually(lambda: running.nodes[CITY].store.read(purged))
        refused = threat(
            canary("refused content"), control_official=canary("refused official"), **{canary("refused member"): 1}
        )
        assert (await origin.publish(refused))[0] == 422
        yield running, words.getvalue()
    structlog.reset_defaults()


async def test_every_field_was_really_planted(lived: tuple[Exchange, str]) -> None:
    planted = json.dumps(documents())
    elsewhere = {"recall reason", "receipt person", "receipt note", "correction content", "idempotency"}
    elsewhere |= {"refused content", "refused official", "refused member"}
    assert {field for field in FIELDS if canary(field) not in planted} == elsewhere
    shown = await lived[0].desks[CHICAGO].call("GET", "/v1/outbox")
    assert len(shown[1]["items"]) >= 4


async def test_the_scan_finds_what_rests_in_the_clear(tmp_path: Path) -> None:
    for number, form in enumerate(shapes(canary("control official"))):
        (tmp_path / f"{number}").write_bytes(b"before" + form + b"after")
    assert len(found_in(tmp_path, NEEDLES)) == number + 1


async def test_no_free_text_of_any_bulletin_rests_anywhere(lived: tuple[Exchange, str]) -> None:
    running, _ = lived
    scanned = [path for path in running.folder.rglob("*") if path.is_file()]
    assert {"gateway.sqlite", "gateway.sqlite-wal"} <= {path.name for path in scanned}
    assert any(path.suffix == ".blk" and path.stat().st_size for path in scanned)

    # The key of a request is the adapter's own, kept for a day so that a repeat is recognised.
    assert {hit for hit in found_in(running.folder, NEEDLES) if hit[0] != "idempotency"} == set()


async def test_no_free_text_of_any_bulletin_is_in_a_log(lived: tuple[Exchange, str]) -> None:
    assert "gateway" in lived[1] or "release" in lived[1]
    assert [field for field in FIELDS if canary(field) in lived[1].lower()] == []


async def test_the_relays_disk_names_no_agency_marking_category_or_product(lived: tuple[Exchange, str]) -> None:
    """Excluded, and nothing else: gateways' names where NATS needs them, in subjects and as names of consumers.

    So a subject is cut out wherever it stands whole; in the consumers' own state and in the accounts file, which hold
    no message, gateways' names are allowed. Words of fewer than five letters are not looked for: in a megabyte of
    ciphertext they would be found by chance.
    """
    running, _ = lived
    vocabulary = parse_vocabulary(running.vocabulary_text, source="vocabulary.yaml")
    words = {value for attribute in vocabulary.bulletin.values() for value in attribute.values}
    words |= {f"TLP:{label}" for label in Tlp} | {str(label) for label in Tlp} | {"person", "officer", "content"}
    agencies = set(parse_agencies(running.agencies_text, vocabulary, source="agencies.yaml"))
    words = {word for word in words | agencies if len(word) >= 5} - {"tearline"}  # the exchange software's own name
    assert {"threat to a public official", "THREAT", "AMBER", CITY, "jttf-springfield"} <= words
    subject = re.compile(rb"env\.[a-z0-9-]+\.[a-z0-9-]+\.[A-Z]+|release\.[a-z]+\.[0-9]+|report\.[a-z0-9-]+")
    gateway = re.compile("|".join(sorted(GATEWAYS, key=len, reverse=True)).encode())

    hits = set()
    for path in (running.folder / "nats").rglob("*"):
        if not path.is_file():
            continue
        raw = subject.sub(b"", path.read_bytes())
        if path.suffix != ".blk":
            raw = gateway.sub(b"", raw)
        hits |= {(word, path.name) for word in words if word.encode() in raw}
    assert hits == set()
    stored = b"".join(path.read_bytes() for path in (running.folder / "nats").rglob("*.blk"))
    assert b"env.chicago-pd.il-fusion.FLASH" in stored, "something was there to be looked at"
