"""A server of the test's own, byte by byte: for answers that no simulator gives and requests that must be looked at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from providers.endpoints import Endpoint

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
ANSWER = HEAD + b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@contextlib.asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Endpoint]:
    """Listens on a free port; gives its address as an endpoint. Connections are closed when `serve` returns."""
    served: set[asyncio.Task[None]] = set()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.create_task(closing(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Endpoint(base_url=f"http://127.0.0.1:{port}/v1", key="sk-test")
    server.close()
    async with asyncio.timeout(2):
        await asyncio.gather(*served)


async def whole_request(reader: asyncio.StreamReader) -> bytes:
    """Head and body of one POST."""
    head = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
    return head + await reader.readexactly(size)
