"""The next directory: one agency added, changed, suspended, resumed, removed, or with new keys. Pure.

A removed agency stays listed as revoked, so that what it says from then on is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from broker.seal import PublicKey
from broker.trust import Directory, Entry, TrustError
from policy import Attributes
from policy.preview import EntryChange

STATUS: Final = "status"
ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """What a directory lists."""

    entries: Mapping[str, Entry]
    gateways: Mapping[str, str]

    @property
    def agencies(self) -> Mapping[str, Attributes]:
        """Who can be a recipient, as the rules see them."""
        return {name: entry.attributes for name, entry in self.entries.items() if not entry.public.revoked}


def members_of(directory: Directory | None) -> Members:
    """What a directory lists; nobody before there is one."""
    if directory is None:
        return Members(entries={}, gateways={})
    return Members(entries=directory.entries, gateways=directory.gateways)


def with_entry(members: Members, entry: Entry, nkey: str) -> Members:
    """Add an agency, or put a new entry in place of its old one: other keys, contacts, gateway or attributes."""
    return _kept(members, {**members.entries, entry.agency: entry}, {**members.gateways, entry.gateway: nkey})


def with_keys(members: Members, entry: Entry, nkey: str) -> Members:
    """Give a member the keys and contacts of a new public entry; what the officers vouch for stays as it was.

    An entry that names no officers of the agency changes nothing about them.

    Raises:
        TrustError: `unknown-agency`.
    """
    known = _entry(members, entry.agency)
    return with_entry(
        members, replace(entry, attributes=known.attributes, officers=entry.officers or known.officers), nkey
    )


def with_attributes(members: Members, agency: str, attributes: Attributes) -> Members:
    """Put what the officers vouch for in place of what they vouched for.

    Raises:
        TrustError: `unknown-agency`.
    """
    return _changed(members, agency, lambda entry: replace(entry, attributes=MappingProxyType(dict(attributes))))


def suspended(members: Members, agency: str) -> Members:
    """Suspend an agency: the rules forbid what they forbid to a suspended one; its keys stay good.

    Raises:
        TrustError: `unknown-agency`; `nothing-changed`.
    """
    return _with_status(members, agency, SUSPENDED)


def resumed(members: Members, agency: str) -> Members:
    """End a suspension.

    Raises:
        TrustError: `unknown-agency`; `nothing-changed`.
    """
    return _with_status(members, agency, ACTIVE)


def removed(members: Members, agency: str) -> Members:
    """Revoke an agency: it gets nothing more, and nothing it says is believed.

    Raises:
        TrustError: `unknown-agency`; `nothing-changed`.
    """
    return _changed(members, agency, lambda entry: replace(entry, public=replace(entry.public, revoked=True)))


def entry_changes(before: Members, after: Members) -> tuple[EntryChange, ...]:
    """Say what changes of agencies beside what the rules see: keys, gateways, contacts, officers; in order of names.

    None of it moves an audience, and each of it may be an attack: whoever gives an agency other keys reads its inbox.
    """
    changes = []
    for agency in sorted({*before.entries, *after.entries}):
        old, new = before.entries.get(agency), after.entries.get(agency)
        told = tuple(_entry_words(old, new))
        if told:
            changes.append(EntryChange(agency=agency, words=told))
    for gateway in sorted(set(before.gateways) & set(after.gateways)):
        if before.gateways[gateway] != after.gateways[gateway]:
            hosted = next(one.agency for one in after.entries.values() if one.gateway == gateway)
            changes.append(EntryChange(agency=hosted, words=(f"its gateway {gateway} has another NATS key",)))
    return tuple(changes)


def _entry_words(old: Entry | None, new: Entry | None) -> Iterator[str]:
    if old is None or new is None:
        if new is not None:
            yield f"joins at gateway {new.gateway}, signing with {_kids(new.public.signing)}"
        if old is not None:
            yield "is not listed any more"
        return
    if old.gateway != new.gateway:
        yield f"gateway: {old.gateway} becomes {new.gateway}"
    if old.public.signing != new.public.signing:
        yield f"signing keys: {_kids(old.public.signing)} become {_kids(new.public.signing)}"
    if old.public.kem != new.public.kem:
        yield f"sealing keys: {_kids(old.public.kem)} become {_kids(new.public.kem)}"
    if old.public.revoked != new.public.revoked:
        yield "is revoked" if new.public.revoked else "is revoked no more"
    if old.contacts != new.contacts:
        yield "contacts are other ones"
    if old.officers != new.officers:
        yield f"officers of its own rules: {_persons(old)} become {_persons(new)}"


def _kids(keys: Sequence[PublicKey]) -> str:
    return " and ".join(key.kid.hex()[:12] for key in keys) or "none"


def _persons(entry: Entry) -> str:
    told = (f"{officer.person} ({_kids(officer.signing)})" for officer in entry.officers)
    return ", ".join(told) or "nobody"


def _with_status(members: Members, agency: str, status: str) -> Members:
    return _changed(
        members,
        agency,
        lambda entry: replace(entry, attributes=MappingProxyType({**entry.attributes, STATUS: status})),
    )


def _changed(members: Members, agency: str, change: Callable[[Entry], Entry]) -> Members:
    before = _entry(members, agency)
    after = change(before)
    if after == before:
        raise TrustError("nothing-changed", f"`{agency}` is so already")
    return _kept(members, {**members.entries, agency: after}, members.gateways)


def _kept(members: Members, entries: Mapping[str, Entry], gateways: Mapping[str, str]) -> Members:
    """Gateways that still host somebody; a name whose last agency left is given up."""
    used = {entry.gateway for entry in entries.values()}
    return replace(members, entries=entries, gateways={name: nkey for name, nkey in gateways.items() if name in used})


def _entry(members: Members, agency: str) -> Entry:
    if agency not in members.entries:
        raise TrustError("unknown-agency", f"the directory has no agency `{agency}`")
    return members.entries[agency]
