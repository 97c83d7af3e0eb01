"""The adapter as a process beside a gateway: what goes through the folder, and what kill -9 does to it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - a seeded choice of moments

import pytest
from watchfiles import awatch

from tests.adapters import exchange
from tests.adapters.fake_gateway import TOKEN

BOLO = json.loads((exchange.EXAMPLES / "il-state-police" / "officer-safety-bolo.json").read_bytes())


class Adapter:
    def __init__(self, root: Path, gateway, agency: str = "chicago-pd") -> None:
        self.root, self.gateway = root, gateway
        self.config = root / "adapter.toml"
        text = (exchange.EXAMPLES / agency / "adapter.toml").read_text().replace("http://127.0.0.1:7443", gateway.url)
        self.config.write_text("settle_seconds = 0.05\npatience_seconds = 0.5\n" + text)
        token = root / "token"
        token.touch(mode=0o600)
        token.write_text(TOKEN)
        self.module = f"adapters.{exchange.kind_of(agency).name.replace('-', '_')}"
        self.process = None
        gateway.agency = agency
        (root / "feed" / "in").mkdir(parents=True)
        (root / "feed" / "ack").mkdir()

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, str(self.config), cwd=exchange.ROOT, stderr=asyncio.subprocess.PIPE
        )

    async def until_logged(self, event: str) -> None:
        async with asyncio.timeout(20):
            while event not in (line := (await self.process.stderr.readline()).decode()):
                assert line, "the adapter ended"

    async def end(self, number=signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(10):
            _, rest = await self.process.communicate()
        self.rest = rest.decode()
        return self.process.returncode

    def drop(self, name: str, content, folder: str = "in") -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        partial = self.root / "feed" / folder / f"{name}.part"
        partial.write_bytes(raw)
        partial.rename(partial.with_name(name))

    def names(self, folder: str) -> set[str]:
        path = self.root / "feed" / folder
        return {item.name for item in path.iterdir() if item.is_file()} if path.exists() else set()

    async def until(self, condition, seconds: float = 20) -> None:
        """Look again whenever something changes below the folder."""
        async with asyncio.timeout(seconds):
            changes = awatch(self.root / "feed", debounce=20, step=10, rust_timeout=200, yield_on_timeout=True)
            while not condition():
                await anext(changes)
            await changes.aclose()


@asynccontextmanager
async def running(tmp_path, gateway, agency="chicago-pd"):
    adapter = Adapter(tmp_path, gateway, agency)
    await adapter.start()
    try:
        yield adapter
    finally:
        await adapter.end(signal.SIGKILL)


async def test_a_911_call_becomes_one_bulletin_and_the_file_ends_in_done(tmp_path, gateway):
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("call.json", (exchange.EXAMPLES / "chicago-pd" / "911-mayor-residence.eido.json").read_bytes())
        await adapter.until(lambda: "call.json" in adapter.names("done"))
        assert await adapter.end() == 0

    (bulletin,) = gateway.bulletins.values()
    assert bulletin["body"]["product"] == "THREAT"
    answer = json.loads((tmp_path / "feed" / "done" / "call.json.answer.json").read_bytes())
    assert answer["id"] == bulletin["id"]
    assert adapter.names("claimed/in") == adapter.names("in") == set()
    assert bulletin["body"]["portions"][1]["content"] not in adapter.rest


async def test_what_the_gateway_refuses_ends_in_refused_with_the_reason_beside_it(tmp_path, gateway):
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("bad.json", {**BOLO, "info_class": "criminal intelligence"})
        adapter.drop("worse.xml", b"<!DOCTYPE a><a/>")
        await adapter.until(lambda: {"bad.json", "worse.xml"} <= adapter.names("refused"))

    reason = json.loads((tmp_path / "feed" / "refused" / "bad.json.reason.json").read_bytes())
    assert (reason["code"], reason["pointer"]) == ("reasonable-suspicion-missing", "/reasonable_suspicion")
    reason = json.loads((tmp_path / "feed" / "refused" / "worse.xml.reason.json").read_bytes())
    assert reason["code"] == "doctype"


async def test_an_unreachable_gateway_is_waited_for(tmp_path, gateway):
    gateway.down = True
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("a.json", BOLO)
        await adapter.until(lambda: any(name.endswith(".submission.json") for name in adapter.names("claimed/in")))
        gateway.down = False
        await adapter.until(lambda: "a.json" in adapter.names("done"), seconds=40)
    assert len(gateway.bulletins) == 1


async def test_a_refused_token_refuses_no_file(tmp_path, gateway):
    gateway.unauthorised = True
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("a.json", BOLO)
        await adapter.until_logged("unauthorized")
        assert adapter.names("refused") == set()
        gateway.unauthorised = False
        await adapter.until(lambda: "a.json" in adapter.names("done"), seconds=40)


async def test_kill_9_between_the_submission_and_its_answer_makes_one_bulletin(tmp_path, gateway):
    gateway.hold = asyncio.Event()
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("a.json", BOLO)
        async with asyncio.timeout(20):
            await gateway.publishing.wait()
        await adapter.end(signal.SIGKILL)
        gateway.hold = None
        await adapter.start()
        await adapter.until(lambda: "a.json" in adapter.names("done"))

    assert len(gateway.bulletins) == 1
    assert len(gateway.keys) == 1


async def test_kill_9_at_random_moments_loses_no_file_and_takes_none_twice(tmp_path, gateway):
    chance = Random(20261122)
    gateway.lose_answer_of_next = 3
    async with running(tmp_path, gateway) as adapter:
        for number in range(40):
            portion = BOLO["portions"][0] | {"content": f"number {number}"}
            adapter.drop(f"{number}.json", {**BOLO, "portions": [portion]})
        for _ in range(6):
            target = min(len(gateway.bulletins) + chance.randrange(1, 6), 40)
            await gateway.until(lambda target=target: len(gateway.bulletins) >= target)
            await asyncio.sleep(chance.random() * 0.02)
            await adapter.end(signal.SIGKILL)
            await adapter.start()
        await adapter.until(lambda: len(adapter.names("done")) == 80, seconds=40)

    texts = [item["body"]["portions"][0]["content"] for item in gateway.bulletins.values()]
    assert sorted(texts) == sorted(f"number {number}" for number in range(40))
    assert adapter.names("in") == adapter.names("claimed/in") == adapter.names("refused") == set()


async def test_a_flash_file_goes_before_routine_ones_that_wait(tmp_path, gateway):
    gateway.down = True
    async with running(tmp_path, gateway) as adapter:
        for number in range(5):
            portion = BOLO["portions"][0] | {"content": f"number {number}"}
            adapter.drop(f"{number}.json", {**BOLO, "precedence": "ROUTINE", "portions": [portion]})
        adapter.drop("z.json", {**BOLO, "precedence": "FLASH"})
        await adapter.until(lambda: len(adapter.names("claimed/in")) == 12)
        await adapter.end(signal.SIGKILL)
        gateway.down = False
        await adapter.start()
        await adapter.until(lambda: "z.json" in adapter.names("done"))
        await adapter.until(lambda: len(adapter.names("done")) == 12)
    assert next(iter(gateway.bulletins.values()))["body"]["precedence"] == "FLASH"


def received(number: int) -> dict:
    body = exchange.example("il-state-police/officer-safety-bolo.json").body
    return {
        "id": f"018f0000-0000-7000-8000-00000000000{number}",
        "control_number": f"IL-STATE-POLICE-2026-00000{number}",
        "from": "il-state-police",
        "created": "2026-11-22T09:00:00Z",
        **body,
    }


async def test_events_become_files_and_are_confirmed_after_they_are_written(tmp_path, gateway):
    one = received(1)
    async with running(tmp_path, gateway) as adapter:
        await gateway.emit("bulletin", {"id": one["id"], "bulletin": one})
        await gateway.until(lambda: gateway.confirmed == ["c1"])
        stem = f"{one['control_number']}_{one['id']}"
        assert adapter.names("out") == {f"{stem}.json", f"{stem}.eido.json"}
        assert json.loads((tmp_path / "feed" / "out" / f"{stem}.json").read_bytes()) == one

        await gateway.emit("recall", {"id": one["id"], "reason": "wrong plate"})
        await gateway.until(lambda: gateway.confirmed == ["c1", "c2"])
        assert adapter.names("out") == {f"{one['id']}.recall.json"}


async def test_kill_9_before_the_confirmation_gives_the_event_again_and_the_same_files(tmp_path, gateway):
    gateway.cut_after = 1
    async with running(tmp_path, gateway) as adapter:
        for number in range(1, 6):
            await gateway.emit("bulletin", {"id": received(number)["id"], "bulletin": received(number)})
        await gateway.until(lambda: len(gateway.confirmed) >= 2)
        await adapter.end(signal.SIGKILL)
        gateway.cut_after = None
        await adapter.start()
        await gateway.until(lambda: gateway.confirmed[-1] == "c5")
    assert len(adapter.names("out")) == 10


async def test_receipts_are_read_back_and_climb(tmp_path, gateway):
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("a.json", BOLO)
        await adapter.until(lambda: "a.json" in adapter.names("done"))
        (identifier,) = gateway.bulletins
        for rung, person in (("stored", ""), ("acknowledged", "Sgt. B"), ("fetched", "")):
            await gateway.emit(
                "receipt", {"id": identifier, "recipient": "cook-sheriff", "rung": rung, "person": person}
            )
        await gateway.until(lambda: gateway.confirmed[-1:] == ["c3"])
    record = json.loads((tmp_path / "feed" / "sent" / f"{identifier}.json").read_bytes())
    assert record["recipients"] == {"cook-sheriff": {"rung": "acknowledged", "person": "Sgt. B"}}


async def test_a_person_acknowledges_by_a_file_that_names_the_control_number(tmp_path, gateway):
    gateway.inbox = [{"id": "018f0000-0000-7000-8000-00000000000a", "control_number": "IL-FUSION-2026-000007"}]
    async with running(tmp_path, gateway) as adapter:
        drop = {"bulletin": "IL-FUSION-2026-000007", "rung": "acknowledged", "person": "Lt. C", "note": "patrol told"}
        adapter.drop("r.json", drop, folder="ack")
        adapter.drop("s.json", {**drop, "bulletin": "IL-FUSION-2026-000008"}, folder="ack")
        await adapter.until(lambda: "r.json" in adapter.names("done") and "s.json" in adapter.names("refused"))
    assert gateway.receipts == [
        ("018f0000-0000-7000-8000-00000000000a", {"rung": "acknowledged", "person": "Lt. C", "note": "patrol told"})
    ]


async def test_a_cap_update_and_cancel_reach_the_bulletin_of_the_alert(tmp_path, gateway):
    raw = (exchange.EXAMPLES / "springfield-pd" / "missing-person.cap.xml").read_bytes()
    earlier = b"dispatch@springfield-pd.example,SPD-2026-11-22-0007,2026-11-22T02:20:00-06:00"
    reference = b"</scope><references>" + earlier + b"</references>"
    async with running(tmp_path, gateway, "springfield-pd") as adapter:
        adapter.drop("1.xml", raw)
        await adapter.until(lambda: "1.xml" in adapter.names("done"))
        adapter.drop(
            "2.xml",
            raw.replace(b">Alert<", b">Update<").replace(b"</scope>", reference).replace(b"0007</id", b"0008</id"),
        )
        await adapter.until(lambda: {"2.xml"} & (adapter.names("done") | adapter.names("refused")))
        adapter.drop(
            "3.xml",
            raw.replace(b">Alert<", b">Cancel<").replace(b"</scope>", reference).replace(b"0007</id", b"0009</id"),
        )
        await adapter.until(lambda: "3.xml" in adapter.names("done"))

    first, second = gateway.bulletins.values()
    assert second["body"]["kind"] == "correction"
    assert second["body"]["references"] == {"supersedes": first["id"]}
    assert [(bulletin, body["reason"]) for bulletin, body, _ in gateway.recalls] == [
        (first["id"], "cancelled by its sender")
    ]


async def test_an_answer_names_its_question_by_control_number(tmp_path, gateway):
    gateway.inbox = [{"id": "018f0000-0000-7000-8000-00000000000a", "control_number": "SPRINGFIELD-PD-2026-000001"}]
    async with running(tmp_path, gateway, "il-fusion") as adapter:
        adapter.drop("a.json", (exchange.EXAMPLES / "il-fusion" / "rfi-answer.json").read_bytes())
        await adapter.until(lambda: "a.json" in adapter.names("done"))
    (bulletin,) = gateway.bulletins.values()
    assert bulletin["body"]["references"]["in_reply_to"] == "018f0000-0000-7000-8000-00000000000a"


@pytest.mark.parametrize("mode", [0o644, 0o660])
async def test_a_token_that_others_can_read_stops_the_start(tmp_path, gateway, mode):
    adapter = Adapter(tmp_path, gateway)
    (tmp_path / "token").chmod(mode)
    await adapter.start()
    _, errors = await adapter.process.communicate()
    assert adapter.process.returncode == 2
    assert b"token-too-open" in errors


async def test_kill_9_between_a_recall_and_its_answer_still_ends_in_done(tmp_path, gateway):
    identifier = "018f0000-0000-7000-8000-00000000000a"
    gateway.recalled.add(identifier)
    recall = {"kind": "recall", "references": {"recalls": identifier}, "reason": "wrong plate"}
    async with running(tmp_path, gateway) as adapter:
        adapter.drop("a.json", recall)
        await adapter.until(lambda: "a.json" in adapter.names("done"))
    assert adapter.names("refused") == set()
