"""The two loops of an adapter: files to the gateway, events to files. This is where everything that fails ends up."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from adapters.bulletin import Correct, Intent, Publish, Recall, Receipt
from adapters.client import GatewayClient
from adapters.clock import utc_now
from adapters.errors import DocumentRefusedError, GatewayError, GatewayRefusedError, GatewayUnreachableError
from adapters.formats import bulletin_json, xml
from adapters.formats.strict import read_json
from adapters.outbound import OutFolder
from adapters.references import References
from adapters.settings import Settings
from adapters.watch import Taken, WatchedFolder

_PRECEDENCES: Final = ("ROUTINE", "PRIORITY", "IMMEDIATE", "FLASH")
# The token or the address is wrong, or the gateway is busy: that is not the file's fault, so it waits.
_NOT_THE_FILES_FAULT: Final = frozenset({401, 405, 408, 429})
_FORBIDDEN, _NOT_FOUND = 403, 404
_ALREADY_RECALLED: Final = "already-recalled"
_POLL_SECONDS: Final = 0.1
_BACKOFF: Final = (0.5, 30.0)


def check_whole(raw: bytes) -> None:
    """Raise when the content is not one whole JSON or XML document."""
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        xml.parse(raw)
    else:
        read_json(raw)


class Worker:
    """Runs until told to stop; may be killed at any moment and loses nothing."""

    def __init__(
        self,
        client: GatewayClient,
        settings: Settings,
        translate: Callable[[bytes, datetime], Intent],
        out: OutFolder,
        log: FilteringBoundLogger,
    ) -> None:
        self._client, self._translate, self._out, self._log = client, translate, out, log
        waits = {"settle": settings.settle_seconds, "patience": settings.patience_seconds}
        self._files = WatchedFolder(settings.folder, inbox="in", check=check_whole, **waits)
        self._acks = WatchedFolder(settings.folder, inbox="ack", check=check_whole, **waits)
        self._references = References(client, settings.folder / "keys")

    async def run(self, stop: asyncio.Event) -> None:
        """Run the loops until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._again("files", lambda: self._inbound(self._files, self._translate))),
                group.create_task(
                    self._again(
                        "receipts", lambda: self._inbound(self._acks, lambda raw, _: bulletin_json.parse_receipt(raw))
                    )
                ),
                group.create_task(self._again("events", self._outbound)),
            ]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _again(self, loop: str, work: Callable[[], Awaitable[None]]) -> None:
        """Repeat a loop for ever: an adapter that stopped working silently is the one thing it must never be."""
        failures = 0
        while True:
            started = time.monotonic()
            try:
                await work()
            except GatewayError as error:
                self._log.warning("gateway not usable", loop=loop, code=getattr(error, "code", "unreachable"))
            except Exception as error:  # noqa: BLE001 - the service: everything else is logged by type and tried again
                self._log.error("adapter fault", loop=loop, error=type(error).__name__)
            failures = 0 if time.monotonic() - started > _BACKOFF[1] else failures + 1
            wait = min(_BACKOFF[1], _BACKOFF[0] * 2.0 ** min(failures, 16))
            await asyncio.sleep(wait * (0.5 + secrets.SystemRandom().random() / 2))

    # ------------------------------------------------------------------ files to the gateway

    async def _inbound(self, folder: WatchedFolder, translate: Callable[[bytes, datetime], Intent]) -> None:
        waiting = await asyncio.to_thread(folder.left_over)
        while True:
            ready = []
            for taken in waiting:
                submission = await self._prepare(folder, taken, translate)
                if submission is not None:
                    ready.append((taken, submission))
            # FLASH first; a stable sort, so files of one precedence go in order of arrival.
            ready.sort(key=lambda pair: -_rank(pair[1]))
            for taken, submission in ready:
                await self._send(folder, taken, submission)
            await asyncio.sleep(_POLL_SECONDS)
            waiting = await asyncio.to_thread(lambda: list(folder.arrived(time.monotonic())))

    async def _prepare(
        self, folder: WatchedFolder, taken: Taken, translate: Callable[[bytes, datetime], Intent]
    ) -> Mapping[str, Any] | None:
        """What to send for a file: what was kept before a crash, else a fresh translation, kept before it is sent."""
        answer = await asyncio.to_thread(folder.answer_to, taken.key)
        if answer is not None:
            await asyncio.to_thread(folder.finish, taken, answer)
            self._log.info("file was here before", key=taken.key[:12])
            return None
        kept = await asyncio.to_thread(folder.submission, taken)
        if kept is not None:
            return kept
        try:
            submission = await self._resolved(translate(taken.content, utc_now()))
        except DocumentRefusedError as refused:
            reason = {"code": refused.code, "pointer": refused.pointer, "detail": refused.detail}
            await self._refuse(folder, taken, reason)
            return None
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours must not stop the files behind this one
            self._log.error("translation fault", key=taken.key[:12], error=type(error).__name__)
            await self._refuse(folder, taken, {"code": "translation-fault", "detail": "a fault of the adapter"})
            return None
        await asyncio.to_thread(folder.keep_submission, taken, submission)
        return submission

    async def _resolved(self, intent: Intent) -> dict[str, Any]:
        """Turn control numbers and foreign identities into ids; from here on it is plain data."""
        match intent:
            case Publish(body=body, identity=identity):
                return {"call": "publish", "body": await self._references.in_body(body), "identity": identity}
            case Correct(of=of, body=body, identity=identity, otherwise_new=otherwise_new):
                found = await self._references.own(of)
                if found:
                    references = {**(body.get("references") or {}), "supersedes": found[0]}
                    corrected = {**body, "kind": "correction", "references": references}
                    return {"call": "correct", "of": found[0], "body": corrected, "identity": identity}
                if otherwise_new:
                    return {"call": "publish", "body": body, "identity": identity}
            case Recall(of=of, reason=reason):
                found = await self._references.own(of)
                if found:
                    return {"call": "recall", "of": found[0], "reason": reason}
            case Receipt(of=of_one, rung=rung, person=person, note=note):
                bulletin_id = await self._references.received(of_one)
                return {"call": "receipt", "of": bulletin_id, "rung": rung, "person": person, "note": note}
        raise DocumentRefusedError(
            "unknown-reference", "/references", "no bulletin of this agency is known by that name"
        )

    async def _send(self, folder: WatchedFolder, taken: Taken, submission: Mapping[str, Any]) -> None:
        """Send until answered; the file stays claimed, and is found again, when the gateway cannot be reached."""
        try:
            answer = await self._call(submission, taken.key)
        except GatewayRefusedError as refused:
            if _may_pass(refused, submission):
                raise
            if refused.code != _ALREADY_RECALLED or submission["call"] != "recall":
                reason = {"code": refused.code, "pointer": refused.pointer, "detail": refused.detail or refused.title}
                await self._refuse(folder, taken, {**refused.extra, **reason})
                return
            # Recalled by this very file before a crash, or by a person: what the file asks for is done.
            answer = {"recalls": submission["of"], "code": refused.code}
        identifier = str(answer.get("id", ""))
        if submission.get("identity") and identifier:
            await asyncio.to_thread(self._references.remember, submission["identity"], identifier)
        if submission["call"] in {"publish", "correct"} and identifier:
            await asyncio.to_thread(self._out.published, identifier, answer)
        await asyncio.to_thread(folder.finish, taken, {"key": taken.key, "name": taken.name, **answer})
        self._log.info("file taken", key=taken.key[:12], call=submission["call"], bulletin=identifier)

    async def _call(self, submission: Mapping[str, Any], key: str) -> dict[str, Any]:
        match submission["call"]:
            case "publish":
                return await self._client.publish(submission["body"], idempotency_key=key)
            case "correct":
                return await self._client.correct(submission["of"], submission["body"], idempotency_key=key)
            case "recall":
                return await self._client.recall(submission["of"], reason=submission["reason"], idempotency_key=key)
            case "receipt":
                return await self._client.receipts(
                    submission["of"], submission["rung"], person=submission["person"], note=submission["note"]
                )
            case _:
                raise DocumentRefusedError("unknown-call", "", "the kept submission is not one of this version")

    async def _refuse(self, folder: WatchedFolder, taken: Taken, reason: Mapping[str, Any]) -> None:
        await asyncio.to_thread(folder.refuse, taken, {**reason, "name": taken.name})
        self._log.warning("file refused", key=taken.key[:12], code=reason["code"])

    # ------------------------------------------------------------------ events to files

    async def _outbound(self) -> None:
        """Write each event, then confirm it: the confirmation is what makes a bulletin `fetched`."""
        async with contextlib.aclosing(self._client.events()) as events:
            async for event in events:
                failed = await asyncio.to_thread(self._out.take, event)
                for format_name in failed:
                    self._log.warning(
                        "format cannot hold the bulletin", format=format_name, bulletin=event.data.get("id")
                    )
                if event.id:
                    await self._client.confirm(event.id)
        raise GatewayUnreachableError("the gateway ended the event stream")


def _may_pass(refused: GatewayRefusedError, submission: Mapping[str, Any]) -> bool:
    """Whether the same file may be taken later, when somebody has put the token, its scope or the address right."""
    if refused.status == _NOT_FOUND:
        return bool(submission["call"] == "publish")  # a submission names nothing that could be missing
    return refused.status in _NOT_THE_FILES_FAULT or (refused.status == _FORBIDDEN and refused.code == "forbidden")


def _rank(submission: Mapping[str, Any]) -> int:
    """A recall is urgent whatever it takes back."""
    if submission["call"] == "recall":
        return len(_PRECEDENCES)
    precedence = submission.get("body", {}).get("precedence")
    return _PRECEDENCES.index(precedence) if precedence in _PRECEDENCES else 0
