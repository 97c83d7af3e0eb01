"""How fast sealing, unsealing and receipts are on this machine; `tearline bench seal` prints what `run` returns."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from broker.seal import (
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    Addressee,
    AgencyKeys,
    Claim,
    Draft,
    KemKey,
    Session,
    SigningKeys,
    Terms,
    Unsealed,
    check_receipt,
    decode_envelope,
    encode_envelope,
    make_notice,
    make_receipts,
    make_session_notice,
    open_receipts,
    seal,
    unseal,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BATCH = 64
AUDIENCES = (4, 50, 500)
PORTION = 2048


def _agency(name: str, alg: int = ML_KEM_1024_P384) -> AgencyKeys:
    return AgencyKeys(agency=name, signing=SigningKeys.generate(os.urandom), kem=(KemKey.generate(os.urandom, alg),))


def _accept(*_: object) -> None:
    return None


def _milliseconds(act: Callable[[], object], seconds: float) -> float:
    """The median over as many runs as fit, three at least."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        started = time.perf_counter()
        act()
        taken.append((time.perf_counter() - started) * 1000)
    return round(median(taken), 3)


def run(seconds: float) -> dict[str, float | int]:
    """Measure for about this many seconds.

    Returns:
        Milliseconds (median) to seal for 4, 50 and 500 agencies that have not met before, with all their notices, of
        which the body alone, to make one notice and to unseal, by KEM and under a session; receipts made, opened and
        checked per second in batches; sizes in bytes.
    """
    city, state = _agency("city-pd"), _agency("agency-0")
    fast = _agency("agency-0", ML_KEM_768_X25519)
    kem, fast_kem = state.kem[0].public, fast.kem[0].public
    session = Session(sender="city-pd", recipient="agency-0", secret=bytes(32))
    terms = Terms(obligations={1: {"onward": "none", "retention": 86_400}})

    def draft(number: int) -> Draft:
        return Draft(
            sender="city-pd",
            created=NOW,
            expires=NOW + timedelta(hours=30),
            precedence="FLASH",
            kind="bulletin",
            status="Actual",
            parts=(bytes(PORTION),),
            audience=tuple(Addressee(agency=f"agency-{index}", parts=(1,), terms=terms) for index in range(number)),
            rules=(1, bytes(32)),
            directory=1,
            retention="criminal-intelligence",
        )

    def seal_all(number: int) -> None:
        one = seal(draft(number), city.signing)
        for index in range(number):
            make_notice(one.source, f"agency-{index}", kem)

    def open_one(raw: bytes) -> Unsealed:
        envelope = decode_envelope(raw)
        return unseal(
            envelope,
            envelope.notices[0],
            session=session,
            recipient=state,
            sender_of=lambda _: city.public(),
            now=NOW,
            skew=timedelta(minutes=5),
            seen=_accept,
            accept_rules=_accept,
            recheck=_accept,
        )

    share = seconds / 10
    one = seal(draft(4), city.signing)
    notice = make_notice(one.source, "agency-0", kem)
    raw = encode_envelope(one.header, one.body, [notice])
    under = make_session_notice(one.source, session)
    raw_under = encode_envelope(one.header, one.body, [under])
    claims = [(open_one(raw).witness, Claim(rung="stored", seq=1, time=NOW))] * BATCH
    public = state.public()

    def receipts() -> None:
        batch = make_receipts(state.signing, "agency-0", city.kem[0].public, "city-pd", claims)
        for receipt in open_receipts(batch, city, lambda _: public):
            check_receipt(receipt, one.source)

    measured: dict[str, float | int] = {
        f"seal_{number}_ms": _milliseconds(partial(seal_all, number), share) for number in AUDIENCES
    }
    return measured | {
        "seal_500_body_only_ms": _milliseconds(lambda: seal(draft(500), city.signing), share),
        "notice_ms": _milliseconds(lambda: make_notice(one.source, "agency-0", kem), share),
        "notice_fast_ms": _milliseconds(lambda: make_notice(one.source, "agency-0", fast_kem), share),
        "notice_session_ms": _milliseconds(lambda: make_session_notice(one.source, session), share),
        "unseal_ms": _milliseconds(lambda: open_one(raw), share),
        "unseal_session_ms": _milliseconds(lambda: open_one(raw_under), share),
        "receipts_per_s": round(BATCH * 1000 / _milliseconds(receipts, share)),
        "body_bytes": len(one.body),
        "notice_bytes": len(notice),
        "notice_session_bytes": len(under),
        "notice_fast_bytes": len(make_notice(one.source, "agency-0", fast_kem)),
    }


if __name__ == "__main__":
    for name, value in run(10).items():
        print(f"{name:24} {value}")
