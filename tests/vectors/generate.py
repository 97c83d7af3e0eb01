"""Makes and checks the published test vectors of `tearline/1`.

python tests/vectors/generate.py            make the deterministic vectors again, keep the fixed ones
python tests/vectors/generate.py --fresh    make all anew (signatures and notices are randomised)
python tests/vectors/generate.py --check    compare, open, refuse, validate against the CDDL; exit 1 otherwise
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import cbor2  # noqa: E402
import pycddl  # noqa: E402

from broker.seal import (  # noqa: E402
    ML_KEM_768_X25519,
    ML_KEM_1024_P384,
    Claim,
    SealError,
    Secrets,
    audience,
    cbor,
    check_receipt,
    cose,
    fingerprint,
    make_receipts,
    nkey_public,
    nkey_seed_text,
    open_receipts,
    padding,
    parts,
    receipt,
    sign_document,
    verify_document,
)
from broker.seal.envelope import decode_body, decode_envelope  # noqa: E402
from broker.seal.header import Header, header_hash  # noqa: E402
from broker.seal.notice import grow, grow_tree, notice_context  # noqa: E402
from broker.seal.session import Session, SessionNotice, encrypt_in  # noqa: E402
from tests.seal import attacks, exchange  # noqa: E402
from tests.seal.exchange import (  # noqa: E402
    CITY,
    FUSION,
    JTTF,
    MALLORY,
    NOW,
    OUTSIDER,
    STATE,
    agency,
    content_for,
    directory,
    draft,
    envelope_for,
    envelope_under,
    receive,
    sealed,
    seed,
    session_with,
)

FILE = Path(__file__).with_name("tearline-1.json")
SPECIFICATION = ROOT / "docs" / "wire-format.md"
AGENCIES = (CITY, STATE, JTTF, FUSION, OUTSIDER, MALLORY)
LONGEST_BAD = 20_000  # bytes; the bombs are in the tests


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def keys() -> dict[str, Any]:
    """Seeds of the vectors' agencies; every public key and id follows."""
    described = {}
    for name in AGENCIES:
        mine = agency(name)
        ed, ml = mine.signing.public
        described[name] = {
            "ed25519_seed": mine.signing.seeds[0].hex(),
            "mldsa65_seed": mine.signing.seeds[1].hex(),
            "kem_alg": mine.kem[0].alg,
            "kem_seed": mine.kem[0].seed.hex(),
            "ed25519_public": ed.key.hex(),
            "mldsa65_public_sha256": hashlib.sha256(ml.key).hexdigest(),
            "kem_public_sha256": hashlib.sha256(mine.kem[0].public.key).hexdigest(),
            "kids": [key.kid.hex() for key in (ed, ml, mine.kem[0].public)],
        }
    return described


def deterministic() -> dict[str, Any]:
    """Everything that has one right answer."""
    header = Header(id=bytes(range(16)), expiry_hours=498_757, precedence="FLASH").encode()
    hh = header_hash(header)
    cx = parts.context_hash(hh, CITY)
    key = bytes(range(32))
    derived = {index: parts.derive(key, cx, index) for index in (0, 1, 16)}
    tree_seed = bytes(range(32, 64))
    members = draft().audience
    rights = audience.rights_of(members)
    tree = grow_tree(members, rights, tree_seed, hh)
    secrets = Secrets(
        sender=CITY,
        hh=hh,
        body_digest=bytes(32),
        manifest_digest=bytes(32),
        keys=(key, bytes(32), b"\x01" * 32),
        tree_seed=tree_seed,
        notice_size=1024,
        audience=members,
    )
    kem = agency(STATE).kem[0].public
    session = session_with(STATE)
    proof_key = receipt._proof_key(bytes(32), [key, bytes(32)])
    return {
        "header": {"encoded": header.hex(), "hh": hh.hex()},
        "cx": {"sender": CITY, "hh": hh.hex(), "cx": cx.hex()},
        "derive": [
            {"key": key.hex(), "index": index, "cek": one.cek.hex(), "com": one.commitment.hex(), "iv": one.iv.hex()}
            for index, one in derived.items()
        ],
        "part": {
            "key": key.hex(),
            "index": 1,
            "content": b"tearline".hex(),
            "part": parts.encrypt_part(derived[1], cx, 1, b"tearline").hex(),
        },
        "padme": {str(size): padding.padme(size) for size in (1, 255, 256, 257, 1000, 4096, 4097, 70_000, 500_000)},
        "pad": {"content": "616263", "size": 8, "padded": padding.pad(b"abc", 8).hex()},
        "audience": {
            "tree_seed": tree_seed.hex(),
            "root": tree.root.hex(),
            "depth": tree.depth,
            "members": [
                {
                    "agency": one.agency,
                    "rights": given.hex(),
                    "seed": audience.recipient_seed(tree_seed, hh, one.agency).hex(),
                    "leaf": tree.leaf(one.agency).hex(),
                    "place": tree.places[one.agency],
                    "path": tree.path(one.agency).hex(),
                }
                for one, given in zip(members, rights, strict=True)
            ],
        },
        "secrets": secrets.encode().hex(),
        "notice_context": notice_context(hh, bytes(32), STATE, kem.key).hex(),
        "session": {
            "sender": session.sender,
            "recipient": session.recipient,
            "secret": session.secret.hex(),
            "id": session.id.hex(),
            "locator": session.locator(hh).hex(),
            "hh": hh.hex(),
            "body_digest": bytes(32).hex(),
            "padded": padding.pad(b"tearline", 256).hex(),
            "notice": encrypt_in(session, hh, bytes(32), padding.pad(b"tearline", 256)).hex(),
        },
        "receipt_proof_key": {"seed": bytes(32).hex(), "keys": [key.hex(), bytes(32).hex()], "key": proof_key.hex()},
        "kem_keys": {
            str(alg): hashlib.sha256(agency(CITY, alg).kem[0].public.key).hexdigest()
            for alg in (ML_KEM_768_X25519, ML_KEM_1024_P384)
        },
        "nkey": {"seed": key.hex(), "text": nkey_seed_text(key), "public": nkey_public(key)},
        "fingerprint": {"of": "616263", "is": fingerprint(b"abc")},
    }


def good() -> dict[str, Any]:
    """Randomised, so fixed: they must open for ever."""
    one = sealed()
    raw = envelope_for(one, FUSION, STATE)
    recall = sealed(kind="recall", parts=(), audience=(exchange.Addressee(agency=STATE, parts=()),))
    witness = receive(raw, STATE, 1).witness
    claim = Claim(rung="acknowledged", seq=3, time=NOW, person="Sgt. B. Example", note="on our way")
    receipts = make_receipts(agency(STATE).signing, STATE, agency(CITY).kem[0].public, CITY, [(witness, claim)])
    session = session_with(STATE)
    signed = sign_document(b"directory 1", [agency(CITY).signing, agency(STATE).signing], "directory")
    return {
        "envelopes": [
            {
                "name": name,
                "raw": text(data),
                "recipient": who,
                "position": position,
                "parts": opened(data, who, position),
            }
            for name, data, who, position in (
                ("both portions", raw, FUSION, 0),
                ("the tearline only", raw, STATE, 1),
                ("a recall", envelope_for(recall, STATE), STATE, 0),
            )
        ]
        + [
            {
                "name": "under a session",
                "raw": text(envelope_under(session, one)),
                "recipient": STATE,
                "position": 0,
                "session": session.secret.hex(),
                "parts": opened(envelope_under(session, one), STATE, 0, session),
            }
        ],
        "receipts": {"raw": text(receipts), "secrets": text(one.secrets.encode()), "person": claim.person},
        "document": {"raw": text(signed), "payload": "directory 1", "signers": [CITY, STATE]},
    }


def session_of(vector: dict[str, Any]) -> Session | None:
    secret = vector.get("session")
    return Session(sender=CITY, recipient=vector["recipient"], secret=bytes.fromhex(secret)) if secret else None


def opened(raw: bytes, recipient: str, position: int, session: Session | None = None) -> dict[str, str]:
    got = receive(raw, recipient, position, session=session)
    return {str(index): content.hex() for index, content in got.parts.items()}


class Recorded(Exception):  # noqa: N818
    """What an attack put before a recipient."""


def recorded(attack: attacks.Attack) -> dict[str, Any] | None:
    def record(raw: object, recipient: object, position: int = 0, **changes: Any) -> None:
        raise Recorded(raw, recipient, position, changes)

    room: Any = sys.modules[attack.run.__module__]
    honest = room.receive
    room.receive = record
    try:
        attack.run()
    except Recorded as seen:
        raw, recipient, position, changes = seen.args
    except SealError:
        return None
    finally:
        room.receive = honest
    if not isinstance(raw, bytes) or not isinstance(recipient, str) or len(raw) > LONGEST_BAD or set(changes) - {"now"}:
        return None
    now: datetime = changes.get("now", NOW)
    return {
        "name": attack.name,
        "code": attack.code,
        "raw": text(raw),
        "recipient": recipient,
        "position": position,
        "now": now.isoformat(),
    }


def bad() -> list[dict[str, Any]]:
    """One for each code that an envelope alone can provoke."""
    first: dict[str, dict[str, Any]] = {}
    for attack in attacks.ATTACKS:
        if attack.code not in first and (vector := recorded(attack)):
            first[attack.code] = vector
    return list(first.values())


def schema(rule: str) -> pycddl.Schema:
    cddl = re.search(r"```cddl\n(.*?)```", SPECIFICATION.read_text(), re.DOTALL)
    assert cddl is not None
    return pycddl.Schema(f"root = {rule}\n{cddl[1]}")


def pieces(vector: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Every structure inside a good envelope, with the CDDL rule it must satisfy."""
    raw = base64.b64decode(vector["raw"])
    yield "envelope", raw
    envelope = decode_envelope(raw)
    yield "header", envelope.raw_header
    yield "body", envelope.body
    for part in envelope.parts:
        yield "encrypt0", part
    for one in envelope.notices:
        if isinstance(one, SessionNotice):
            yield "session-notice", one.raw
            yield "session-header", cbor2.loads(one.raw)[0]
        else:
            yield "encrypt", one.raw
            yield "recipient-header", cbor2.loads(one.raw)[3][0][0]
    got = receive(envelope, vector["recipient"], vector["position"], session=session_of(vector))
    yield "manifest", got.manifest.encode()
    cx = parts.context_hash(envelope.hh, got.sender)
    frame = cose.Encrypt0.parse(decode_body(envelope.body)[0], "part-shape")
    signed = parts.open_part(got.witness.keys[0], cx, 0, frame)
    yield "sign", signed
    message = cose.Sign.parse(signed, "manifest-shape", max_payload=4096)
    yield "sign-header", message.protected
    for protected, _ in message.signatures:
        yield "signature-header", protected


def more_pieces(vectors: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    one = sealed()
    for name in (FUSION, STATE):
        yield "notice", content_for(one.source, name).encode()
    yield "notice", content_for(one.source, STATE, session=bytes(32)).encode()
    witness = receive(envelope_for(one, FUSION), FUSION).witness
    claim = Claim(rung="stored", seq=1, time=NOW)
    made = receipt._receipt(witness, claim)
    yield "receipt", cbor.encode(made)
    yield "receipt", cbor.encode(receipt._receipt(witness, claim, bytes(16)))
    yield "receipts", cbor.encode([made])
    yield "receipts-content", cbor.encode([FUSION, witness.hh, b"signed"])
    yield "encrypt", base64.b64decode(vectors["good"]["receipts"]["raw"])
    yield "sign", base64.b64decode(vectors["good"]["document"]["raw"])


def faults(vectors: dict[str, Any]) -> Iterator[str]:
    """Everything that is not as published."""
    for name, made in (("keys", keys()), ("deterministic", deterministic())):
        if json.loads(json.dumps(made)) != vectors[name]:
            yield f"{name}: differ from what the code makes"
    for vector in vectors["good"]["envelopes"]:
        yield from fault(f"good/{vector['name']}", lambda vector=vector: check_envelope(vector))
    yield from fault("good/receipts", lambda: check_receipts(vectors["good"]["receipts"]))
    yield from fault("good/document", lambda: check_document(vectors["good"]["document"]))
    for vector in vectors["bad"]:
        try:
            when = datetime.fromisoformat(vector["now"])
            receive(base64.b64decode(vector["raw"]), vector["recipient"], vector["position"], now=when)
            yield f"bad/{vector['name']}: accepted"
        except SealError as error:
            if error.code != vector["code"]:
                yield f"bad/{vector['name']}: {error.code} instead of {vector['code']}"
    for vector in vectors["good"]["envelopes"]:
        for rule, raw in pieces(vector):
            yield from fault(f"cddl/{rule}", lambda rule=rule, raw=raw: schema(rule).validate_cbor(raw))
    for rule, raw in more_pieces(vectors):
        yield from fault(f"cddl/{rule}", lambda rule=rule, raw=raw: schema(rule).validate_cbor(raw))


def fault(name: str, check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except (SealError, AssertionError, pycddl.ValidationError) as error:
        yield f"{name}: {type(error).__name__} {error}"


def check_envelope(vector: dict[str, Any]) -> None:
    raw = base64.b64decode(vector["raw"])
    assert opened(raw, vector["recipient"], vector["position"], session_of(vector)) == vector["parts"]


def check_receipts(vector: dict[str, Any]) -> None:
    (one,) = open_receipts(base64.b64decode(vector["raw"]), agency(CITY), directory())
    check_receipt(one, grow(Secrets.decode(base64.b64decode(vector["secrets"]))))
    assert one.person == vector["person"]


def check_document(vector: dict[str, Any]) -> None:
    known = {name: agency(name).signing.public for name in AGENCIES}
    payload, signers = verify_document(base64.b64decode(vector["raw"]), known, "directory")
    assert (payload.decode(), list(signers)) == (vector["payload"], vector["signers"])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true")
    arguments.add_argument("--fresh", action="store_true")
    chosen = arguments.parse_args()
    if chosen.check:
        found = list(faults(json.loads(FILE.read_text())))
        for one in found:
            sys.stderr.write(one + "\n")
        return 1 if found else 0
    kept = json.loads(FILE.read_text()) if FILE.exists() and not chosen.fresh else {"good": good(), "bad": bad()}
    vectors = {
        "format": "tearline/1",
        "note": "Binary values are hex; whole envelopes, receipts and documents are base64. NEVER use these keys.",
        "now": NOW.isoformat(),
        "keys": keys(),
        "deterministic": deterministic(),
        "good": kept["good"],
        "bad": kept["bad"],
    }
    FILE.write_text(json.dumps(vectors, indent=1) + "\n")
    return 0


__all__ = ["faults", "seed"]

if __name__ == "__main__":
    sys.exit(main())
