"""Uvicorn's HTTP protocol with the limits that an application cannot set: slow or endless heads, readers that stop.

Refuses nothing that is complete and sound; what a request means is decided behind it. Reaches into uvicorn's
protocol class, whose version is locked; tests/portal/test_server.py shows each limit at work over a socket.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from portal.admission import Refused, refusal

# For the head of a request, or for a new connection to say something.
HEAD_S: float = settings.BODY_IDLE_S
# A reader must take STALL_BYTES in this time.
STALL_S: float = settings.READER_STALL_S
STALL_BYTES = 4096
SMALL_PRINT = 64 * 1024  # bytes that are not body: head, chunk extensions, trailers


class BoundedProtocol(HttpToolsProtocol):
    """One connection: at most HEAD_S for a head, SMALL_PRINT bytes that are not body, STALL_S for a reader to move."""

    head_s = HEAD_S
    stall_s = STALL_S
    # Takes a request that waits (portal.held) and says whether it did; without it every one goes to the application.
    hold: Callable[[Any], bool] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._small_print = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.transport.is_closing():
            return
        if self._head_timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        self._small_print += len(data)
        super().data_received(data)
        if self._small_print > SMALL_PRINT and not self.transport.is_closing():
            self._refuse(Refused(431, "header_too_large", "The headers are too large."))

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer would otherwise be appended to the headers that the application reads.
        if self.headers is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.hold is None or not self.hold(self):
            super().on_headers_complete()
        self.headers = None  # type: ignore[assignment]  # from here on: trailers
        self._head_arrived()
        self._small_print = 0

    def on_body(self, body: bytes) -> None:
        self._small_print = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._small_print = 0
        self._head_arrived()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()

    def _get_upgrade(self) -> bytes | None:
        return None  # nothing is upgraded to; the request is answered in HTTP/1.1

    def _unsupported_upgrade_warning(self) -> None:
        # The parser stops at an upgrade: what follows on this connection cannot be read.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        self._refuse(Refused(400, "bad_request", "The request is not valid HTTP."))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def _refuse(self, refused: Refused) -> None:
        """Answer below the application, unless an answer has begun; the connection ends either way."""
        self._refused = True
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            headers, body = refusal(refused, accept=b"")
            lines = [b"HTTP/1.1 %d Refused" % refused.status, *(name + b": " + value for name, value in headers)]
            self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()
        self._watch_reader()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_s, self._head_late)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self._refuse(Refused(408, "too_slow", "The request took too long to arrive."))

    def _watch_reader(self) -> None:
        if self._stall_timer is None:
            left = self.transport.get_write_buffer_size()
            self._stall_timer = self.loop.call_later(self.stall_s, self._reader_late, left)

    def _reader_late(self, left: int) -> None:
        """Drop a reader that took next to nothing; without this its answer would stay in memory for ever."""
        self._stall_timer = None
        now = self.transport.get_write_buffer_size()
        if now and left - now < STALL_BYTES:
            self.transport.abort()
        elif now:
            self._watch_reader()
