"""The path of a bulletin: submitted, decided, sealed, relayed, delivered, receipted; over real parts."""

from __future__ import annotations

from pathlib import Path

from tests.gateway.documents import threat
from tests.gateway.exchange import exchange


async def test_a_bulletin_reaches_those_the_rules_name_and_receipts_come_back(tmp_path: Path) -> None:
    async with exchange(tmp_path) as running:
        answer = await running.desks["chicago-pd"].accepted(threat("suspect named Nobody"))

        assert [item["agency"] for item in answer["audience"]] == [
            "il-fusion", "il-state-police", "jttf-springfield", "springfield-pd",
        ]  # fmt: skip
        for item in answer["audience"]:
            received = await running.desks[item["agency"]].received(answer["id"])
            assert received["portions"][0]["content"] == "suspect named Nobody"
            assert received["precedence"] == "FLASH"
        shown = await running.desks["chicago-pd"].delivered(answer["id"])
        assert shown["who_has_not"]["stored"] == []
        assert shown["who_has_not"]["acknowledged"] == [item["agency"] for item in answer["audience"]]
        for agency in ("jttf-chicago", "north-il-fusion", "springfield-mayor", "peoria-pd", "cook-sheriff"):
            assert await running.desks[agency].inbox() == []
