"""One request to a provider: address and headers as the SDK makes them, sent over our own transport.

The SDK is asked once per endpoint and path; after that a call costs what the connection costs (through the SDK it was half of all
that a busy worker's loop did). Knows status, headers and a body that has not been read; what they mean is client.py's.
"""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

from providers.client_reply import Reply, refusal
from providers.client_transport import Body, Transport
from providers.endpoints import Endpoint
from providers.failures import Failure, Kind

# Of the request that is sent, not of the one that the SDK showed.
_OF_ONE = frozenset({"content-length", "host"})


@dataclass(frozen=True, slots=True)
class _Made:
    """What the SDK sends for a path."""

    url: str
    headers: list[tuple[str, str]]


@dataclass(slots=True)
class _Line:
    """An endpoint on one loop: its connections, and the requests that the SDK has shown."""

    transport: Transport
    made: dict[str, _Made] = field(default_factory=dict)


class _Mirror(httpx2.AsyncBaseTransport):
    """Sends nothing: the answer only carries the request."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(204, request=request)


_lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, _Line]] = weakref.WeakKeyDictionary()


async def call(endpoint: Endpoint, *, path: str, content: bytes | None, connect_s: float, first_byte_s: float) -> Reply:
    """Posts `content` (JSON), or GETs without one. A reply with a good status; everything else raises Failure."""
    try:
        async with asyncio.timeout(first_byte_s):
            mine = _lines.setdefault(asyncio.get_running_loop(), {})
            line = mine.get(endpoint)
            if line is None:
                line = mine[endpoint] = _Line(Transport(endpoint))
            made = line.made.get(path)
            if made is None:
                made = line.made[path] = await _make(endpoint, path=path, content=content)
            response = await line.transport.send(made.url, headers=made.headers, content=content, connect_s=connect_s)
            reply = Reply(response.status, response.headers, Body(response))
            if not 200 <= reply.status < 300:
                raise await refusal(reply)
            return reply
    except TimeoutError:
        raise Failure(Kind.FIRST_BYTE_TIMEOUT, dispatched=True) from None
    except (httpx2.InvalidURL, ValueError, openai.OpenAIError) as error:
        # for example a key that no header can carry; the message may quote it, so it stays out of the log
        raise Failure(Kind.BAD_KEY, detail=f"not sent: {type(error).__name__}") from None


async def close_all() -> None:
    """Closes the running loop's connections; the next call opens new ones."""
    for line in _lines.pop(asyncio.get_running_loop(), {}).values():
        await line.transport.aclose()


async def _make(endpoint: Endpoint, *, path: str, content: bytes | None) -> _Made:
    """Asks the SDK for address and headers. Nothing of it comes from the environment."""
    async with httpx2.AsyncClient(transport=_Mirror(), trust_env=False) as http:
        client = openai.AsyncOpenAI(
            api_key=endpoint.key or "none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=endpoint.base_url,
            max_retries=0,
            http_client=http,
        )
        # The SDK also reads headers from OPENAI_CUSTOM_HEADERS and sends empty organisation headers: neither is meant.
        client._custom_headers = {}
        options: Any = {
            "headers": {
                "Accept": "text/event-stream" if content else "application/json",
                "Accept-Encoding": "identity",
                "OpenAI-Organization": openai.omit,
                "OpenAI-Project": openai.omit,
            },
        }
        # `stream` only keeps the SDK from reading the body: with this `cast_to` it hands the response over as it is
        given: Any = {"cast_to": httpx2.Response, "stream": True, "stream_cls": openai.AsyncStream, "options": options}
        shown: Any = await (
            client.get(path, **given) if content is None else client.post(path, content=content, **given)
        )
    request: httpx2.Request = shown.request
    headers = [(name, value) for name, value in request.headers.multi_items() if name.lower() not in _OF_ONE]
    return _Made(str(request.url), headers)
