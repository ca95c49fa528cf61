"""Stands between the sockets and Django: a request reaches a thread only when all of it is here and it is sound.

Refuses to stream in either direction: a thread never waits for a slow sender or a slow reader.
"""

import asyncio
import logging
from collections.abc import Callable, MutableMapping
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any, cast

from portal.admission import (
    KB,
    Gone,
    Limits,
    Receive,
    Refused,
    Scope,
    Send,
    body_limit,
    check,
    header,
    refusal,
    wsgi_path,
)
from portal.bodies import Bodies
from portal.threads import Answer, Job, Threads, WSGIApplication, make_environ

logger = logging.getLogger("portal.web")

PIECE = 64 * KB  # an answer leaves in pieces, so that the server notices a reader who has stopped
LINGER_BYTES = 16 * 1024 * KB
SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
# Forms that hash a password. Two hashes run at a time (accounts.hashers); more of these in threads would only wait
# there, and every page behind them. So they wait here, on the loop, where waiting is free.
HASHING = ("/accounts/login/", "/accounts/password/", "/accounts/confirm/", "/accounts/link/")
HASHING_EXACTLY = "/api/v1/auth/token/"
HASHING_AT_ONCE = 3


class Guard:
    """An ASGI application around a WSGI one, run in `limits.threads` persistent threads."""

    def __init__(
        self,
        application: WSGIApplication,
        *,
        limits: Limits | None = None,
        body_limit: Callable[[str], int] = body_limit,
    ) -> None:
        self.limits = limits or Limits()
        self.bodies = Bodies(limits=self.limits)
        self.threads = Threads(application, count=self.limits.threads, answer_limit=self.limits.answer)
        self._body_limit = body_limit
        self._hashing = asyncio.Semaphore(HASHING_AT_ONCE)
        self._at_once = nullcontext()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("the guard serves http requests only")
        try:
            check(scope, limits=self.limits)
            answer = await self._answer(scope, receive)
        except Refused as refused:
            await refuse(refused, scope=scope, receive=receive, send=send, limits=self.limits)
        except Gone:
            pass
        except asyncio.CancelledError:
            # The time to drain is over while a view is still at work; without an answer the server would say 500.
            stopping = Refused(503, "stopping", "The server is restarting. Try again in a moment.")
            await refuse(stopping, scope=scope, receive=None, send=send, limits=self.limits)
        else:
            await _send_answer(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        self._room()
        path = wsgi_path(scope)
        body = await self.bodies.read(scope, receive, limit=self._body_limit(path))
        done = partial(self.bodies.release, body)
        submitted = False
        try:
            async with self._hashing if scope["method"] == "POST" and _hashes(path) else self._at_once:
                self._room()
                environ = make_environ(cast(dict[str, Any], scope), path=path, body=body.file, size=body.size)
                job = self.threads.submit(environ, done=done)
                submitted = True
                answer = await self._patiently(job, scope, receive)
        finally:
            if not submitted:
                done()
        if answer is None:
            raise Refused(500, "server_error", "Something went wrong on the server.", close=False)
        return answer

    async def _patiently(self, job: Job, scope: Scope, receive: Receive) -> Answer | None:
        """Wait for a thread's answer, but not for ever: a database that stands still must not leave people before a white page.

        A request that has a thread already goes on there; one that has none never runs.
        """
        try:
            async with asyncio.timeout(self.limits.patience_s):
                return await self._wait(job, scope, receive)
        except TimeoutError:
            job.abandoned = True
            logger.warning("no answer to a %s within %.0f s", scope["method"], self.limits.patience_s)
            text = "The server takes too long at the moment. Reload in a moment; what you sent may have been done."
            raise Refused(503, "slow", text, close=False) from None

    async def _wait(self, job: Job, scope: Scope, receive: Receive) -> Answer | None:
        """Wait for a thread's answer. While the request still has to queue, a reader who leaves takes it along."""
        if self.threads.waiting == 0 or scope["method"] not in SAFE_METHODS:
            try:
                return await job.future
            except asyncio.CancelledError:
                job.abandoned = True
                raise
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((job.future, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            job.abandoned = not job.future.done()
            leaving.cancel()
        if job.abandoned:
            raise Gone
        return job.future.result()

    def _room(self) -> None:
        if self.threads.waiting >= self.limits.queue:
            raise Refused(503, "busy", "The server is busy. Try again in a moment.")


async def refuse(refused: Refused, *, scope: Scope, receive: Receive | None, send: Send, limits: Limits) -> None:
    """Answer a request with a refusal.

    With `receive`, a sender in the middle of its body is listened to for a short while after the answer is out:
    a connection closed on unread bytes is reset, and the sender would never read why.
    """
    headers, body = refusal(refused, accept=header(scope, b"accept"), path=scope["path"])
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    if receive is not None and refused.close and _has_body(scope):
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await _linger(receive, seconds=limits.linger_s)
        body = b""
    await send({"type": "http.response.body", "body": body})


def _hashes(path: str) -> bool:
    return path.startswith(HASHING) or path == HASHING_EXACTLY


def _has_body(scope: Scope) -> bool:
    return bool(header(scope, b"content-length") or header(scope, b"transfer-encoding"))


async def _linger(receive: Receive, *, seconds: float) -> None:
    heard = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            more = True
            while more and heard < LINGER_BYTES:
                message: MutableMapping[str, Any] = await receive()
                more = message["type"] == "http.request" and message.get("more_body", False)
                heard += len(message.get("body", b""))


async def _send_answer(answer: Answer, send: Send) -> None:
    headers = answer.headers
    if answer.length is not None:
        headers = [*headers, (b"content-length", str(answer.length).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = answer.body
    for start in range(0, len(body) - PIECE, PIECE):
        await send({"type": "http.response.body", "body": body[start : start + PIECE], "more_body": True})
    last = body if len(body) <= PIECE else body[(len(body) - 1) // PIECE * PIECE :]
    await send({"type": "http.response.body", "body": last})
