"""`tearline up`: the exchange file, its strictness, and an end that leaves nothing behind."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broker.demo.ground import examples, prepare
from broker.ops.clock import now
from broker.ops.exchange import ExchangeError, load_exchange, plan
from tests.cli.command import CLEAN, alive, tearline

GATEWAY = '[gateway]\nname = "{name}"\nlisten = "127.0.0.1:7443"\n'


def write(folder: Path, text: str) -> Path:
    (folder / "a.toml").write_text(GATEWAY.format(name="a"))
    (folder / "exchange.toml").write_text(text)
    return folder / "exchange.toml"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[exchange]\nname = 'x'\nnmae = 'y'\n[hub]\nconfig = 'h.toml'\n", "settings"),
        ("[exchange]\nname = 'x'\n[hub]\nconfig = 'h.toml'\n[hbu]\nconfig = 'h.toml'\n", "settings"),
        ("[hub]\nconfig = 'h.toml'\n", "settings"),
        ("[exchange]\nname = 'x'\n", "nothing-to-run"),
        ("[exchange\n", "not-toml"),
    ],
)
def test_what_the_exchange_file_does_not_know_stops_the_start(tmp_path, text, code) -> None:
    with pytest.raises(ExchangeError) as caught:
        load_exchange(write(tmp_path, text))

    assert caught.value.code == code


def test_relative_paths_start_at_the_exchange_file(tmp_path, monkeypatch) -> None:
    file = write(tmp_path, "[exchange]\nname = 'x'\n[[gateway]]\nconfig = 'a.toml'\n")
    monkeypatch.chdir("/")

    made = plan(file, environ={})

    assert made.gateways[0].command[-1] == str(tmp_path / "a.toml")
    assert made.gateways[0].ready == "http://127.0.0.1:7443/readyz"
    assert made.gateways[0].log == tmp_path / "log" / "gateway-a.log"


def test_two_processes_of_one_name_are_refused(tmp_path) -> None:
    file = write(tmp_path, "[exchange]\nname = 'x'\n[[gateway]]\nconfig = 'a.toml'\n[[gateway]]\nconfig = 'a.toml'\n")

    with pytest.raises(ExchangeError) as caught:
        plan(file, environ={})

    assert caught.value.code == "duplicate"


def test_a_variable_that_would_bind_every_process_is_refused(tmp_path) -> None:
    file = write(tmp_path, "[exchange]\nname = 'x'\n[[gateway]]\nconfig = 'a.toml'\n")

    with pytest.raises(ExchangeError) as caught:
        plan(file, environ={"TEARLINE_LISTEN": "127.0.0.1:1"})

    assert caught.value.code == "environment"


def test_the_variables_of_the_command_line_do_not_reach_the_processes(tmp_path) -> None:
    file = write(tmp_path, "[exchange]\nname = 'x'\n[[gateway]]\nconfig = 'a.toml'\n")

    made = plan(file, environ={"TEARLINE_TOKEN_FILE": "secret", "PATH": "/bin"})

    assert made.gateways[0].environ == {"PATH": "/bin"}


def test_a_gateway_that_refuses_its_settings_ends_up_with_its_name(tmp_path) -> None:
    file = write(tmp_path, "[exchange]\nname = 'x'\n[[gateway]]\nconfig = 'a.toml'\n")

    done = tearline("up", file, "--json")

    assert done.status == 1
    assert "gateway-a" in done.words


def test_sigterm_ends_a_running_exchange_within_three_seconds(tmp_path) -> None:
    keys, rules = examples()
    ground = prepare(
        tmp_path / "run", keys=keys, rules=rules, now=now(), gateways=["chicago-pd", "small-agencies"], adapters=False
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "broker.cli", "up", str(ground.exchange), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=CLEAN,
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "3 processes" in process.stderr.readline()
        pids = [json.loads(process.stdout.readline())["pid"] for _ in range(3)]

        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=10)
        took = time.monotonic() - began

        assert status == 0
        assert took < 3.0
        assert not any(alive(pid) for pid in pids)
    finally:
        process.kill()
        process.communicate()
