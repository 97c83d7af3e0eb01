"""Every command explains itself with an example, and every failure has its exit status and its stream."""

import http.server
import json
import threading
from pathlib import Path

import click
import pytest

from broker.cli import main
from tests.cli.command import tearline

TOP = Path(__file__).parents[2]


def every_command():
    def walk(command, path):
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=path[-1] if path else "tearline")
            for name in command.list_commands(context):
                yield from walk(command.get_command(context, name), (*path, name))
        yield path, command

    return list(walk(main, ()))


COMMANDS = every_command()


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "tearline" for path, _ in COMMANDS])
def test_every_command_has_a_help_with_an_example(path, command) -> None:
    text = command.help or ""

    assert len(text.splitlines()[0]) < 120
    if not path or path[0] == "bench":
        return
    assert f"tearline {' '.join(path)}" in text


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) or "tearline" for path, _ in COMMANDS])
def test_every_command_that_gives_data_gives_it_to_machines(path, command) -> None:
    # Processes talk in logs, and what `keys show` prints is JSON already.
    exceptions = {("hub",), ("gateway",), ("adapter",), ("keys", "show")}
    if isinstance(command, click.Group) or path in exceptions:
        return

    assert any("--json" in option.opts for option in command.params)


@pytest.fixture
def gateway(tmp_path):
    """A gateway of canned answers: status and body by path."""
    answers: dict[str, tuple[int, dict]] = {}

    class Canned(http.server.BaseHTTPRequestHandler):
        def _answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answers[self.path.partition("?")[0]]
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("tl_something")
    try:
        yield answers, {"TEARLINE_GATEWAY": f"http://127.0.0.1:{server.server_port}", "TEARLINE_TOKEN_FILE": str(token)}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_refusal_by_the_rules_is_status_3_with_the_rules_in_words_and_data(gateway, tmp_path) -> None:
    answers, env = gateway
    answers["/v1/bulletins"] = (
        422,
        {
            "title": "the sharing rules permit no recipient",
            "status": 422,
            "code": "nobody-permitted",
            "detail": "nobody",
            "errors": [],
            "withheld": [{"agency": "peoria-pd", "portion": "p1", "rules": ["R10"]}],
        },
    )
    file = tmp_path / "b.json"
    file.write_text('{"kind": "bulletin"}')

    person = tearline("publish", file, env=env)
    machine = tearline("publish", file, "--json", env=env)

    assert person.status == machine.status == 3
    assert person.out == ""
    assert "peoria-pd p1: R10" in person.words
    assert machine.json()["code"] == "nobody-permitted"
    assert machine.json()["withheld"][0]["rules"] == ["R10"]


def test_an_unreachable_gateway_is_status_4(tmp_path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("tl_something")

    done = tearline("status", "--gateway", "http://127.0.0.1:9", "--token-file", token, "--json")

    assert done.status == 4
    assert done.json()["code"] == "unreachable"


def test_a_refused_token_is_status_2(gateway) -> None:
    answers, env = gateway
    answers["/v1/status"] = (401, {"title": "a token is needed", "status": 401, "code": "unauthorized", "detail": ""})

    done = tearline("status", env=env)

    assert done.status == 2
    assert "unauthorized" in done.words


def test_a_token_file_that_others_can_read_is_refused(gateway) -> None:
    answers, env = gateway
    answers["/v1/status"] = (200, {})
    Path(env["TEARLINE_TOKEN_FILE"]).chmod(0o644)

    done = tearline("status", env=env)

    assert done.status == 2
    assert "token-too-open" in done.words


def test_without_a_gateway_the_way_out_is_named(tmp_path) -> None:
    done = tearline("inbox", "--as", "springfield-pd", cwd=tmp_path)

    assert done.status == 2
    assert "tearline demo" in done.words
    assert done.out == ""


def test_a_pipe_gets_tab_separated_rows_without_colour(gateway) -> None:
    answers, env = gateway
    row = {
        "id": "0193a5e0-7c00-7000-8000-000000000001",
        "control_number": "X-1",
        "from": "il-state-police",
        "kind": "bulletin",
        "product": "BOLO",
        "precedence": "IMMEDIATE",
        "received": "2026-11-22T12:00:00Z",
        "rung": "stored",
        "portions": ["p1"],
        "recalled": False,
    }
    answers["/v1/inbox"] = (200, {"items": [row], "next_cursor": None})

    done = tearline("inbox", env=env)

    assert done.status == 0
    assert done.out.rstrip("\n").split("\t")[:3] == [row["id"], "X-1", "bulletin"]
    assert "\x1b" not in done.out + done.words


def test_text_of_a_bulletin_cannot_drive_the_terminal(gateway) -> None:
    answers, env = gateway
    bulletin = {
        "id": "0193a5e0-7c00-7000-8000-000000000001",
        "control_number": "X-1",
        "from": "il-state-police",
        "kind": "bulletin",
        "product": "BOLO",
        "precedence": "IMMEDIATE",
        "created": "t",
        "expires": "t",
        "portions": [{"id": "p1", "version": "full", "marking": {"tlp": "AMBER"}, "content": "a\x1b]0;owned\x07b"}],
        "obligations": {},
    }
    answers[f"/v1/bulletins/{bulletin['id']}"] = (200, bulletin)

    done = tearline("inbox", bulletin["id"], env=env)

    assert "\x1b" not in done.out
    assert "owned" in done.out


def test_rules_check_runs_the_cases_that_stand_with_the_rules() -> None:
    done = tearline("rules", "check", TOP / "policy" / "rules.example", "--json")

    assert done.status == 0
    assert done.json()["ok"]
    assert len(done.json()["cases"]) >= 12


def test_rules_check_fails_when_a_case_does_not_hold(tmp_path) -> None:
    for file in (TOP / "policy" / "rules.example").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(
            text.replace("reaches exactly: [cook-sheriff]", "reaches exactly: [peoria-pd]")
        )

    done = tearline("rules", "check", tmp_path)

    assert done.status == 1


def test_rules_that_cannot_be_read_are_named_with_their_line(tmp_path) -> None:
    for file in (TOP / "policy" / "rules.example").glob("*.yaml"):
        (tmp_path / file.name).write_text(
            file.read_text(encoding="utf-8").replace("effect: always", "effect: sometimes")
        )

    done = tearline("rules", "check", tmp_path)

    assert done.status == 2
    assert "rules.yaml:" in done.words


def test_a_bulletin_in_a_file_is_explained_without_a_gateway(tmp_path) -> None:
    from datetime import UTC, datetime

    from broker.demo import people

    file = tmp_path / "juvenile.json"
    file.write_text(json.dumps(people.juvenile(datetime.now(tz=UTC))))  # noqa: TID251 - the command reads the clock, too
    rules = TOP / "policy" / "rules.example"

    done = tearline("rules", "explain", file, "il-state-police", "--rules", rules, "--json")

    assert done.status == 0, done.words
    assert [one["outcome"] for one in done.json()["portions"]] == ["withheld", "shared"]
    assert done.json()["portions"][0]["blocked_by"] == ["R07"]


def test_doctor_finds_nothing_wrong_here(tmp_path) -> None:
    done = tearline("doctor", "--data", tmp_path, "--json")

    assert done.status == 0, done.out
    checks = {one["check"]: one for one in done.json()["checks"]}
    assert {"python", "packages", "nats-server", "OpenSSL of the seal", "aiohttp parser", "clock", "disk fsync"} <= set(
        checks
    )
    assert "FIPS" in checks["OpenSSL of the seal"]["found"]


def test_doctor_fails_on_a_relay_that_does_not_answer(tmp_path) -> None:
    done = tearline("doctor", "--data", tmp_path, "--nats", "http://127.0.0.1:9", "--json")

    assert done.status == 1
    assert not done.json()["ok"]
