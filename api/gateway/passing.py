"""One request to a provider, whose answer is passed on event by event, or whole. Reads its count on the way; changes nothing else.

Raises Failure. Reads no further than the caller takes: a reader who has stopped stops the provider, too.
"""

from __future__ import annotations

import asyncio
import time

import orjson
from django.conf import settings

from api.gateway import bodies, forms
from api.gateway.holding import Call
from api.gateway.meter import Meter
from api.gateway.out import EVENTS, Out
from providers import modes, relay
from providers.client_reply import Reply
from providers.client_sse import Reader, TooLong
from providers.client_watch import Watch
from providers.failures import Failure, Kind
from providers.relay import Post

MOST_LINE = 4 << 20
MOST_RAW = 256 << 20
MOST_WHOLE = 32 << 20
"""Bytes of one event, of a stream or a sound, and of an answer that has to be here whole before it is passed on."""


class Passing:
    """`began` and `first_at` are monotonic seconds: when the provider was turned to, when the first of the answer came.

    `asked`: it was turned to; `dispatched`: there was a connection, and the request went out.
    """

    def __init__(self, call: Call, *, meter: Meter, out: Out) -> None:
        self._call, self._meter, self._out = call, meter, out
        self.asked = False
        self.dispatched = False
        self.began = time.monotonic()
        self.first_at: float | None = None

    async def run(self) -> None:
        """From the request to the end of the answer."""
        call, wanted = self._call, self._call.wanted
        post = _post(call)
        # A plain answer comes when all of it is written: for that the deadline is the only patience.
        patience = call.model.first_byte_s or settings.FIRST_BYTE_S
        if not wanted.stream and call.route.name != "embedding":
            patience = settings.DEADLINE_S
        watch = Watch(first_byte_s=patience, gap_s=settings.GAP_S)
        self.asked = True
        self.began = time.monotonic()
        reply = await relay.call(
            call.endpoint, post=post, connect_s=settings.CONNECT_S, first_byte_s=patience, sent=self._sent
        )
        if wanted.stream and call.route.streams:
            await self._events(reply, watch=watch)
        elif call.route.raw:
            await self._raw(reply, watch=watch)
        else:
            await self._whole(reply, watch=watch)

    def _sent(self) -> None:
        self.dispatched = True

    # --- a stream of events -------------------------------------------------------------------------------------------

    async def _events(self, reply: Reply, *, watch: Watch) -> None:
        body, meter, reader = reply.body, self._meter, Reader(max_line=MOST_LINE)
        try:
            if reply.kind not in ("text/event-stream", ""):
                raise Failure(Kind.NOT_A_STREAM, detail=reply.kind[:60], status=reply.status, dispatched=True)
            body.allow(MOST_RAW)
            watch.start(body)
            ended = False
            while not ended:
                ended = await self._step(reader, watch=watch)
        except asyncio.CancelledError:
            self._count(reader, body.arrived())
            raise
        finally:
            watch.stop()
            if meter.done:
                body.leave()
            else:
                body.close()
        if not meter.whole:
            raise Failure(Kind.CUT_OFF, detail="no end", dispatched=True)

    async def _step(self, reader: Reader, *, watch: Watch) -> bool:
        """What the next bytes bring is passed on; whether that was the end. Once the answer is whole no failure counts."""
        meter, before, data = self._meter, self._meter.produced, None
        events: list[bytes] = []
        failure: Failure | None = None
        try:
            data = await watch.read()
            for name, payload in reader.feed(data) if data else reader.finish():
                if meter.take(name, payload):
                    events.append(_event(name, payload))
                if meter.done:
                    break
        except (Failure, TooLong) as error:
            failure = watch.explain(error, at_end=data == b"")
        if events:
            await self._pass(events)
        if meter.produced > before or (events and self._call.route.shape == "response"):
            watch.word()
        if meter.whole:
            watch.tail()
            return meter.done or not data or failure is not None
        if failure is not None:
            raise failure
        return not data

    async def _pass(self, events: list[bytes]) -> None:
        if not self._out.started:
            self.first_at = time.monotonic()
            await self._out.head(200, EVENTS.encode())
        await self._out.write(b"".join(events))

    def _count(self, reader: Reader, data: bytes) -> None:
        """What had come when the call was stopped was made, and is paid: it is counted, and goes nowhere."""
        try:
            for name, payload in reader.feed(data) if data else ():
                self._meter.take(name, payload)
        except (Failure, TooLong):
            pass

    # --- an answer as a whole -----------------------------------------------------------------------------------------

    async def _whole(self, reply: Reply, *, watch: Watch) -> None:
        content = await self._read_whole(reply, watch=watch)
        kind = reply.headers.get("content-type", "application/json")
        if self._call.route.shape != "none" or reply.kind == "application/json":
            self._meter.read(_object(content, kind=reply.kind))
        else:
            self._meter.read({"text": content.decode("utf-8", "replace")})  # a transcript as plain words or subtitles
        self.first_at = time.monotonic()
        await self._out.head(200, kind.encode("latin-1", "replace")[:200], length=len(content))
        await self._out.write(content)

    async def _read_whole(self, reply: Reply, *, watch: Watch) -> bytes:
        body, parts, data = reply.body, [], b""
        try:
            body.allow(MOST_WHOLE)
            watch.start(body)
            while data := await watch.read():
                parts.append(data)
                watch.word()
        except Failure as error:
            raise watch.explain(error, at_end=False) from None
        finally:
            watch.stop()
            body.close()
        return b"".join(parts)

    async def _raw(self, reply: Reply, *, watch: Watch) -> None:
        """A sound (or its events): passed as it comes. Nobody counts it: it is charged by what was asked."""
        body, size = reply.body, 0
        try:
            body.allow(MOST_RAW)
            watch.start(body)
            while data := await watch.read():
                if not self._out.started:
                    self.first_at = time.monotonic()
                    kind = reply.headers.get("content-type", "application/octet-stream")
                    await self._out.head(200, kind.encode("latin-1", "replace")[:200])
                await self._out.write(data)
                watch.word()
                size += len(data)
        except Failure as error:
            raise watch.explain(error, at_end=False) from None
        finally:
            watch.stop()
            body.close()
        if not size:
            raise Failure(Kind.CUT_OFF, detail="empty", dispatched=True)
        self._meter.read({})


def _post(call: Call) -> Post:
    """What goes out for this call, at the provider where it goes now."""
    route, wanted, name = call.route, call.wanted, call.way.upstream_name
    if route.form == "multipart":
        content, kind = forms.outgoing(wanted, upstream_name=name)
        return Post(route.path, content, content_type=kind)
    fixed = call.model.body if isinstance(call.model.body, dict) else {}
    mode = modes.named(call.model, call.choice.mode or modes.usual(call.model))
    of_mode = dict(mode.body) if mode is not None and route.shape != "none" else {}
    chosen = bool(call.choice.mode)
    content = bodies.outgoing(
        route,
        wanted,
        upstream_name=name,
        output=call.output,
        dialect=call.endpoint.dialect,
        ours={**(fixed if route.shape != "none" else {}), **(of_mode if chosen else {})},
        defaults={} if chosen else of_mode,
    )
    return Post(route.path, content, accept="text/event-stream" if wanted.stream else "application/json")


def _event(name: bytes, data: bytes) -> bytes:
    """As it came, but with the plain line ends of the format."""
    lines = data if b"\n" not in data else data.replace(b"\n", b"\ndata: ")
    return b"data: %b\n\n" % lines if not name else b"event: %b\ndata: %b\n\n" % (name, lines)


def _object(content: bytes, *, kind: str) -> dict[str, object]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        wrong = Kind.NOT_A_STREAM if kind == "text/html" else Kind.BAD_STREAM
        raise Failure(wrong, detail="not JSON", dispatched=True) from None
    if not isinstance(found, dict):
        raise Failure(Kind.BAD_STREAM, detail="not an object", dispatched=True)
    return found
