"""From the second signature to in force at every gateway: a change, a rollback, and an emergency that one signs."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bench.exchange import GATEWAYS, Exchange, Say, exchange, quantile
from broker.officer import desk, proposal
from broker.officer.signers import load_officer
from broker.ops.clock import now
from broker.trust import Accepted, OfficerKeys, TrustStore

_PATIENCE_SECONDS = 60.0
_NEVER = """- rule: E{number:02d} Nothing on cyber to the {kind}
  effect: never
  when: {{category: cyber}}
  to:
  - kind: {kind}
  because: order of the duty officer

# Locked section"""
_KINDS = ("county sheriff", "campus police", "tribal police", "transit police")


def run(*, rounds: int = 5, say: Say = lambda _: None) -> dict[str, Any]:
    """Measure so many changes and rollbacks, and one emergency, on five gateways and a hub."""
    return asyncio.run(_run(rounds, say))


async def _run(rounds: int, say: Say) -> dict[str, Any]:
    async with exchange(GATEWAYS, say) as running:
        store = TrustStore(running.ground.folder / "releases", running.ground.root)
        await _reached(running, 1)
        avery, blake = (_officer(running, person) for person in ("officer-avery", "officer-blake"))
        changes, rollbacks = [], []
        for count in range(rounds):
            say(f"change and rollback {count + 1} of {rounds} ...")
            changes.append(await _in_force(running, lambda: _changed(store, avery, blake)))
            rollbacks.append(await _in_force(running, lambda: _gone_back(store, avery, blake)))
        say("an emergency ...")
        emergency = await _in_force(running, lambda: _emergency(store, avery, rounds))
    return {
        "gateways": len(GATEWAYS),
        "change_seconds": {"p50": quantile(changes, 0.5), "max": max(changes)},
        "rollback_seconds": {"p50": quantile(rollbacks, 0.5), "max": max(rollbacks)},
        "emergency_seconds": emergency,
        "goals": {"rollback_seconds": 2.0, "emergency_seconds": 5.0},
    }


def _officer(running: Exchange, person: str) -> OfficerKeys:
    path = running.ground.folder / "keys" / "officers" / f"{person}.json"
    return load_officer(path, ask=lambda _: "", allow_example=True)


def _changed(store: TrustStore, author: OfficerKeys, approver: OfficerKeys) -> Callable[[], Accepted]:
    rules = store.staged_rules
    assert rules is not None
    text = rules.rules_text.replace("acknowledge within: 30 minutes", "acknowledge within: 20 minutes")
    return _approval(store, desk.change_of_rules(store, rules.vocabulary_text, text, quorum=60), author, approver)


def _gone_back(store: TrustStore, author: OfficerKeys, approver: OfficerKeys) -> Callable[[], Accepted]:
    return _approval(store, desk.rollback(store, "rules", 1, quorum=60), author, approver)


def _approval(
    store: TrustStore, change: desk.Change, author: OfficerKeys, approver: OfficerKeys
) -> Callable[[], Accepted]:
    """Everything but the second signature is done before the clock starts."""
    proposed = desk.propose(store, change, author=author, now=now())
    return lambda: proposal.release(proposal.approve(proposed, store=store, approver=approver), store=store, now=now())


def _emergency(store: TrustStore, author: OfficerKeys, number: int) -> Callable[[], Accepted]:
    rules = store.staged_rules
    assert rules is not None
    never = _NEVER.format(number=number, kind=_KINDS[number % len(_KINDS)])
    text = rules.rules_text.replace("# Locked section", never, 1)
    return lambda: desk.emergency(store, rules.vocabulary_text, text, author=author, now=now())[1]


async def _in_force(running: Exchange, prepare: Callable[[], Callable[[], Accepted]]) -> float:
    """Seconds from the last signature to the last gateway, by the time each says it changed."""
    sign = prepare()
    began = now()
    number = sign().number
    since = await _reached(running, number)
    return round((since - began).total_seconds(), 3)


async def _reached(running: Exchange, number: int) -> datetime:
    """When the last gateway had these rules in force."""
    last = None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for client in {
            running.ground.members[agency].gateway: client for agency, client in running.clients.items()
        }.values():
            while True:
                present = (await client.releases())["in_force"]["rules"]
                if present is not None and present["number"] >= number:
                    break
                await asyncio.sleep(0.05)
            since = datetime.fromisoformat(present["since"])
            last = since if last is None else max(last, since)
    assert last is not None
    return last


if __name__ == "__main__":
    print(json.dumps(run()))
