"""GET /live/<generation>: the poll, for the two ways a request reaches it: an ASGI scope, or the server's own protocol.

Never logged, never cached. What a poll sees and when it is answered is chat.poll's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from chat import poll

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"vary", b"Cookie"),
]
MORE = {503: [(b"retry-after", b"1")]}
_METHOD = orjson.dumps({"error": {"code": "method_not_allowed", "message": "Use GET."}})


def begin(scope: Scope, *, reply: poll.Reply) -> poll.Poll | None:
    """Begins the poll of a GET; `reply` is called with status and body, at once or later. None: it has been called."""
    cookie = next((value for name, value in scope["headers"] if name == b"cookie"), b"")
    made = poll.open_poll(scope["path"], query=scope["query_string"], cookie=cookie, reply=reply)
    if made is None:
        reply(404, poll.NOT_FOUND)
    else:
        made.begin()
    return made


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One poll."""
    if scope["method"] != "GET":
        await _send(send, 405, _METHOD)
        return
    future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    made = begin(scope, reply=lambda status, body: future.set_result((status, body)))
    if not future.done():
        leaving: asyncio.Future[Any] = asyncio.ensure_future(_left(receive))
        both: set[asyncio.Future[Any]] = {future, leaving}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if made is not None:
                made.drop()
    if future.done():
        await _send(send, *future.result())


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [*HEADERS, *MORE.get(status, ()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
