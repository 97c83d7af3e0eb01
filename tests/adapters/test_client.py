from __future__ import annotations

import contextlib

import pytest

from adapters.client import (
    GatewayClient,
    GatewayRefusedError,
    GatewayUnreachableError,
    Retry,
    SettingsError,
    read_token,
)
from tests.adapters import exchange
from tests.adapters.fake_gateway import TOKEN

BODY = exchange.example("il-state-police/officer-safety-bolo.json").body | {"agency": "chicago-pd"}
FAST = Retry(attempts=4, first_seconds=0.001, most_seconds=0.01)


def client_for(gateway, **options):
    return GatewayClient(gateway.url, TOKEN, retry=options.pop("retry", FAST), **options)


async def test_a_lost_answer_is_asked_for_again_with_the_same_key_and_makes_one_bulletin(gateway):
    gateway.lose_answer_of_next = 1
    async with client_for(gateway) as client:
        answer = await client.publish(BODY, idempotency_key="k1")

    posts = [headers["Idempotency-Key"] for method, _, headers in gateway.requests if method == "POST"]
    assert posts == ["k1", "k1"]
    assert list(gateway.bulletins) == [answer["id"]]


async def test_server_errors_are_retried_and_then_given_back_as_unreachable(gateway):
    gateway.fail_next = 3
    async with client_for(gateway) as client:
        await client.publish(BODY, idempotency_key="k1")
    gateway.fail_next = 4
    async with client_for(gateway) as client:
        with pytest.raises(GatewayUnreachableError):
            await client.publish(BODY, idempotency_key="k2")


async def test_nobody_listening_is_unreachable():
    async with GatewayClient("http://127.0.0.1:1", TOKEN, retry=FAST) as client:
        with pytest.raises(GatewayUnreachableError):
            await client.status()


async def test_a_problem_answer_becomes_its_code_and_pointer_and_is_not_retried(gateway):
    body = {name: value for name, value in BODY.items() if name != "purpose"}
    async with client_for(gateway) as client:
        with pytest.raises(GatewayRefusedError) as refused:
            await client.publish(body, idempotency_key="k1")

    assert (refused.value.code, refused.value.pointer, refused.value.status) == ("missing-purpose", "/purpose", 422)
    assert sum(method == "POST" for method, _, _ in gateway.requests) == 1


async def test_the_same_key_with_another_body_is_refused(gateway):
    async with client_for(gateway) as client:
        await client.publish(BODY, idempotency_key="k1")
        with pytest.raises(GatewayRefusedError) as refused:
            await client.publish(BODY | {"precedence": "FLASH"}, idempotency_key="k1")
    assert refused.value.code == "idempotency-key-reused"


async def test_a_request_whose_first_try_still_runs_is_asked_again(gateway):
    gateway.in_progress_next = 2
    async with client_for(gateway) as client:
        await client.publish(BODY, idempotency_key="k1")
    assert len(gateway.bulletins) == 1


async def test_a_dry_run_stores_nothing(gateway):
    async with client_for(gateway) as client:
        assert await client.dry_run(BODY) == {"audience": []}
    assert gateway.bulletins == {}


async def test_events_resume_after_the_last_whole_event_when_the_connection_is_cut(gateway):
    gateway.cut_after = 2
    for number in range(5):
        await gateway.emit("receipt", {"id": f"b{number}"})
    seen = []
    async with client_for(gateway) as client, contextlib.aclosing(client.events()) as events:
        async for event in events:
            seen.append((event.id, event.event, event.data["id"]))
            if len(seen) == 5:
                break

    assert seen == [(f"c{n + 1}", "receipt", f"b{n}") for n in range(5)]
    assert gateway.streams == ["", "c2", "c4"]


async def test_unconfirmed_events_come_again_and_confirmed_ones_do_not(gateway):
    await gateway.emit("receipt", {"id": "b0"})
    await gateway.emit("receipt", {"id": "b1"})
    async with client_for(gateway) as client:
        async with contextlib.aclosing(client.events()) as events:
            first = await anext(events)
            await client.confirm(first.id)
        async with contextlib.aclosing(client.events()) as events:
            assert (await anext(events)).data["id"] == "b1"


async def test_a_refused_token_ends_the_event_stream_instead_of_hammering(gateway):
    gateway.unauthorised = True
    async with client_for(gateway) as client:
        with pytest.raises(GatewayRefusedError):
            await anext(client.events())
    assert len(gateway.requests) == 1


async def test_the_token_is_not_in_the_repr(gateway):
    assert TOKEN not in repr(client_for(gateway))


@pytest.mark.parametrize(
    "url", ["http://gateway.example:7443", "ftp://127.0.0.1", "http://user@127.0.0.1", "127.0.0.1:80"]
)
def test_a_token_never_travels_in_clear_beyond_loopback(url):
    with pytest.raises(SettingsError):
        GatewayClient(url, TOKEN)


def test_a_redirect_does_not_take_the_token_elsewhere():
    # `allow_redirects` is off, so a 3xx is an answer that is no problem document.
    from adapters.client import _answer

    with pytest.raises(GatewayRefusedError) as refused:
        _answer(302, b"")
    assert refused.value.code == "not-a-problem"


def test_a_token_file_wider_than_0600_is_refused(tmp_path):
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o640)
    with pytest.raises(SettingsError) as refused:
        read_token(path)
    assert refused.value.code == "token-too-open"

    path.chmod(0o600)
    assert read_token(path) == TOKEN


@pytest.mark.parametrize("content", ["", "two words", "x" * 5000, "umlaut-\u00fc"])
def test_a_malformed_token_file_is_refused(tmp_path, content):
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(SettingsError):
        read_token(path)
