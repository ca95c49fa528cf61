"""Stands in for the live application and its start and stop, so that the web process can be tested without a database.

Importing it puts the two modules in place; `portal.asgi` then finds them. Only ever imported by a process of its own.
"""

import asyncio
import sys
import types
from collections.abc import Callable
from typing import Any

CALLS: list[str] = []
_over = asyncio.Event()
waiting: list[Any] = []


def start() -> None:
    """What portal.asgi calls before the first request."""
    CALLS.append("start")


async def stop() -> None:
    """What portal.asgi calls after the last request."""
    CALLS.append("stop")


def draining() -> None:
    """What portal.asgi calls when the end has come."""
    CALLS.append("draining")
    _over.set()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Holds each request until the process drains, then answers it."""
    await _over.wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"held"})


class Held:
    """A request that is held until the process drains."""

    gone = False

    def drop(self) -> None:
        """The reader has left."""
        self.gone = True


def begin(scope: Any, *, reply: Callable[[int, bytes], None]) -> Held:
    """The same below ASGI."""
    held = Held()

    async def wait() -> None:
        await _over.wait()
        if not held.gone:
            reply(200, b"held")

    waiting.append(asyncio.ensure_future(wait()))
    return held


def _install() -> None:
    web = types.ModuleType("chat.web")
    vars(web).update(start=start, stop=stop, draining=draining)
    live = types.ModuleType("chat.live_app")
    vars(live).update(application=application, HEADERS=[], MORE={}, begin=begin)
    sys.modules.update({"chat.web": web, "chat.live_app": live})


_install()
