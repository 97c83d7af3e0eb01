"""Sessions with other agencies (docs/wire-format.md, section 4): which notices are made and opened under them.

Those that agencies here set up are in memory alone: after a restart the first bulletins to each recipient set up a new
one. They are used while the recipient's receipts name them. Those set up by others are on the disk before a receipt
names them, because from then on their sender relies on them. A recipient that lost its disk cannot open what was made
under a session and answers nothing; what is sent again always goes by HPKE and sets the session up anew.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from broker.gateway.clock import to_ms
from broker.gateway.vault import Vault
from broker.model import MAX_TRANSIT
from broker.seal import (
    NoticeSource,
    PublicKey,
    SealError,
    Session,
    Unsealed,
    make_notice,
    make_session_notice,
)
from broker.store import sessions
from broker.trust import TrustError

# A session lasts a day at its sender: who steals it opens that day's notices, as the KEM key would open a month's.
USED_FOR = timedelta(hours=24)
# At its recipient until nothing made under it can be on its way any more.
KEPT_FOR = USED_FOR + MAX_TRANSIT + timedelta(days=1)

_Pair: TypeAlias = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class _Outgoing:
    """A session that an agency here set up; ``shared`` while its recipient's receipts name it."""

    session: Session
    kid: bytes
    directory: int
    since: datetime
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Incoming:
    """A session that another agency set up, until ``forget`` (milliseconds)."""

    session: Session
    forget: int


class Sessions:
    """The sessions of the agencies this gateway hosts, in both directions."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._outgoing: dict[_Pair, _Outgoing] = {}
        # By (sender, recipient), the newest last.
        self._incoming: dict[_Pair, dict[bytes, _Incoming]] = {}

    def load(self, rows: Iterable[sqlite3.Row]) -> None:
        """Reads what others set up before this process began. What cannot be opened any more is as if it were lost."""
        for row in rows:
            agency, sender, ident = str(row["agency"]), str(row["sender"]), bytes(row["id"])
            try:
                secret = self._vault.open(agency, row["storage_key"], row["secret_sealed"], "session", sender, ident)
                session = Session(sender=sender, recipient=agency, secret=secret)
            except (SealError, TrustError, LookupError):  # also of an agency that is no longer hosted here
                continue
            self._hold(session, int(row["forget"]))

    def notice(
        self, source: NoticeSource, recipient: str, kem: PublicKey, *, first: bool, directory: int, now: datetime
    ) -> bytes:
        """The notice for one recipient: under the session that it shares, or one that sets a session up.

        Args:
            source: the bulletin's secrets.
            recipient: one of its audience.
            kem: that agency's KEM key.
            first: nothing was sent to it yet; otherwise it may have lost the session, and HPKE needs none.
            directory: the number of the directory in force; a session does not outlive it.
            now: the time.

        Raises:
            SealError: as ``make_notice``.
        """
        sender = source.secrets.sender
        outgoing = self._outgoing.get((sender, recipient))
        if outgoing is None or not _fits(outgoing, kem, directory, now):
            session = Session.new(sender, recipient, os.urandom)
            outgoing = _Outgoing(session=session, kid=kem.kid, directory=directory, since=now)
            self._outgoing[sender, recipient] = outgoing
        if not first:
            outgoing.shared = False
        if outgoing.shared:
            return make_session_notice(source, outgoing.session)
        try:
            return make_notice(source, recipient, kem, session=outgoing.session)
        except SealError as error:
            if error.code != "too-large":
                raise
            # The bulletin was sealed before there were sessions: its notices have no room for one.
            return make_notice(source, recipient, kem)

    def named(self, sender: str, recipient: str, session: bytes) -> None:
        """A recipient's receipt names the newest session that it holds from an agency here."""
        if (outgoing := self._outgoing.get((sender, recipient))) is not None:
            outgoing.shared = outgoing.session.id == session

    def to_name(self, sender: str, recipient: str) -> bytes:
        """The id of the newest session that an agency here holds from a sender; empty when it holds none."""
        return next(reversed(self._incoming.get((sender, recipient), {})), b"")

    def find(
        self, hh: bytes, kids: Collection[bytes], senders: Iterable[str], recipients: Collection[str]
    ) -> dict[bytes, Session]:
        """The sessions that notices of one envelope were made under, by what the notices call them.

        Args:
            hh: the envelope's.
            kids: what its notices under sessions are called by.
            senders: whose it may be; it is of one sender, so the first that fits ends the search.
            recipients: whose sessions to look at.
        """
        found: dict[bytes, Session] = {}
        for sender in senders if kids else ():
            for recipient in recipients:
                for one in reversed(self._incoming.get((sender, recipient), {}).values()):
                    if (kid := one.session.locator(hh)) in kids:
                        found[kid] = one.session
                        break
                if len(found) == len(kids):
                    return found
            if found:
                break
        return found

    def offered(self, unsealed: Unsealed, recipient: str, now: datetime) -> sessions.Kept | None:
        """What to write down of a session that an accepted envelope set up; None when it set up none."""
        if not unsealed.session:
            return None
        session = Session(sender=unsealed.sender, recipient=recipient, secret=unsealed.session)
        key_name = self._vault.key_for(recipient, "administrative", now)
        return sessions.Kept(
            agency=recipient,
            sender=session.sender,
            id=session.id,
            secret_sealed=self._vault.seal(recipient, key_name, session.secret, "session", session.sender, session.id),
            storage_key=key_name,
            forget=to_ms(now + KEPT_FOR),
        )

    def accepted(self, kept: sessions.Kept, secret: bytes) -> None:
        """A session is on the disk: from now on its notices open, and receipts name it."""
        self._hold(Session(sender=kept.sender, recipient=kept.agency, secret=secret), kept.forget)

    def _hold(self, session: Session, forget: int) -> None:
        held = self._incoming.setdefault((session.sender, session.recipient), {})
        held.pop(session.id, None)  # set up once more, it is the newest again
        held[session.id] = _Incoming(session=session, forget=forget)
        while len(held) > sessions.KEPT:
            del held[next(iter(held))]

    def tidy(self, now: datetime) -> None:
        """Forgets what no envelope on its way can need any more."""
        for held in self._incoming.values():
            for ident in [ident for ident, one in held.items() if one.forget < to_ms(now)]:
                del held[ident]
        for pair in [pair for pair, one in self._outgoing.items() if now - one.since > USED_FOR]:
            del self._outgoing[pair]


def _fits(outgoing: _Outgoing, kem: PublicKey, directory: int, now: datetime) -> bool:
    # A clock that went back makes no session last longer.
    lasts = timedelta(0) <= now - outgoing.since < USED_FOR
    return outgoing.kid == kem.kid and outgoing.directory == directory and lasts
