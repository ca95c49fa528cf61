"""`/v1/` as one function: a whole request in, an answer out. Decides which address is meant; all else is its neighbours'."""

from __future__ import annotations

import logging
from urllib.parse import unquote

from django.conf import settings
from django.db import Error

from accounts import log_ids
from api.gateway import bodies, entry, forms, holding, lists
from api.gateway.asked import Asked
from api.gateway.calling import Calling
from api.gateway.envelope import PREFIX, Refusal
from api.gateway.holding import Call
from api.gateway.out import Out, Receive, Send
from api.gateway.routes import Look, Route, find
from api.gateway.running import MOST, keeper
from api.gateway.threads import work
from api.gateway.words import of_failure
from providers.failures import Failure

log = logging.getLogger(__name__)


def concerns(path: str) -> bool:
    """Whether a request is the gateway's."""
    return path.startswith(PREFIX)


def takes_body(method: str, path: str) -> bool:
    """Whether a request has a body that is worth reading: one of a call."""
    try:
        return isinstance(find(method, path), Route)
    except Refusal:
        return False


async def answer(asked: Asked, *, receive: Receive, send: Send) -> None:
    """One request, whose body is complete. `receive` says when the caller leaves."""
    log_ids.begin(request_id=asked.id.hex)
    out = Out(send, told={"x-request-id": asked.id.hex})
    try:
        what = find(asked.method, asked.path)
        if isinstance(what, Look):
            await _look(asked, at=Look(unquote(what.name)), out=out)
            return
        _room()
        call = await work(_open, asked, what)
    except Refusal as refusal:
        await out.refuse(refusal)
        await out.end()
    except Error as error:
        log.warning("a program's request finds no database: %s", type(error).__name__)
        text = "The service is restarting or its storage is full. Try again in a moment."
        await out.refuse(Refusal(503, "database_away", text, retry_after=2))
        await out.end()
    except (
        Exception
    ):  # a slip of ours is told in the same shape, and leaves no hold: that is the last thing that `_open` writes
        log.exception("a program's request met a fault of ours")
        await out.refuse(Refusal(500, "internal", "A fault of the portal. It was written down."))
        await out.end()
    else:
        out.tell(call.guest.told)
        await Calling(call, out=out, receive=receive).run()


def _room() -> None:
    if keeper.draining or len(keeper.calls) >= MOST:
        raise Refusal(503, "busy", "The server is busy or restarting. Try again in a moment.", retry_after=2)


async def _look(asked: Asked, *, at: Look, out: Out) -> None:
    guest, body = await work(lists.look, asked, at=at)
    out.tell(guest.told)
    await out.head(200, b"application/json", length=len(body))
    await out.write(body)
    await out.end()


def _open(asked: Asked, route: Route) -> Call:
    """In a database thread: who, what, how much; and the hold. Raises Refusal."""
    guest = entry.admit(asked, scope="chat")
    try:
        if route.form == "multipart":
            wanted = forms.read(asked.body, content_type=asked.headers.get("content-type", ""))
        else:
            remote = settings.GATEWAY_REMOTE_IMAGES
            wanted = bodies.read(route, asked.body, remote_pictures=remote)
        try:
            choice = entry.choose(guest, name=wanted.model)
        except Refusal:
            holding.note_unknown_model(asked, guest=guest, name=wanted.model)
            raise
        return holding.open_call(asked, route=route, guest=guest, choice=choice, wanted=wanted)
    except Refusal as refusal:
        refusal.headers = guest.told | refusal.headers
        raise
    except Failure as failure:
        language = guest.principal.language or guest.organisation.language
        told = of_failure(failure, key="", language=language)
        told.headers |= guest.told
        raise told from None
