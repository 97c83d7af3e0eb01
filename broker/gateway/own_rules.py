"""An agency's own rules at its gateway: taken from its officer, reported to its officer, watched in between."""

from __future__ import annotations

import asyncio
import sqlite3
from functools import partial
from typing import Any

import structlog

from broker.gateway.bells import wait
from broker.gateway.clock import text, to_ms
from broker.gateway.core import Node
from broker.gateway.own_book import Effective
from broker.gateway.problems import ProblemError
from broker.gateway.refuse import LIES
from broker.gateway.tokens import Grant
from broker.store import audit, bulletins
from broker.trust import OwnRules, TrustError, read_own_rules

log = structlog.get_logger()

#: How often it is looked whether own rules have expired meanwhile.
WATCH_SECONDS = 60.0
#: What its highest number is kept under, apart from the files.
MARK = "own rules "
# Whose fault a refusal is; what is not here is what the document says.
_FORBIDDEN = frozenset({"bad-signature", "wrong-role"})
_CONFLICTS = frozenset({"rollback", "equivocation", "skipped-number", "fork"})


async def install(node: Node, grant: Grant, raw: bytes) -> dict[str, Any]:
    """Puts an agency's next own rules in force: what it submits from now on is decided under them.

    Raises:
        ProblemError: 403 (not signed by an officer of the agency), 409 (not the next one), 422, each with its code and
            recorded; 503 ``not-ready``.
    """
    agency = grant.agency
    async with node.own.changing:
        rules, directory, _ = node.in_force()
        directory = node.trust.staged_directory or directory
        if node.trust.root is None:
            raise ProblemError(503, "not-ready")
        try:
            own = read_own_rules(
                raw,
                agency=agency,
                directory=directory,
                root=node.trust.root,
                rules_at=node.trust.rules_at,
                in_force=node.trust.effective(rules, node.now()),
                known=node.own.known(agency),
                now=node.now(),
            )
            node.own.check_not_older(own)
        except TrustError as error:
            await _refused(node, agency, error)
            raise _problem(error) from error
        known = node.own.known(agency)
        if known is None or known.hash != own.hash:
            # The files say what is in force; after a crash from here on they are found and decided by.
            node.own.take(raw, own, directory=directory.number)
            await node.store.write(partial(_record, node, own))
            log.info("own rules in force", agency=agency, number=own.number)
    await refresh(node)
    return report(node, agency)


def report(node: Node, agency: str) -> dict[str, Any]:
    """An agency's own rules, how they read under the rules in force, and what is wrong with them.

    Raises:
        ProblemError: 503 ``not-ready``.
    """
    rules, _, _ = node.in_force()
    number = node.own.number(agency)
    if not number:
        return {"agency": agency, "number": 0, "rules": [], "troubles": []}
    found = node.own.effective(agency, node.trust.effective(rules, node.now()))
    return {
        "agency": agency,
        "number": number,
        "rules": [] if found.own is None else [rule.id for rule in found.own.ruleset.rules],
        "adapted": list(found.adapted),
        "not_for_recipients_of": {never: list(always) for never, always in found.blocked.items()},
        "troubles": list(found.troubles(node.now())),
        "beside": {"number": rules.number, "hash": rules.hash.hex()},
        **(_document(found.own) if found.own else {}),
    }


def _document(own: OwnRules) -> dict[str, Any]:
    return {
        "hash": own.hash.hex(),
        "signer": own.signer,
        "created": text(to_ms(own.created)),
        "expires": text(to_ms(own.expires)),
        "basis": {"number": own.basis[0], "hash": own.basis[1].hex()},
        "preview": own.preview.hex(),
        "text": own.text,
    }


async def run(node: Node) -> None:
    """Looks at every agency's own rules when a release comes into force and now and then, for ever."""
    await _catch_up(node)
    while True:
        bell = node.releases.listen()
        await refresh(node)
        await wait(bell, WATCH_SECONDS)


async def _catch_up(node: Node) -> None:
    """Records what a crash kept from being recorded when it came into force."""
    for agency in node.own.agencies:
        own = node.own.known(agency)
        if own is not None and own.number > bulletins.meta(node.store, MARK + agency):
            await node.store.write(partial(_record, node, own))


async def refresh(node: Node) -> None:
    """Reads own rules under what is in force now, before anything is decided by them; alarms about what is wrong."""
    for agency in node.own.agencies:
        try:
            rules, _, _, _ = node.deciding(agency)
        except ProblemError:
            return
        found = node.own.effective(agency, node.trust.effective(rules, node.now()))
        await _tell(node, agency, found)
        await asyncio.sleep(0)


async def _tell(node: Node, agency: str, found: Effective) -> None:
    troubles = found.troubles(node.now())
    before = node.own.told.get(agency, ())
    node.own.told[agency] = troubles
    for code in troubles:
        if code not in before:
            node.metrics.alarms.labels(code=code).inc()
            log.error("own rules need their officer", agency=agency, code=code)
    if troubles != before:
        detail = {"number": node.own.number(agency), "troubles": list(troubles)}
        await node.store.write(
            lambda connection: audit.record(
                connection, agency=agency, at=node.now_ms(), event="own rules judged", detail=detail
            )
        )


def _record(node: Node, own: OwnRules, connection: sqlite3.Connection) -> None:
    bulletins.high_water(connection, MARK + own.agency, own.number)
    audit.record(
        connection,
        agency=own.agency,
        at=node.now_ms(),
        event="own rules in force",
        detail={
            "number": own.number,
            "hash": own.hash.hex(),
            "signer": own.signer,
            "basis": own.basis[0],
            "preview": own.preview.hex(),
        },
    )


async def _refused(node: Node, agency: str, error: TrustError) -> None:
    node.metrics.refused.labels(where="own rules", code=error.code).inc()
    if error.code in LIES:
        node.metrics.alarms.labels(code=error.code).inc()
    await node.store.write(
        lambda connection: audit.record(
            connection, agency=agency, at=node.now_ms(), event="own rules refused", detail={"code": error.code}
        )
    )


def _problem(error: TrustError) -> ProblemError:
    status = 403 if error.code in _FORBIDDEN else 409 if error.code in _CONFLICTS else 422
    return ProblemError(status, error.code, str(error))
