"""The web process as one ASGI application: waiting routes to the live application, /v1/ to the gateway,
everything else to Django's threads.

Refuses websockets: every answer is polled, so that any proxy can stand in front.
"""

import asyncio
import gc
import inspect
import logging
from collections.abc import Awaitable, Callable

from django.conf import settings

from portal.admission import STRICT_HEADERS, Limits, Receive, Refused, Scope, Send, check
from portal.guard import Guard, refuse
from portal.wsgi import application as django_application

# isort: split
# After portal.wsgi: importing it makes Django ready, and these import models.
from api import waiting
from api.gateway.envelope import PREFIX
from api.gateway.running import keeper
from chat import web
from chat.live_app import application as live_application
from portal import gateway, samples, watchman
from providers import relay

logger = logging.getLogger("portal.web")

Hook = Callable[[], Awaitable[None] | None]

startup: list[Hook] = [web.start, samples.sampler.start, watchman.start, keeper.start]
"""Called in order before the first request, on the event loop; an awaitable result is awaited."""

shutdown: list[Hook] = [keeper.stop, relay.close_all, watchman.stop, samples.sampler.stop, web.stop]
"""Called in order after the last request."""

draining: list[Hook] = [web.draining, keeper.drain]
"""Called when the process is about to stop, while it still answers: held polls are answered now."""

limits = Limits(
    threads=settings.WEB_THREADS,
    queue=settings.WEB_QUEUE,
    idle_s=settings.BODY_IDLE_S,
    grace_s=settings.BODY_GRACE_S,
    patience_s=settings.WEB_PATIENCE_S,
)
guard = Guard(django_application, limits=limits)


async def run(hooks: list[Hook]) -> None:
    """Call hooks in order, awaiting those that ask for it."""
    for hook in hooks:
        result = hook()
        if inspect.isawaitable(result):
            await result


class _Start:
    """Runs the startup hooks exactly once, by lifespan or, where the server has none, before the first request."""

    def __init__(self) -> None:
        self.done = False
        self._lock = asyncio.Lock()

    async def __call__(self) -> None:
        async with self._lock:
            if self.done:
                return
            guard.threads.start()
            await run(startup)
            # What is alive now stays alive: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            self.done = True


_start = _Start()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Dispatch one ASGI connection."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    if scope["path"] == "/health/live":
        await _alive(send)
        return
    if not _start.done:
        await _start()
    if waiting.concerns(scope):
        await waiting.application(scope, receive, send, django=guard)
        return
    if scope["path"].startswith(PREFIX):
        await gateway.application(scope, receive, send, guard=guard)
        return
    if not scope["path"].startswith("/live/"):
        await guard(scope, receive, send)
        return
    try:
        check(scope, limits=limits)
    except Refused as refused:
        await refuse(refused, scope=scope, receive=receive, send=send, limits=limits)
    else:
        await live_application(scope, receive, send)


async def _alive(send: Send) -> None:
    headers = [*STRICT_HEADERS, (b"content-type", b"text/plain"), (b"content-length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok\n"})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        try:
            if message["type"] == "lifespan.startup":
                await _start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await run(shutdown)
                guard.threads.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
        except Exception as error:
            logger.exception("the web process could not %s", message["type"].removeprefix("lifespan."))
            await send({"type": f"{message['type']}.failed", "message": str(error)})
            return
