"""Sessions with other agencies (docs/wire-format.md, section 4): which notices are made and opened under them.

Those that agencies here set up are in memory alone: after a restart the first bulletin to each recipient sets up a new
one. Those set up by others are on the disk before their receipt is sent, because from then on their sender relies on
them. A recipient that lost its disk answers nothing; what is sent again always goes by HPKE and sets the session up anew.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from broker.gateway.clock import from_ms, to_ms
from broker.gateway.vault import Vault
from broker.model import MAX_TRANSIT
from broker.seal import (
    NoticeSource,
    PublicKey,
    SealError,
    Session,
    SessionNotice,
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
# Set-ups whose receipt is awaited; one that falls out is only set up again.
MAX_AWAITED = 20_000

_Pair: TypeAlias = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class _Outgoing:
    """A session that an agency here set up. It is used once its recipient's receipt has shown that it has it."""

    session: Session
    kid: bytes
    directory: int
    since: datetime
    shared: bool = False


class Sessions:
    """The sessions of the agencies this gateway hosts, in both directions."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._outgoing: dict[_Pair, _Outgoing] = {}
        self._awaited: OrderedDict[tuple[str, bytes, str], _Outgoing] = OrderedDict()
        self._incoming: dict[str, dict[bytes, tuple[Session, int]]] = {}

    def load(self, rows: Iterable[sqlite3.Row]) -> None:
        """Reads what others set up before this process began. What cannot be opened any more is as if it were lost."""
        for row in rows:
            agency, sender, digest = str(row["agency"]), str(row["sender"]), bytes(row["digest"])
            try:
                secret = self._vault.open(agency, row["storage_key"], row["secret_sealed"], "session", sender, digest)
                session = Session(sender=sender, recipient=agency, secret=secret)
            except (SealError, TrustError):
                continue
            self._incoming.setdefault(str(row["gateway"]), {})[digest] = (session, int(row["forget"]))

    def notice(
        self,
        source: NoticeSource,
        bulletin: bytes,
        recipient: str,
        kem: PublicKey,
        *,
        first: bool,
        directory: int,
        now: datetime,
    ) -> bytes:
        """The notice for one recipient: under the session that it shares, or one that sets a session up.

        Args:
            source: the bulletin's secrets.
            bulletin: its id.
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
            made = make_notice(source, recipient, kem, session=outgoing.session)
        except SealError as error:
            if error.code != "too-large":  # sealed before there were sessions: no room for one
                raise
            return make_notice(source, recipient, kem)
        self._awaited[sender, bulletin, recipient] = outgoing
        while len(self._awaited) > MAX_AWAITED:
            self._awaited.popitem(last=False)
        return made

    def receipted(self, sender: str, bulletin: bytes, recipient: str) -> None:
        """A recipient's receipt that it has a bulletin is in: it has the session, too, that was set up with it."""
        if (outgoing := self._awaited.pop((sender, bulletin, recipient), None)) is not None:
            outgoing.shared = True

    def find(self, gateway: str, notice: SessionNotice, hh: bytes) -> Session | None:
        """The session of a notice among those that agencies at that gateway set up; None when there is none."""
        held = self._incoming.get(gateway, {})
        return next((session for session, _ in held.values() if session.locator(hh) == notice.kid), None)

    def offered(self, gateway: str, unsealed: Unsealed, recipient: str, now: datetime) -> sessions.Kept | None:
        """What to write down of a session that an accepted envelope set up; None when there is nothing new."""
        if not unsealed.session:
            return None
        digest = hashlib.sha256(unsealed.session).digest()
        if digest in self._incoming.get(gateway, {}):
            return None
        key_name = self._vault.key_for(recipient, "administrative", now)
        return sessions.Kept(
            agency=recipient,
            sender=unsealed.sender,
            digest=digest,
            gateway=gateway,
            secret_sealed=self._vault.seal(recipient, key_name, unsealed.session, "session", unsealed.sender, digest),
            storage_key=key_name,
            since=to_ms(now),
            forget=to_ms(now + KEPT_FOR),
        )

    def accepted(self, kept: sessions.Kept, secret: bytes) -> None:
        """A session is on the disk: from now on its notices open."""
        session = Session(sender=kept.sender, recipient=kept.agency, secret=secret)
        held = self._incoming.setdefault(kept.gateway, {})
        held[kept.digest] = (session, kept.forget)
        pair = [
            digest for digest, (one, _) in held.items() if (one.sender, one.recipient) == (kept.sender, kept.agency)
        ]
        for digest in pair[: -sessions.KEPT]:
            del held[digest]

    def tidy(self, now: datetime) -> None:
        """Forgets what no envelope on its way can need any more."""
        for held in self._incoming.values():
            for digest in [digest for digest, (_, forget) in held.items() if from_ms(forget) < now]:
                del held[digest]
        for pair in [pair for pair, one in self._outgoing.items() if now - one.since > USED_FOR]:
            del self._outgoing[pair]


def _fits(outgoing: _Outgoing, kem: PublicKey, directory: int, now: datetime) -> bool:
    # A clock that went back makes no session last longer.
    lasts = timedelta(0) <= now - outgoing.since < USED_FOR
    return outgoing.kid == kem.kid and outgoing.directory == directory and lasts
