"""The exchange authority at work: found an exchange, list the directory, sign the next release of it.

A folder of releases is a `TrustStore`: what is put there has passed every check that a gateway makes. The hub watches
such a folder and publishes what is new in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from broker.officer import approving, desk, membership
from broker.officer.signers import load_officers
from broker.ops.clock import now
from broker.trust import (
    BEAT_KEY,
    Ask,
    Conditions,
    OfficerKeys,
    Root,
    TrustError,
    TrustStore,
    mint_directory,
    mint_root,
    mint_rules,
    new_beat_keys,
    read_public_entry,
    write_beat_keys,
)
from broker.trust.files import replace_private
from policy import Attributes, parse_agencies, run_cases


def found(name: str, *, rules: Path, releases: Path, officers: Sequence[Path], ask: Ask) -> dict[str, Any]:
    """Found an exchange: its root and its first rules, signed; returns the fingerprint that members are given.

    Raises:
        TrustError: `root-exists`, or whatever the root or the rules are refused for.
    """
    if (releases / "root.cose").exists():
        raise TrustError("root-exists", f"`{releases}` holds an exchange already")
    signers = load_officers(officers, ask=ask)
    at = now()
    beating = new_beat_keys()
    root = mint_root(name, signers, beats=[beating.public], created=at)
    store = TrustStore(releases, root.root.fingerprint)
    store.offer(root.sealed, now=at)
    store.offer(_first_rules(rules, root.root, signers), now=at)
    write_beat_keys(beating, releases / BEAT_KEY, created=at)
    replace_private(releases / "root.txt", (root.root.fingerprint + "\n").encode())
    return {"exchange": name, "root": root.root.fingerprint, "signers": [one.person for one in signers]}


def members(releases: Path, root: str) -> list[dict[str, Any]]:
    """The newest directory, agency by agency.

    Raises:
        TrustError: nothing verified is in the folder.
    """
    directory = TrustStore(releases, root).staged_directory
    if directory is None:
        raise TrustError("no-directory", f"there is no verified directory in `{releases}`")
    return [
        {
            "agency": entry.agency,
            "gateway": entry.gateway,
            "kind": entry.attributes.get("kind"),
            "status": entry.attributes.get("status"),
            "attributes": {
                name: value if isinstance(value, str) else sorted(value) for name, value in entry.attributes.items()
            },
            "contacts": {kind: dict(fields) for kind, fields in entry.contacts.items()},
            "revoked": entry.public.revoked,
        }
        for entry in directory.entries.values()
    ]


def add_agency(
    raw: bytes, *, attributes: Path, releases: Path, root: str, officers: Sequence[Path], ask: Ask
) -> dict[str, Any]:
    """Sign the next directory with this agency added, or replaced when it is a member already.

    Raises:
        TrustError: the entry, an officer or the resulting directory is refused; then nothing changes.
        PolicyError: the attributes are not words of the vocabulary.
    """
    store = TrustStore(releases, root)
    known = _known(store, attributes)
    agency = _agency_of(raw, known)
    entry, nkey = read_public_entry(raw, known[agency])
    members = membership.with_entry(membership.members_of(store.staged_directory), entry, nkey)
    signers = load_officers(officers, ask=ask)
    at = now()
    if store.staged_directory is None:
        store.offer(_first_directory(store, members, signers), now=at)
    else:
        _signed_together(store, desk.change_of_members(store, members), signers)
    released = store.staged("directory")
    if released is None:
        raise RuntimeError  # it was offered just now
    return {
        "number": released.number,
        "hash": released.hash.hex(),
        "agency": entry.agency,
        "signers": list(released.signers),
        "expires": released.expires.isoformat(),
    }


def attributes_of(store: TrustStore, attributes: Path, agency: str) -> Attributes:
    """What a file of attributes states of one agency, in the words of the newest rules' vocabulary.

    Raises:
        TrustError: `no-rules`, `no-attributes`. PolicyError: the file is refused, with its line.
    """
    known = _known(store, attributes)
    if agency not in known:
        raise TrustError("no-attributes", f"`{attributes.name}` does not list `{agency}`")
    return known[agency]


def _known(store: TrustStore, attributes: Path) -> Mapping[str, Attributes]:
    if store.staged_rules is None:
        raise TrustError("no-rules", "there are no verified rules in this folder of releases yet")
    text = attributes.read_text(encoding="utf-8")
    return parse_agencies(text, store.staged_rules.vocabulary, source=attributes.name)


def _first_directory(store: TrustStore, members: membership.Members, signers: list[OfficerKeys]) -> bytes:
    """There is nothing yet that it could change, so it has no preview; which cases fail is known all the same."""
    rules = store.staged_rules
    if store.root is None or rules is None:
        raise TrustError("no-rules", "there are no verified rules in this folder of releases yet")
    results = run_cases(rules.ruleset, rules.vocabulary, members.agencies)
    return mint_directory(
        members.entries.values(),
        members.gateways,
        root=store.root,
        previous=None,
        officers=signers,
        created=now(),
        conditions=Conditions(failing=frozenset(result.name for result in results if result.failed)),
    ).sealed


def _signed_together(store: TrustStore, change: desk.Change, signers: list[OfficerKeys]) -> None:
    """Two officers at one desk: the first is the author, and the second approves what both see there."""
    author, *others = signers
    if not others:
        raise TrustError("too-few-persons", "two officers of different agencies sign")
    proposed = desk.propose(store, change, author=author, now=now())
    verdict = change.previewed.preview.comparison.audience
    approving.approve(store, proposed, approver=others[0], verdict=verdict, now=now())


def _agency_of(raw: bytes, known: Mapping[str, Attributes]) -> str:
    for agency in known:
        try:
            if read_public_entry(raw, known[agency])[0].agency == agency:
                return agency
        except TrustError as error:
            raise TrustError(error.code, str(error)) from error
    raise TrustError("no-attributes", "the file of attributes does not list the agency of the entry")


def _first_rules(folder: Path, root: Root, signers: list[OfficerKeys]) -> bytes:
    vocabulary, rules = ((folder / name).read_text(encoding="utf-8") for name in ("vocabulary.yaml", "rules.yaml"))
    return mint_rules(vocabulary, rules, root=root, previous=None, officers=signers, created=now()).sealed
