"""What reaches a log line, and what is cut on the way."""

import io
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
import structlog

from broker.ops import clock
from broker.ops.log import CUT, configure
from broker.seal import nkey_seed_text

CANARY = "CANARY-4f1c9a7e2b6d8035"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure(stream=stream)
    yield stream
    structlog.reset_defaults()


def logged(lines: io.StringIO, **fields: Any) -> dict[str, Any]:
    structlog.get_logger().warning("something happened", **fields)
    line: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return line


def test_ids_and_codes_are_logged(lines: io.StringIO) -> None:
    line = logged(
        lines, code="bad-signature", bulletin="01920000-0000-7000-8000-000000000001", number=3, gateway="jttf"
    )
    assert (line["event"], line["level"], line["code"], line["number"]) == (
        "something happened",
        "warning",
        "bad-signature",
        3,
    )
    assert line["bulletin"] == "01920000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "fields",
    [
        {"content": CANARY},
        {"token": CANARY},
        {"gateway_seed": CANARY},
        {"authorization": CANARY},
        {"note": CANARY},
        {"person": CANARY},
        {"portions": [{"content": CANARY}]},
        {"detail": {"marking": "U", "content": CANARY}},
        {"anything": CANARY.encode()},
        {"anything": "x" * 400 + CANARY},
        {"anything": f"Bearer {CANARY}"},
        {"error": ValueError(CANARY)},
        {"anything": [{"deep": {"body": CANARY}}]},
    ],
)
def test_content_and_secrets_are_cut(fields: dict[str, Any], lines: io.StringIO) -> None:
    logged(lines, **fields)
    assert CANARY not in lines.getvalue()


def test_keys_are_cut_under_any_name(lines: io.StringIO) -> None:
    for secret in (nkey_seed_text(bytes(32)), "00" * 32, "A" * 43 + "=", "-----BEGIN PRIVATE KEY-----"):
        assert logged(lines, anything=secret)["anything"] == CUT


def test_a_traceback_tells_where_but_never_repeats_the_message(lines: io.StringIO) -> None:
    try:
        int(CANARY)
    except ValueError:
        structlog.get_logger().exception("it failed")
    line = json.loads(lines.getvalue())
    assert CANARY not in lines.getvalue()
    assert line["error"] == "ValueError"
    assert line["at"]


def test_the_clock_is_aware_and_the_other_one_never_goes_back() -> None:
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()
