"""The run folder: keys, signed releases, settings files and tokens of the example exchange. Fresh at every run.

Everything that makes it an exchange is what a real one has: the officers' keys sign a root, a directory and the rules;
each gateway gets its own settings, its own keys and its own tokens; `exchange.toml` is an ordinary file for `up`.
"""

from __future__ import annotations

import json
import shutil
import socket
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from broker.demo import feeds
from broker.demo.toml import write_toml
from broker.gateway.tokens import create
from broker.officer.rulebook import AGENCIES, RULES, VOCABULARY
from broker.trust import (
    BEAT_KEY,
    Conditions,
    Entry,
    TrustStore,
    load_agency_keys,
    load_gateway_keys,
    load_officer_keys,
    mint_directory,
    mint_root,
    mint_rules,
    new_beat_keys,
    write_beat_keys,
)
from policy import parse_agencies, parse_ruleset, parse_vocabulary, run_cases

SCOPES: Final = ("publish", "read", "acknowledge", "observe", "rules")
# Agencies with an adapter, and its kind; the others are read by persons.
ADAPTER_KINDS: Final[Mapping[str, str]] = {
    "springfield-pd": "city-police",
    "chicago-pd": "city-police",
    "il-state-police": "state-police",
    "jttf-springfield": "jttf",
    "jttf-chicago": "jttf",
    "il-fusion": "fusion-center",
    "north-il-fusion": "fusion-center",
}
OFFICERS: Final = "officers"
EXCHANGE: Final = "illinois"
AGENCIES_FILE: Final = "agencies.json"
# The demo shows a resend within its minute; in production the first one comes after thirty seconds.
_RETRY_SECONDS: Final = [5.0, 15.0, 60.0, 600.0]
_PRIVATE: Final = 0o600


class GroundError(Exception):
    """The run folder cannot be prepared; `code` is kebab-case."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Where an agency is reached, and with which token file (that of its person, not of its adapter)."""

    agency: str
    gateway: str
    url: str
    token_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A prepared run folder."""

    folder: Path
    exchange: Path
    members: Mapping[str, Member]
    watched: Mapping[str, Path]
    relay: str
    monitor: str
    root: str


def examples() -> tuple[Path, Path]:
    """The example keys and the example rules, in the source tree.

    Raises:
        GroundError: `no-examples`; an installed wheel has neither.
    """
    top = Path(__file__).resolve().parents[2]
    keys, rules = top / "keys.example", top / "policy" / "rules.example"
    if not keys.is_dir() or not rules.is_dir():
        raise GroundError(
            "no-examples", "the demo needs a clone of the repository: keys.example and policy/rules.example"
        )
    return keys, rules


def prepare(
    folder: Path,
    *,
    keys: Path,
    rules: Path,
    now: datetime,
    gateways: Collection[str] = (),
    adapters: bool = True,
    retry_seconds: Collection[float] = tuple(_RETRY_SECONDS),
) -> Ground:
    """Make a run folder for the example exchange, or for some of its gateways.

    Raises:
        GroundError: `not-a-run-folder` when there is something else at `folder`.
        TrustError, PolicyError: the example keys or the rules are refused.
    """
    _clear(folder)
    (folder / "keys").mkdir(mode=0o700)
    hosting = _copy_keys(keys, folder / "keys")
    chosen = {name: hosted for name, hosted in hosting.items() if not gateways or name in gateways}
    # Those that are not started here never say that they are ready.
    fingerprint = _mint(folder, rules, hosting, now, quorum=100 * len(chosen) // len(hosting))
    ports = _free_ports(2 + len(chosen))
    relay, monitor = ports.pop(), ports.pop()
    _write(
        folder / "hub.toml",
        {"hub": {"data": "hub", "releases": "releases", "root": fingerprint, "port": relay, "monitor_port": monitor}},
    )
    members: dict[str, Member] = {}
    for name, agencies in chosen.items():
        port = ports.pop()
        for agency in agencies:
            path = _token(folder, name, agency, "person")
            members[agency] = Member(agency=agency, gateway=name, url=f"http://127.0.0.1:{port}", token_file=path)
        _write(
            folder / "gateways" / f"{name}.toml",
            {
                "gateway": {
                    "name": name,
                    "agencies": list(agencies),
                    "listen": f"127.0.0.1:{port}",
                    "data": f"../data/{name}",
                    "keys": f"../keys/{name}",
                    "tokens": f"../tokens/{name}.json",
                    "root": fingerprint,
                    "relay": [f"nats://127.0.0.1:{relay}"],
                    "retry_seconds": list(retry_seconds),
                    "unsafe_example_keys": True,
                }
            },
        )
    watched = _adapters(folder, members) if adapters else {}
    _write(folder / "exchange.toml", _exchange(chosen, watched))
    index = {
        name: {"gateway": one.url, "token_file": str(one.token_file.relative_to(folder))}
        for name, one in members.items()
    }
    (folder / AGENCIES_FILE).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    (folder / "root.txt").write_text(fingerprint + "\n", encoding="utf-8")
    return Ground(
        folder=folder,
        exchange=folder / "exchange.toml",
        members=members,
        watched=watched,
        relay=f"nats://127.0.0.1:{relay}",
        monitor=f"http://127.0.0.1:{monitor}",
        root=fingerprint,
    )


def _clear(folder: Path) -> None:
    """Make the folder empty. What is not a run folder of ours is never removed."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / "exchange.toml").exists() and not (folder / "keys").exists():
            raise GroundError("not-a-run-folder", f"`{folder}` holds something else; name an empty folder")
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)


def _copy_keys(source: Path, target: Path) -> dict[str, tuple[str, ...]]:
    """Copy every gateway's keys with mode 0600 (git keeps no modes); returns which agencies each gateway hosts."""
    hosting: dict[str, tuple[str, ...]] = {}
    for place in sorted(path for path in source.iterdir() if path.is_dir()):
        (target / place.name).mkdir(mode=0o700)
        for path in sorted(place.glob("*.json")):
            copied = target / place.name / path.name
            copied.touch(mode=_PRIVATE)
            copied.write_bytes(path.read_bytes())
        if place.name != OFFICERS:
            names = (path.name.removesuffix(".json") for path in place.glob("*.json"))
            hosting[place.name] = tuple(sorted(name for name in names if not name.endswith(".nkey")))
    return hosting


def _mint(folder: Path, rules: Path, hosting: Mapping[str, tuple[str, ...]], now: datetime, *, quorum: int) -> str:
    """Let the example officers sign a root, the rules and the directory."""
    officers = [
        load_officer_keys(path, allow_example=True) for path in sorted((folder / "keys" / OFFICERS).glob("*.json"))
    ]
    beating = new_beat_keys()
    (folder / "releases").mkdir(mode=0o700)
    write_beat_keys(beating, folder / "releases" / BEAT_KEY, created=now)
    root = mint_root(EXCHANGE, officers, beats=[beating.public], created=now)
    texts = {name: (rules / name).read_text(encoding="utf-8") for name in (VOCABULARY, RULES, AGENCIES)}
    vocabulary = parse_vocabulary(texts[VOCABULARY], source=VOCABULARY)
    attributes = parse_agencies(texts[AGENCIES], vocabulary, source=AGENCIES)
    entries = [
        Entry(
            agency=agency,
            gateway=gateway,
            attributes=attributes[agency],
            public=load_agency_keys(folder / "keys" / gateway / f"{agency}.json", allow_example=True).public(),
            contacts=_contacts(agency),
        )
        for gateway, agencies in hosting.items()
        for agency in agencies
    ]
    nkeys = {
        name: load_gateway_keys(folder / "keys" / name / f"{name}.nkey.json", allow_example=True).public
        for name in hosting
    }
    signers = officers[:2]
    store = TrustStore(folder / "releases", root.root.fingerprint)
    store.offer(root.sealed, now=now)
    # Rules that somebody tries out here may break their own cases: they are played all the same, and judged afterwards.
    ruleset = parse_ruleset(texts[RULES], vocabulary, source=RULES)
    failing = frozenset(case.name for case in run_cases(ruleset, vocabulary, attributes) if case.failed)
    first = Conditions(quorum=quorum, failing=failing)
    signed = mint_rules(
        texts[VOCABULARY],
        texts[RULES],
        root=root.root,
        previous=None,
        officers=signers,
        created=now,
        conditions=first,
    )
    store.offer(signed.sealed, now=now)
    listed = mint_directory(
        entries,
        nkeys,
        root=root.root,
        previous=None,
        officers=signers,
        created=now,
        vocabulary=vocabulary,
        conditions=first,
    )
    store.offer(listed.sealed, now=now)
    return root.root.fingerprint


def _contacts(agency: str) -> dict[str, dict[str, str]]:
    return {
        "duty": {"name": f"Duty desk of {agency}", "phone": "+1 217 555 0100"},
        "alternate": {"name": f"Watch commander of {agency}", "phone": "+1 217 555 0199"},
    }


def _adapters(folder: Path, members: Mapping[str, Member]) -> dict[str, Path]:
    watched = {}
    for agency in ADAPTER_KINDS:
        if agency not in members:
            continue
        member = members[agency]
        token = _token(folder, member.gateway, agency, "adapter")
        watched[agency] = folder / "feeds" / agency
        (watched[agency] / "in").mkdir(mode=0o700, parents=True)
        # What the agency decided (markings, protected sites, defaults) stands in its example; the places are ours.
        decided = tomllib.loads((feeds.EXAMPLES / agency / "adapter.toml").read_text(encoding="utf-8"))
        places = {
            "agency": agency,
            "gateway": member.url,
            "token_file": f"../{token.relative_to(folder)}",
            "folder": f"../feeds/{agency}",
        }
        _write(folder / "adapters" / f"{agency}.toml", {**decided, **places})
    return watched


def _exchange(hosting: Collection[str], watched: Collection[str]) -> dict[str, Any]:
    return {
        "exchange": {"name": EXCHANGE, "logs": "log"},
        "hub": {"config": "hub.toml"},
        "gateway": [{"config": f"gateways/{name}.toml"} for name in hosting],
        "adapter": [{"kind": ADAPTER_KINDS[agency], "config": f"adapters/{agency}.toml"} for agency in watched],
    }


def _token(folder: Path, gateway: str, agency: str, name: str) -> Path:
    secret, _ = create(folder / "tokens" / f"{gateway}.json", agency=agency, scopes=SCOPES, name=name)
    path = folder / "tokens" / f"{agency}.{name}.token"
    path.touch(mode=_PRIVATE)
    path.write_text(secret + "\n", encoding="ascii")
    return path


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(write_toml(document), encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different because all are held open at once."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()
