"""An exchange whose agencies have officers of their own, and what those sign."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.trust import Entry, Officer, OfficerKeys, OwnRules, new_officer_keys, sign_own_rules
from broker.trust.own import reopen_own_rules
from tests.gateway.exchange import Desk, Exchange, clock, eventually

#: Everybody whose own rules these tests install.
OFFICERS = {
    agency: new_officer_keys("pat", agency)
    for agency in ("il-state-police", "cook-sheriff", "lake-sheriff", "jttf-chicago")
}
KEEPS_FROM_THE_MAYOR = """policy: what the state police keep back
version: 1
rules:
- rule: OWN-1 Alerts are not for the mayor's office
  effect: never
  when: {product: CAP-ALERT}
  to:
  - kind: mayor's office
  because: General order 7
- rule: OWN-2 Alerts are kept for a week
  effect: require
  when: {product: CAP-ALERT}
  to: everyone
  with: {retain for: 7 days}
  because: General order 7
"""


async def appoint(running: Exchange) -> None:
    """Puts the officers into the directory, in force everywhere."""

    def with_officer(entry: Entry) -> Entry:
        keys = OFFICERS[entry.agency]
        return replace(entry, officers=(Officer(person=keys.person, agency=keys.agency, signing=keys.signing.public),))

    await running.release_directory(**{agency.replace("-", "_"): with_officer for agency in OFFICERS})
    newest = running.authority.staged_directory
    assert newest is not None
    for node in running.nodes.values():
        await eventually(
            lambda node=node: node.trust.directory is not None and node.trust.directory.hash == newest.hash
        )


def signed(
    running: Exchange, agency: str, text: str = KEEPS_FROM_THE_MAYOR, *, by: OfficerKeys | None = None, **changes: Any
) -> bytes:
    options: dict[str, Any] = {
        "agency": agency,
        "root": running.root.root.fingerprint,
        "basis": running.authority.staged_rules,
        "previous": None,
        "created": clock(),
    }
    return sign_own_rules(text, (by or OFFICERS[agency]).signing, **(options | changes))


def read(running: Exchange, document: bytes, agency: str) -> OwnRules:
    directory = running.authority.staged_directory
    assert directory is not None
    return reopen_own_rules(
        document,
        agency=agency,
        directory=directory,
        root=running.root.root,
        rules_at=running.authority.rules_at,
    )


async def install(desk: Desk, document: bytes) -> tuple[int, Any]:
    return await desk.call("POST", "/v1/rules/own", document)


def own_folder(running: Exchange, gateway: str) -> Path:
    return running.folder / "data" / gateway / "own"
