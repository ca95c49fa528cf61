"""The addresses that may wait: an answer is awaited here, on the loop, between two ordinary requests. No thread is held.

The view answers at once and says, for this file only (api.awaited), what to wait for. When there is news, or the time is over, the
answer is read by a second request with the same credential: what somebody may not see any more she does not see.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from functools import partial
from typing import Any

import orjson

from api import awaited, streaming
from api.awaited import Awaited
from chat import poll
from chat.watch import watcher

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_PATHS = re.compile(r"/api/v1/(?:ask|generations/[0-9a-f-]{36})/")
_NAME = awaited.HEADER.lower().encode()
# What belongs to the body of the first request, which the second has not; and to where a stream begins.
_OF_THE_FIRST = frozenset(
    (b"content-length", b"content-type", b"transfer-encoding", b"expect", b"idempotency-key", b"last-event-id")
)
# Longer than any wait the views allow (seconds).
LONGEST_S = 60.0


def concerns(scope: Scope) -> bool:
    """Whether this request may have to wait."""
    return scope["method"] in ("GET", "POST") and _PATHS.fullmatch(scope["path"]) is not None


class Answer:
    """Takes an answer in whole, so that it can be looked at before it leaves."""

    def __init__(self) -> None:
        self.start: Message = {}
        self._parts: list[Message] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self._parts.append(message)

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(part.get("body", b"") for part in self._parts)

    def awaited(self) -> Awaited | None:
        """What is to be awaited, taken out of the headers."""
        headers = self.start.get("headers", [])
        found = next((value for name, value in headers if name.lower() == _NAME), b"")
        self.start["headers"] = [(name, value) for name, value in headers if name.lower() != _NAME]
        return awaited.read(found)

    def accepted(self, first: Answer) -> None:
        """An answer to a question that is not there yet stays the 202 that it was, with the same address."""
        if self.start["status"] == 200 and not orjson.loads(self.body)["ended"]:
            self.start["status"] = first.start["status"]
        self.start["headers"] += [header for header in first.start["headers"] if header[0].lower() == b"location"]

    async def leave(self, send: Send) -> None:
        await send(self.start)
        for message in self._parts:
            await send(message)


class _Wait:
    """Somebody who listens to an answer, as a held poll does."""

    def __init__(self) -> None:
        self.news = asyncio.Event()

    def wake(self) -> None:
        self.news.set()


async def application(scope: Scope, receive: Receive, send: Send, *, django: Application) -> None:
    """One request that may wait; `django` answers whole requests."""
    first = Answer()
    await django(scope, receive, first)
    if not first.start:
        return  # the client has left
    wanted = first.awaited()
    if wanted is None:
        await first.leave(send)
    elif wanted.stream:
        look = partial(_look, wanted.generation, scope=scope, django=django)
        stream = streaming.Stream(wanted, headers=scope["headers"], address=_address(scope))
        await _stays(receive, stream.send(orjson.loads(first.body), start=first.start, send=send, look=look))
    elif await _stays(receive, _news(wanted)):
        second = Answer()
        await django(_look_at(wanted.generation, scope=scope, known=wanted.after), _without_a_body(receive), second)
        if second.start:
            second.awaited()
            if scope["method"] == "POST":
                second.accepted(first)
            await second.leave(send)


async def _news(wanted: Awaited) -> None:
    """Until the answer has ended (or, with `after`, is another than it was), the process stops, or the time is over."""
    wait = _Wait()
    until = asyncio.get_running_loop().time() + min(wanted.wait, LONGEST_S)
    answer = watcher.answers.get(wanted.generation)
    while answer is not None and answer.active and not answer.gone and not poll.stopping:
        left = until - asyncio.get_running_loop().time()
        # What came since the view looked; nothing can come between this look and `listen`.
        if left <= 0 or (wanted.after is not None and (answer.chars > wanted.after or answer.state != wanted.state)):
            return
        wait.news.clear()
        watcher.listen(answer, poll=wait)
        try:
            await asyncio.wait_for(wait.news.wait(), timeout=left)
        except TimeoutError:
            return
        finally:
            watcher.leave(answer, poll=wait)
        if wanted.after is not None:
            return


async def _stays(receive: Receive, work: Coroutine[Any, Any, None]) -> bool:
    """Does the work while the client is there; False when it has left."""
    waiting, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    both = {waiting, leaving}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
        return waiting.done()
    finally:
        waiting.cancel()
        leaving.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _never() -> Message:
    """What a request inside of a stream hears: its client is listened to elsewhere."""
    await asyncio.Event().wait()
    raise AssertionError


def _without_a_body(receive: Receive) -> Receive:
    """What the second request hears: that its body is empty, and then whether the client leaves."""
    said: Message | None = {"type": "http.request", "body": b"", "more_body": False}

    async def hear() -> Message:
        nonlocal said
        if said is None:
            return await receive()
        message, said = said, None
        return message

    return hear


async def _look(generation: str, known: int, *, scope: Scope, django: Application) -> tuple[int, Any]:
    """Status and body of what whoever sent the first request is shown now, from the character `known` on."""
    answer = Answer()
    await django(_look_at(generation, scope=scope, known=known), _without_a_body(_never), answer)
    return answer.start["status"], orjson.loads(answer.body)


def _look_at(generation: str, *, scope: Scope, known: int | None) -> Scope:
    """The second request: a GET of the generation by whoever sent the first."""
    path = f"/api/v1/generations/{generation}/"
    return {
        **scope,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"" if known is None else b"after=%d" % known,
        "headers": [(name, value) for name, value in scope["headers"] if name not in _OF_THE_FIRST],
    }


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])
