"""The poll below ASGI: a request that waits and costs no task, no scope of its own and no event. Used by portal.protocol only.

Takes what is plainly a poll (a GET of /live/ without a body, nothing before it on its connection); all else goes the usual way.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol
from urllib.parse import unquote

from chat import live_app
from portal.admission import Limits, Refused, Scope, check, refusal

PREFIX = b"/live/"
_BODY = (b"content-length", b"transfer-encoding", b"upgrade", b"expect")
_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, words)
    + b"".join(b"%s: %s\r\n" % header for header in [*live_app.HEADERS, *live_app.MORE.get(status, ())])
    for status, words in ((200, b"OK"), (404, b"Not Found"), (500, b"Server Error"), (503, b"Service Unavailable"))
}


class Connection(Protocol):
    """What a held poll needs of its connection (uvicorn's protocol has it)."""

    transport: asyncio.Transport
    server_state: Any

    def on_response_complete(self) -> None: ...


class Event:
    """What uvicorn sets when the reader has gone or the body has come."""

    def __init__(self, cycle: HeldCycle) -> None:
        self._cycle = cycle

    def set(self) -> None:
        self._cycle.told()


class HeldCycle:
    """Stands where uvicorn keeps its request and response; has what uvicorn's protocol reads and sets of it."""

    def __init__(self, connection: Connection, *, keep_alive: bool) -> None:
        self.connection = connection
        self.keep_alive = keep_alive
        self.disconnected = self.response_started = self.response_complete = False
        self.more_body = False
        self.body = bytearray()
        self.message_event = Event(self)
        self.poll: Any = None

    def told(self) -> None:
        """uvicorn's protocol says that something has happened: of interest is only that the reader has gone."""
        if self.disconnected and self.poll is not None:
            self.poll.drop()

    def reply(self, status: int, body: bytes) -> None:
        """The one answer."""
        if self.disconnected or self.response_complete or self.connection.transport.is_closing():
            return
        close = b"" if self.keep_alive else b"connection: close\r\n"
        more = b"".join(b"%s: %s\r\n" % header for header in self.connection.server_state.default_headers)
        head = b"%s%s%scontent-length: %d\r\n\r\n" % (_LINES[status], more, close, len(body))
        self._write(head + body)

    def refuse(self, refused: Refused) -> None:
        """The head of the request is not sound."""
        headers, body = refusal(refused, accept=b"application/json")
        self.keep_alive = False
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self._write(b"HTTP/1.1 %d Refused\r\n%s\r\n%s" % (refused.status, lines, body))

    def _write(self, answer: bytes) -> None:
        self.connection.transport.write(answer)
        self.response_started = self.response_complete = True
        if not self.keep_alive:
            self.connection.transport.close()
        self.connection.on_response_complete()


def hold(connection: Any, *, limits: Limits) -> bool:
    """Takes the request whose head uvicorn's protocol has just read, if it is a poll; False leaves it to the application."""
    free = connection.cycle is None or connection.cycle.response_complete
    crowded = connection.limit_concurrency is not None and len(connection.connections) >= connection.limit_concurrency
    parser, headers = connection.parser, connection.headers
    if (
        not free
        or connection.pipeline
        or crowded
        or parser.get_method() != b"GET"
        or not connection.url.startswith(PREFIX)
    ):
        return False
    if any(name in _BODY for name, _ in headers):
        return False
    version = parser.get_http_version()
    cycle = connection.cycle = HeldCycle(connection, keep_alive=version != "1.0" and parser.should_keep_alive())
    raw, _, query = connection.url.partition(b"?")
    scope: Scope = {"raw_path": raw, "query_string": query, "headers": headers, "http_version": version}
    try:
        check(scope, limits=limits)
    except Refused as refused:
        cycle.refuse(refused)
        return True
    path = raw.decode("latin-1")
    scope["path"] = unquote(path) if "%" in path else path
    cycle.poll = live_app.begin(scope, reply=cycle.reply)
    return True
