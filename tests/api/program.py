"""A program that asks over ASGI what may wait or stream: Django answers in threads beside the loop. Asserts nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from api import stream_rights, streaming, waiting
from api.v1 import generations
from chat import poll
from chat.watch import Watcher
from tests.accounts.programs import ADDRESS, bearer
from tests.chat.reading import db


@dataclass
class Event:
    """One server-sent event; a comment has no name."""

    name: str
    id: str
    data: Any


@dataclass
class Asked:
    """A request under way: what came so far."""

    start: Any = None
    raw: bytes = b""
    over: bool = False
    came: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, whoever sends waits: a reader whose buffer is full."""

    @property
    def status(self) -> int:
        return int(self.start["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.start["headers"]}

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def events(self) -> list[Event]:
        return [_event(block) for block in self.raw.decode().split("\n\n")[:-1]]

    @property
    def text(self) -> str:
        return "".join(event.data["text"] for event in self.events if event.name in ("answer", "text"))

    async def until(self, name: str) -> Event:
        """The first event of this name."""
        async with asyncio.timeout(10):
            while not any(event.name == name for event in self.events):
                self.came.clear()
                await self.came.wait()
        return next(event for event in self.events if event.name == name)

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.raw += message["body"]
        self.came.set()


def _event(block: str) -> Event:
    told = dict(line.split(": ", 1) for line in block.splitlines())
    return Event(told.get("event", ""), told.get("id", ""), json.loads(told.get("data", "null")))


async def _django(scope: Any, receive: Any, send: Any) -> None:
    def answered() -> Any:
        environ = {
            f"HTTP_{name.decode().upper().replace('-', '_')}": value.decode() for name, value in scope["headers"]
        }
        client = Client(raise_request_exception=False)
        path = f"{scope['path']}?{scope['query_string'].decode()}"
        return client.generic(scope["method"], path, REMOTE_ADDR=ADDRESS, **environ)

    answer = await db(answered)
    headers = [(name.encode(), value.encode()) for name, value in answer.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


@asynccontextmanager
async def asking(
    path: str, credential: str, *, reads: bool = True, stream: bool = False, last: str = ""
) -> AsyncIterator[Asked]:
    """A GET of the API that is under way; it is left at the end."""
    asked = Asked()
    if reads:
        asked.reads.set()
    address, _, query = path.partition("?")
    sent = bearer(credential) | ({"accept": "text/event-stream"} if stream else {})
    sent |= {"last-event-id": last} if last else {}
    scope = {
        "type": "http", "method": "GET", "path": f"/api/v1/{address}", "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()], "client": (ADDRESS, 1),
    }  # fmt: skip

    async def whole() -> None:
        await waiting.application(scope, asked.receive, asked.send, django=_django)
        asked.over = True
        asked.came.set()

    task = asyncio.create_task(whole())
    try:
        yield asked
    finally:
        asked.left.set()
        asked.reads.set()
        await asyncio.wait_for(task, timeout=10)


async def over(asked: Asked) -> Asked:
    """The same, once all of it has come."""
    async with asyncio.timeout(15):
        while not asked.over:
            asked.came.clear()
            await asked.came.wait()
    return asked


@contextmanager
def watching(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watcher]:
    """A watcher of one test's own behind everything that waits or streams; its connections are closed behind it."""
    made = Watcher()
    for module in (waiting, streaming, generations):
        monkeypatch.setattr(module, "watcher", made)
    monkeypatch.setattr(poll, "stopping", False)
    yield made
    made.stop()
    stream_rights.threads.submit(connections.close_all).result(timeout=5)
