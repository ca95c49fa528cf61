"""The gateway's door: a request under /v1/ is looked at and read like every other one, within its own size; refusals are OpenAI's.

Knows nothing of models or calls; api.gateway does.
"""

from __future__ import annotations

import asyncio
import uuid

from django.conf import settings

from api.gateway import app
from api.gateway.asked import Asked
from api.gateway.envelope import PREFIX
from portal.admission import KB, MB, Gone, Receive, Refused, Scope, Send, check, wsgi_path
from portal.guard import Guard, refuse

LARGE = 256 * 1024
LARGE_AT_ONCE = 4
"""So many larger bodies are held in memory at a time; the others rest in files, on the loop's side, where waiting is free."""
_large = asyncio.Semaphore(LARGE_AT_ONCE)


async def application(scope: Scope, receive: Receive, send: Send, *, guard: Guard) -> None:
    """One request under /v1/."""
    limits = guard.limits
    try:
        check(scope, limits=limits)
        path = "/" + wsgi_path(scope).removeprefix(PREFIX)
        body = await _body(scope, receive, path=path, guard=guard)
    except Refused as refused:
        await refuse(refused, scope=scope, receive=receive, send=send, limits=limits)
    except Gone:
        pass
    else:
        asked = _asked(scope, path=path, body=body)
        del body
        await app.answer(asked, receive=receive, send=send)


async def _body(scope: Scope, receive: Receive, *, path: str, guard: Guard) -> bytes:
    """The whole body; of a request that is no call only a small one is taken."""
    limit = settings.GATEWAY_BODY_MB * MB if app.takes_body(scope["method"], path) else 64 * KB
    found = await guard.bodies.read(scope, receive, limit=limit)
    try:
        if found.size <= LARGE:
            content: bytes = found.file.read()
            return content
        async with _large:
            return await asyncio.get_running_loop().run_in_executor(None, found.file.read)
    finally:
        guard.bodies.release(found)


def _asked(scope: Scope, *, path: str, body: bytes) -> Asked:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        if b"_" not in name:
            headers[name.decode("latin-1").lower()] = value.decode("latin-1")
    client = scope.get("client") or ("", 0)
    return Asked(
        method=scope["method"],
        path=path.encode("latin-1").decode("utf-8", "replace"),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        address=client[0],
        body=body,
        id=uuid.uuid4(),
    )
