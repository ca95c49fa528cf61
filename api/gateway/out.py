"""What the caller is sent: a head once, pieces, an end. Waits where the reader is slow, so that nothing piles up here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from api.gateway.envelope import CONTENT_TYPE, Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PIECE = 64 * 1024
EVENTS = "text/event-stream; charset=utf-8"
STRICT = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-accel-buffering", b"no"),
]


class Out:
    """One answer on its way to the caller. `told`: headers of every answer to this request."""

    def __init__(self, send: Send, *, told: Mapping[str, str]) -> None:
        self._send = send
        self._told = dict(told)
        self.started = self.ended = self.broken = False
        self.events = False

    def tell(self, headers: Mapping[str, str]) -> None:
        """Further headers, known only now."""
        self._told |= headers

    async def head(self, status: int, content_type: bytes, *, length: int | None = None) -> None:
        """The first bytes: from here on nothing is asked again."""
        self.started = True
        self.events = content_type.startswith(b"text/event-stream")
        headers = [*STRICT, (b"content-type", content_type)]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in self._told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """More of the body. Large pieces go bit by bit, so that a reader who has stopped is noticed."""
        for start in range(0, len(data), PIECE):
            await self._send({"type": "http.response.body", "body": data[start : start + PIECE], "more_body": True})

    async def end(self) -> None:
        """No more; harmless when repeated."""
        if self.started and not self.ended and not self.broken:
            self.ended = True
            await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, refusal: Refusal) -> None:
        """The error as the whole answer, or, where a stream of events has begun, as its last event. A plain one just breaks off."""
        if self.ended:
            return
        if not self.started:
            body = refusal.body()
            self.tell(refusal.fields())
            await self.head(refusal.status, CONTENT_TYPE, length=len(body))
            await self.write(body)
        elif self.events:
            await self.write(b"data: " + refusal.body() + b"\n\n")
        else:
            self.broken = True  # without an end the server closes the connection, and nobody takes a half for the whole
