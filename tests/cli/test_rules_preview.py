"""`tearline rules preview` and `rules history`: statuses, streams, and that what is printed is what is signed."""

import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from broker.officer.previewing import read_history
from policy.history import recorded_document
from tests.cli.command import CLEAN, tearline
from tests.policy.recordings import narcotics, recorded

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "policy" / "rules.example"


@pytest.fixture
def folders(tmp_path):
    """Two folders of rules: the example, and one where R11 lacks the line about 28 CFR 23."""
    shutil.copytree(EXAMPLE, tmp_path / "before")
    shutil.copytree(EXAMPLE, tmp_path / "after")
    rules = tmp_path / "after" / "rules.yaml"
    text = rules.read_text(encoding="utf-8")
    text = text.replace("  - agreement: HIDTA-2024\n    28 CFR 23 agreement: yes\n", "  - agreement: HIDTA-2024\n", 1)
    rules.write_text(text, encoding="utf-8")
    return tmp_path


def test_the_verdict_is_the_first_line_and_a_widening_is_no_failure(folders):
    (folders / "portions").write_text(
        json.dumps(recorded_document(recorded(narcotics(), originator="chicago-pd"))) + "\n", encoding="utf-8"
    )

    done = tearline("rules", "preview", "before", "after", "--history", "portions", "--html", "r.html", cwd=folders)

    assert done.status == 0, done.words
    assert done.out.splitlines()[0].startswith("WIDENS")
    assert "ero-chicago, lake-sheriff by R11" in done.out
    assert "WIDENS" in (folders / "r.html").read_text(encoding="utf-8")
    assert "r.html" in done.words


def test_the_hash_that_is_said_is_that_of_the_json_that_is_printed(folders):
    person = tearline("rules", "preview", "before", "before", cwd=folders)
    command = [sys.executable, "-m", "broker.cli", "rules", "preview", "before", "before", "--json"]
    machine = subprocess.run(
        command, cwd=folders, env={**CLEAN, "PYTHONPATH": str(TOP)}, capture_output=True, check=True, timeout=60
    )

    assert person.out.splitlines()[0] == "SAME (proved)"
    assert person.out.splitlines()[-1].endswith(hashlib.sha256(machine.stdout).hexdigest())


def test_a_case_that_fails_is_a_failed_check(folders):
    rules = folders / "after" / "rules.yaml"
    text = rules.read_text(encoding="utf-8").replace("reaches exactly: [cook-sheriff]", "reaches exactly: []", 1)
    rules.write_text(text, encoding="utf-8")

    done = tearline("rules", "preview", "before", "after", cwd=folders)

    assert done.status == 1
    assert "FAILS (held before): HIDTA sharing works now" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--history", "nowhere"], "nowhere"),
        (["--history", "before/rules.yaml"], "rules.yaml:1: not a line of JSON"),
        (["--at", "yesterday"], "time zone"),
        (["--at", "2026-11-20"], "time zone"),
        (["--html", "no/such/folder.html"], "no/such/folder.html"),
    ],
)
def test_what_cannot_be_read_or_written_is_usage(folders, arguments, said):
    done = tearline("rules", "preview", "before", "after", *arguments, cwd=folders)

    assert done.status == 2
    assert said in done.words


def test_a_rules_file_with_a_slip_is_named_with_its_line(folders):
    rules = folders / "after" / "rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("TLP: RED}", "TLP: REDD}", 1), encoding="utf-8")

    done = tearline("rules", "preview", "before", "after", cwd=folders)

    assert done.status == 2
    assert "rules.yaml:9" in done.words


@pytest.fixture
def gateway(tmp_path):
    """A gateway with three recorded portions on two pages; it keeps what it was asked."""
    items = [recorded_document(recorded(narcotics(), originator="chicago-pd", number=number)) for number in (1, 2, 3)]
    asked = []

    class Canned(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlparse(self.path)
            asked.append((path.path, parse_qs(path.query)))
            last = "cursor" in path.query
            page = {"items": items[2:] if last else items[:2], "unreadable": int(last)}
            raw = json.dumps({**page, "next_cursor": None if last else "more"}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("tl_something")
    try:
        yield asked, {"TEARLINE_GATEWAY": f"http://127.0.0.1:{server.server_port}", "TEARLINE_TOKEN_FILE": str(token)}
    finally:
        server.shutdown()
        server.server_close()


def test_the_history_of_all_pages_is_one_portion_on_a_line_and_can_be_replayed(gateway, tmp_path):
    asked, env = gateway

    done = tearline("rules", "history", "--days", "7", env=env)

    assert done.status == 0, done.words
    assert len(done.out.splitlines()) == 3
    (tmp_path / "portions.jsonl").write_text(done.out, encoding="utf-8")
    assert len(read_history(tmp_path / "portions.jsonl").recorded) == 3
    assert [path for path, _ in asked] == ["/v1/rules/history"] * 2
    assert asked[1][1]["cursor"] == ["more"]
    assert asked[0][1]["since"][0].endswith("Z")
    assert "3 portions" in done.words
    assert "1 submission cannot be read any more" in done.words
