"""Calls to providers whose answers are passed on as they come (the gateway). Knows no SDK, so that a web process stays light.

One request a call: no retries, no redirects. What the answer means is for whoever passes it on.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from providers.client_reply import Reply, refusal
from providers.client_transport import Body, Transport
from providers.endpoints import Endpoint
from providers.failures import Failure, Kind

AGENT = "chat-portal"
_lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, Transport]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Post:
    """What is sent: the path behind the provider's address, the body with its type, and what may come back."""

    path: str
    content: bytes
    content_type: str = "application/json"
    accept: str = "application/json"


async def call(
    endpoint: Endpoint, *, post: Post, connect_s: float, first_byte_s: float, sent: Callable[[], None]
) -> Reply:
    """A reply with a good status, whose body must be closed; everything else raises Failure. `sent`: the request goes out now."""
    headers = [
        ("Authorization", f"Bearer {endpoint.key or 'none'}"),
        ("Content-Type", post.content_type),
        ("Accept", post.accept),
        ("Accept-Encoding", "identity"),
        ("User-Agent", AGENT),
    ]
    try:
        async with asyncio.timeout(first_byte_s):
            mine = _lines.setdefault(asyncio.get_running_loop(), {})
            transport = mine.get(endpoint)
            if transport is None:
                transport = mine[endpoint] = Transport(endpoint, traced=True)
            response = await transport.send(
                endpoint.base_url + post.path, headers=headers, content=post.content, connect_s=connect_s, sent=sent
            )
            reply = Reply(response.status, response.headers, Body(response))
            if not 200 <= reply.status < 300:
                raise await refusal(reply)
            return reply
    except TimeoutError:
        raise Failure(Kind.FIRST_BYTE_TIMEOUT, dispatched=True) from None
    except ValueError as error:
        # a key that no header can carry; the message may quote it, so it stays out of the log
        raise Failure(Kind.BAD_KEY, detail=f"not sent: {type(error).__name__}") from None


async def close_all() -> None:
    """Closes the running loop's connections; the next call opens new ones."""
    for transport in _lines.pop(asyncio.get_running_loop(), {}).values():
        await transport.aclose()
