"""Talks to OpenAI-compatible providers (client_call is the only importer of openai). One request a call: no retries, no redirects.

For the worker's event loop; also for short-lived loops (commands, the admin's test button), which call `close_all`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers import client_call
from providers.bodies import RESERVED
from providers.client_call import close_all
from providers.client_chunks import Chunks, Event, Finished, Reasoning, Text, Usage, clean
from providers.client_reply import Reply
from providers.client_sse import Reader, TooLong
from providers.client_watch import Watch
from providers.endpoints import Dialect, Endpoint, ModelInfo
from providers.failures import Failure, Kind

__all__ = [
    "ChatRequest",
    "Dialect",
    "Endpoint",
    "Event",
    "Failure",
    "Finished",
    "Kind",
    "Limits",
    "ModelInfo",
    "Reasoning",
    "Text",
    "Usage",
    "close_all",
    "list_models",
    "stream",
]

Handling = Callable[[bool], Awaitable[None]]
MOST_MODELS = 5_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience in seconds, sizes in bytes (`max_total`: characters of answer and reasoning together).

    `first_byte_s` runs from the start to the first word of answer or reasoning: comments, roles and empty chunks are
    not words. `gap_s` runs between words. The whole time is the caller's to limit.
    """

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    gap_s: float = 30.0
    max_line: int = 1 << 20
    max_total: int = 4 << 20
    max_raw: int = 256 << 20


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked. `extra` goes into the body as it is, but never over the fields that cost or count (RESERVED)."""

    model: str
    messages: list[dict[str, Any]]
    max_tokens: int
    temperature: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


async def stream(
    endpoint: Endpoint, *, request: ChatRequest, limits: Limits, handling: Handling | None = None
) -> AsyncGenerator[Event, None]:
    """The answer's pieces, and exactly one Finished as the last. Everything else raises Failure.

    Leave early only by closing the iterator (`contextlib.aclosing`) or by cancelling: the connection ends at once.
    `handling` is awaited with True before what came is looked at, until a first word has come, and with False if it brought none.
    """
    watch = Watch(first_byte_s=limits.first_byte_s, gap_s=limits.gap_s)
    content = _body(request, dialect=endpoint.dialect)
    reply = await client_call.call(
        endpoint,
        path="/chat/completions",
        content=content,
        connect_s=limits.connect_s,
        first_byte_s=limits.first_byte_s,
    )
    body = reply.body
    chunks = Chunks(reasoning_fields=endpoint.dialect.reasoning_fields, max_total=limits.max_total)
    try:
        _check_is_stream(reply)
        body.allow(limits.max_raw)
        watch.start(body)
        reader = Reader(max_line=limits.max_line)
        ended = False
        while not ended:
            pieces, failure, ended = await _step(watch, reader=reader, chunks=chunks, handling=handling)
            if pieces:
                watch.word()
                handling = None
            elif handling is not None and not ended:
                await handling(False)
            for piece in pieces:
                yield piece
            if failure is not None:
                raise failure
            if chunks.finish:
                watch.tail()
        if not chunks.finish:
            raise Failure(Kind.CUT_OFF, detail="no finish_reason", dispatched=True)
    finally:
        watch.stop()
        if chunks.done:
            body.leave()
        else:
            body.close()
    yield Finished(chunks.finish, chunks.usage, chunks.model, reply.request_id, chunks.odd)


async def _step(
    watch: Watch, *, reader: Reader, chunks: Chunks, handling: Handling | None
) -> tuple[list[Text | Reasoning], Failure | None, bool]:
    """What the next bytes bring: pieces, perhaps a failure after them, and whether that was the end.

    Once the answer is finished no failure counts.
    """
    pieces: list[Text | Reasoning] = []
    data: bytes | None = None
    try:
        data = await watch.read()
        if handling is not None:
            await handling(True)
        for name, payload in reader.feed(data) if data else reader.finish():
            pieces += chunks.take(name, payload)
            if chunks.done:
                break
    except (Failure, TooLong) as error:
        failure = None if chunks.finish else watch.explain(error, at_end=data == b"")
        return pieces, failure, True
    return pieces, None, chunks.done or not data


async def list_models(endpoint: Endpoint, *, limits: Limits | None = None) -> list[ModelInfo]:
    """The provider's models, in its order. Raises Failure; NOT_A_STREAM if the answer is no such list."""
    limits = limits or Limits(first_byte_s=10)
    reply = await client_call.call(
        endpoint, path="/models", content=None, connect_s=limits.connect_s, first_byte_s=limits.first_byte_s
    )
    body = reply.body
    parts: list[bytes] = []
    try:
        body.allow(limits.max_total)
        async with asyncio.timeout(limits.first_byte_s):
            while part := await body.read():
                parts.append(part)
    except TimeoutError:
        raise Failure(Kind.FIRST_BYTE_TIMEOUT, detail="list of models") from None
    finally:
        body.close()
    try:
        listed = orjson.loads(b"".join(parts))
    except orjson.JSONDecodeError:
        raise Failure(Kind.NOT_A_STREAM, detail="the list of models is not JSON") from None
    rows = listed.get("data") if isinstance(listed, dict) else listed
    if not isinstance(rows, list):
        raise Failure(Kind.NOT_A_STREAM, detail="no list of models")
    found: dict[str, ModelInfo] = {}
    for row in rows[:MOST_MODELS]:
        name = row.get("id") if isinstance(row, dict) else None
        if isinstance(name, str) and 0 < len(name) <= 200 and clean(name) == name:
            owner, created = row.get("owned_by"), row.get("created")
            found.setdefault(
                name,
                ModelInfo(
                    name,
                    clean(owner)[:80] if isinstance(owner, str) else "",
                    created if type(created) is int and created > 0 else 0,
                ),
            )
    return list(found.values())


def _body(request: ChatRequest, *, dialect: Dialect) -> bytes:
    """The request as JSON; the count is asked for wherever the provider can give it. Raises Failure(BAD_REQUEST)."""
    body: dict[str, Any] = {name: value for name, value in request.extra.items() if name not in RESERVED}
    messages = request.messages
    if dialect.system_role != "system":
        messages = [{**m, "role": dialect.system_role} if m.get("role") == "system" else m for m in messages]
    body |= {"model": request.model, "messages": messages, "stream": True}
    body[dialect.max_tokens_field] = request.max_tokens
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if dialect.usage_in_stream:
        body["stream_options"] = {"include_usage": True}
    try:
        return orjson.dumps(body)
    except TypeError:
        raise Failure(Kind.BAD_REQUEST, detail="the request cannot be written as JSON") from None


def _check_is_stream(reply: Reply) -> None:
    kind = reply.headers.get("content-type", "text/event-stream").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise Failure(Kind.NOT_A_STREAM, detail=f"content-type {kind[:60]}", status=reply.status, dispatched=True)
