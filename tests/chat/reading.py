"""A browser's session that polls the ASGI application itself, and the loop on which it does. Asserts nothing but an answer's presence."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from accounts.models import User
from accounts.session_store import stored
from chat import live_app, poll
from chat.live import poll_url
from chat.models import Generation
from chat.watch import Watcher

T = TypeVar("T")


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[bytes, bytes]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Reader:
    """A browser's session: its cookie, and polls with it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.key = uuid.uuid4().hex
        Session.objects.create(
            session_key=stored(self.key), session_data="", expire_date=timezone.now() + dt.timedelta(hours=1)
        )

    @property
    def stored(self) -> str:
        """What stands in the database for its key."""
        return stored(self.key)

    def url(self, generation: Generation) -> str:
        return poll_url(generation, session_key=self.key, user=self.user)

    async def poll(
        self, url: str, *, seen: int = 0, wait: float = 0, cookie: str | None = None, leaves: asyncio.Event | None = None,
        method: str = "GET",
    ) -> Answer | None:  # fmt: skip
        """None when nothing was answered."""
        parts = urlsplit(f"{url}&seen={seen}&wait={wait}")
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        cookie = f"sessionid={self.key}" if cookie is None else cookie
        await live_app.application(
            {
                "type": "http", "method": method, "path": parts.path, "query_string": parts.query.encode(),
                "headers": [(b"cookie", cookie.encode())],
            },
            receive, send,
        )  # fmt: skip
        if not sent:
            return None
        return Answer(sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"]))


async def db(work: Callable[..., T], *given: object, **named: object) -> T:
    """Database work beside the loop, as of another process."""

    def unit() -> T:
        try:
            return work(*given, **named)
        finally:
            connections.close_all()

    return await asyncio.to_thread(unit)


def play(watcher: Watcher, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs the story on a loop on which the watcher has been started."""

    async def whole() -> None:
        watcher.start()
        await asyncio.wait_for(story(), timeout=30)

    asyncio.run(whole())


async def timed(waiting: Awaitable[Answer | None]) -> tuple[Answer, float]:
    began = time.monotonic()
    answer = await waiting
    assert answer is not None
    return answer, time.monotonic() - began


@contextlib.contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """A watcher and threads of one test's own; their connections are closed behind them."""
    made = Watcher()
    threads = ThreadPoolExecutor(1)
    monkeypatch.setattr(poll, "watcher", made)
    monkeypatch.setattr(poll, "_threads", threads)
    monkeypatch.setattr(poll, "stopping", False)
    yield made
    made.stop()
    threads.submit(connections.close_all).result(timeout=5)
    threads.shutdown()
