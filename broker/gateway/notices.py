"""Which notices of an envelope are for agencies of this gateway, and what opens them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from broker.gateway.core import Node
from broker.seal import AgencyKeys, Envelope, Session, SessionNotice
from broker.seal.cose import Encrypt

Notice: TypeAlias = Encrypt | SessionNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A notice for an agency here, and the session it was made under, if it was."""

    notice: Notice
    keys: AgencyKeys
    session: Session | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """The notices that open here; ``lost``: others were made under a session that no agency here holds (any more)."""

    ours: tuple[Ours, ...]
    lost: bool


def addressed(node: Node, gateway: str, envelope: Envelope) -> Addressed:
    """Finds what an envelope from that gateway (as the relay says) holds for agencies here."""
    under = {notice.kid for notice in envelope.notices if isinstance(notice, SessionNotice)}
    senders = node.trust.directory.hosted_by(gateway) if node.trust.directory else ()
    sessions = node.sessions.find(envelope.hh, under, senders, node.keys)
    ours = []
    for notice in envelope.notices:
        if not isinstance(notice, SessionNotice):
            mine = next((keys for keys in node.keys.values() if keys.kem_key(notice.kid) is not None), None)
            if mine is not None:
                ours.append(Ours(notice=notice, keys=mine))
        elif (session := sessions.get(notice.kid)) is not None:
            ours.append(Ours(notice=notice, keys=node.keys[session.recipient], session=session))
    return Addressed(ours=tuple(ours), lost=len(sessions) < len(under))
