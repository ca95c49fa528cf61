"""GET /live/<generation>: the poll, as a bare ASGI application. It holds a request without a thread and without a query of its own.

Answers at once when something is new; else waits until something is, at most POLL_HOLD_S. Never logged, never cached.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.conf import settings
from django.db import Error
from django.http.cookie import parse_cookie
from django.utils import translation

from chat import watch_queries
from chat.live import LiveAnswer, Reader, Ticket, path_of, read_ticket
from chat.models import HELD
from chat.notes import note
from chat.watch import watcher

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger(__name__)
# A reader is served at most so often (seconds): little while few follow, seldom while many do.
PACE_S, PACE_EACH_S, PACE_MOST_S = 0.03, 0.001, 0.5
MOST_READERS = 64
_threads = ThreadPoolExecutor(2, thread_name_prefix="admit")
_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"vary", b"Cookie"),
]
_NOT_FOUND = orjson.dumps({"error": {"code": "not_found", "message": "This page does not exist, or is not yours."}})
# As on the pages (portal.views): the page asks again, and nothing it has shown is taken away.
_AWAY = orjson.dumps({
    "error": {
        "code": "database_away",
        "message": "The service is restarting or its storage is full. What was answered as sent is kept; nothing was half stored.",
    }
})  # fmt: skip
_METHOD = orjson.dumps({"error": {"code": "method_not_allowed", "message": "Use GET."}})
WAITING = ("waiting", "queued")
stopping = False


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One poll."""
    if scope["method"] != "GET":
        await _send(send, 405, _METHOD)
        return
    try:
        await _poll(scope, receive, send)
    except Error as error:
        log.warning("a poll finds no database: %s", type(error).__name__)
        await _send(send, 503, _AWAY, (b"retry-after", b"1"))


async def _poll(scope: Scope, receive: Receive, send: Send) -> None:
    given = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    ticket = read_ticket(
        given.get("ticket", ""), generation=scope["path"].removeprefix("/live/"), session_key=_session_key(scope)
    )
    if ticket is None:
        await _send(send, 404, _NOT_FOUND)
        return
    answer = await _admitted(ticket)
    if answer is None:
        await _send(send, 404, _NOT_FOUND)
        return
    seen, wait = (
        _number(given.get("seen"), most=2**31),
        min(float(_number(given.get("wait"), most=60)), settings.POLL_HOLD_S),
    )
    opened = _number(given["open"], most=2**53) if given.get("open") else None
    if not await _hold(answer, ticket=ticket, seen=seen, wait=wait, receive=receive):
        return  # nobody is there any more
    if wait and watcher.get(ticket) is None and await _admitted(ticket) is None:
        await _send(send, 404, _NOT_FOUND)
        return
    await _send(send, 200, orjson.dumps(await _payload(answer, ticket=ticket, seen=seen, opened=opened)))


def _session_key(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"cookie":
            # Django's own way of reading: another site's odd cookie on this host must not hide ours.
            return parse_cookie(value.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")
    return ""


def _number(text: str | None, *, most: int) -> int:
    """A whole number out of a query; what is none counts as 0."""
    if not text or len(text) > 20:
        return 0
    whole = text.partition(".")[0]
    return min(int(whole), most) if whole.isascii() and whole.isdigit() else 0


async def _admitted(ticket: Ticket) -> LiveAnswer | None:
    answer = watcher.get(ticket)
    if answer is not None:
        return answer
    return await asyncio.get_running_loop().run_in_executor(_threads, watcher.admit, ticket)


def _reader(answer: LiveAnswer, *, ticket: Ticket) -> Reader:
    reader = answer.readers.get(ticket.session_key)
    if reader is None:
        while len(answer.readers) >= MOST_READERS:
            del answer.readers[next(iter(answer.readers))]
        reader = answer.readers[ticket.session_key] = Reader()
    return reader


def _pace() -> float:
    return min(PACE_MOST_S, PACE_S + PACE_EACH_S * watcher.running)


def _is_new(answer: LiveAnswer, *, reader: Reader, seen: int) -> bool:
    if not answer.active or answer.gone or answer.seq > seen:
        return True
    return answer.state in WAITING and answer.facts != reader.note  # afterwards there is no note until the end


async def _hold(answer: LiveAnswer, *, ticket: Ticket, seen: int, wait: float, receive: Receive) -> bool:
    """Waits until there is something new (and the reader's pace allows it); False when the reader has gone."""
    reader = _reader(answer, ticket=ticket)
    until = time.monotonic() + wait
    leaving: asyncio.Task[Any] | None = None
    try:
        while wait and not stopping:
            now = time.monotonic()
            new = _is_new(answer, reader=reader, seen=seen)
            due = reader.served + _pace() if answer.active else now
            if now >= until or (new and now >= due):
                break
            leaving = leaving or asyncio.ensure_future(_left(receive))
            future = watcher.waiter(answer)
            try:
                await asyncio.wait(
                    {leaving} if new else {leaving, future},
                    timeout=min(until, due) - now if new else until - now,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                watcher.leave(answer, future=future)
            if leaving.done():
                return False
            if answer.gone or (not new and watcher.get(ticket) is None):
                break
    finally:
        if leaving is not None:
            leaving.cancel()
    reader.served = time.monotonic()
    return True


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _payload(answer: LiveAnswer, *, ticket: Ticket, seen: int, opened: int | None) -> dict[str, Any]:
    reader = _reader(answer, ticket=ticket)
    reader.note = facts = answer.facts
    made = answer.payload(seen=seen, opened=opened)
    made["note"] = None
    if facts is not None and facts.state == made["state"] and facts.state not in HELD:  # nothing is noted of what runs
        with translation.override(ticket.language):
            made["note"] = note(facts)
    left = ticket.expires - time.time()
    if answer.active and left < settings.TICKET_S / 2:
        made["poll_url"] = path_of(replace(ticket, expires=int(time.time() + settings.TICKET_S)))
    if not answer.active:
        loop = asyncio.get_running_loop()
        made["title"] = await loop.run_in_executor(_threads, watch_queries.title_of, answer.conversation_id)
    return made


async def _send(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [*_HEADERS, (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
