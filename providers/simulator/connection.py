"""One HTTP/1.1 connection: requests in, timed steps out. Knows nothing of models or modes.

One timer per answer and no task: a step is written when it is due and when the reader keeps up.
A reader who leaves is noticed at once, because reading never stops.
"""

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from providers.simulator import chunks
from providers.simulator.faults import Step

MOST_HEAD = 64 * 1024
MOST_BODY = 64 * 1024 * 1024
BURST = 16  # steps without a pause between them before others get their turn


class Request(NamedTuple):
    """One request, complete. Header names are lower case."""

    method: str
    path: str
    fields: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """What to write, and whom to tell at the end: done, aborted (the reader left) or fault; and the tokens."""

    steps: Iterator[Step]
    keep: bool = True
    bills_on: bool = False
    on_end: Callable[[str, int], None] = field(default=lambda ended, tokens: None)


class BadRequestError(ValueError):
    """Not HTTP as we read it; the text is the status to answer with."""


class RequestReader:
    """Collects bytes into requests: Content-Length or chunked, with caps."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.waits_for_continue = False

    def feed(self, data: bytes) -> None:
        """More bytes came."""
        self._data += data

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return len(self._data)

    def take(self) -> Request | None:
        """The next complete request, or None until more bytes come; raises BadRequestError."""
        end = self._data.find(b"\r\n\r\n", 0, MOST_HEAD)
        if end < 0:
            if len(self._data) >= MOST_HEAD:
                raise BadRequestError("431")
            return None
        first, *lines = bytes(self._data[:end]).decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3:
            raise BadRequestError("400")
        pairs = (line.partition(":") for line in lines)
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        found = self._body(end + 4, fields)
        if found is None:
            self.waits_for_continue = fields.get("expect", "").lower() == "100-continue"
            return None
        body, used = found
        del self._data[:used]
        self.waits_for_continue = False
        return Request(words[0], words[1].partition("?")[0], fields, body)

    def _body(self, start: int, fields: dict[str, str]) -> tuple[bytes, int] | None:
        if "chunked" in fields.get("transfer-encoding", "").lower():
            return self._chunked_body(start)
        length = fields.get("content-length", "0")
        if not length.isdecimal():
            raise BadRequestError("400")
        end = start + int(length)
        if end - start > MOST_BODY:
            raise BadRequestError("413")
        return (bytes(self._data[start:end]), end) if len(self._data) >= end else None

    def _chunked_body(self, start: int) -> tuple[bytes, int] | None:
        parts = bytearray()
        while True:
            line = self._data.find(b"\r\n", start)
            if line < 0:
                return None
            try:
                size = int(bytes(self._data[start:line]).partition(b";")[0], 16)
            except ValueError:
                raise BadRequestError("400") from None
            if size < 0 or len(parts) + size > MOST_BODY:
                raise BadRequestError("413")
            start = line + 2
            if len(self._data) < start + size + 2:
                return None
            parts += self._data[start : start + size]
            start += size + 2
            if size == 0:
                return bytes(parts), start


class Connection(asyncio.Protocol):
    """Answers one request after the other; `answer` decides what."""

    def __init__(self, answer: Callable[[Request], Reply], crowd: set["Connection"]) -> None:
        self._answer = answer
        self._crowd = crowd
        self._reader = RequestReader()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reply: Reply | None = None
        self._waiting: Step | None = None
        self._timer: asyncio.Handle | None = None
        self._due = 0.0
        self._tokens = 0
        self._paused = False
        self._hung = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of a class of its own
        self._crowd.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; while an answer runs they wait, up to a bound."""
        self._reader.feed(data)
        if self._reply is None:
            self._next_request()
        elif self._reader.size > MOST_HEAD:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client left (or we closed): stop at once, unless the mode goes on billing."""
        self._transport = None
        self._crowd.discard(self)
        if self._reply is None:
            return
        if self._reply.bills_on:
            self.resume_writing()
        else:
            self._end("aborted")

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        self._paused = True

    def resume_writing(self) -> None:
        """The client caught up."""
        self._paused = False
        if self._reply is not None and self._timer is None:
            self._run()

    def close(self) -> None:
        """Close after what is already written."""
        if self._transport is not None:
            self._transport.close()

    def _next_request(self) -> None:
        if self._reply is not None or self._transport is None:
            return
        try:
            request = self._reader.take()
        except BadRequestError as error:
            self._write(chunks.head(int(str(error)), fields={"Connection": "close"}, framing="length"))
            self.close()
            return
        if request is None:
            if self._reader.waits_for_continue:
                self._reader.waits_for_continue = False
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._reply = self._answer(request)
        self._reply.keep = self._reply.keep and request.fields.get("connection", "").lower() != "close"
        self._due, self._tokens, self._hung = self._loop.time(), 0, False
        self._run()

    def _run(self) -> None:
        self._timer = None
        for _ in range(BURST):
            reply = self._reply
            if reply is None or self._paused or self._hung:
                return
            step, self._waiting = self._waiting, None
            if step is None:
                step = next(reply.steps, None)
                if step is None:
                    self._end("done")
                    return
                if step.wait:
                    # From when it was due, not from now: a busy moment does not slow the whole answer.
                    self._due = max(self._due + step.wait, self._loop.time())
                    self._waiting = step
                    self._timer = self._loop.call_at(self._due, self._run)
                    return
            self._deliver(step)
        if self._reply is not None and not self._paused and not self._hung:
            self._timer = self._loop.call_soon(self._run)

    def _deliver(self, step: Step) -> None:
        self._tokens += step.tokens
        self._hung = step.then == "hang"
        ended = {"": "", "hang": "", "end": "done"}.get(step.then, "fault")
        reply = self._reply
        if ended and reply is not None:
            # Before the last bytes: who has read the whole answer also finds the whole bill.
            reply.on_end(ended, self._tokens)
        self._write(step.data)
        if step.then == "reset":
            self._reset()
        if ended and reply is not None:
            reply.keep = reply.keep and ended == "done"
            self._leave()

    def _end(self, ended: str) -> None:
        if self._reply is not None:
            self._reply.on_end(ended, self._tokens)
            self._leave()

    def _leave(self) -> None:
        reply, self._reply, self._waiting = self._reply, None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if reply is None or self._transport is None:
            return
        if not reply.keep:
            self.close()
        elif self._reader.size:
            self._loop.call_soon(self._next_request)

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _reset(self) -> None:
        """End with RST: linger 0 set on a second handle of the same socket, which uvloop's own does not offer."""
        if self._transport is None:
            return
        handle = self._transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(handle)) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
