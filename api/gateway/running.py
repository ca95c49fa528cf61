"""The calls that this web process has under way: their leases are renewed, those whose credential is over are cut, a stop ends them.

One task on the loop, one look a second whatever their number. What a cut call does then is calling.py's.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from typing import Literal, Protocol
from uuid import UUID

from django.conf import settings
from django.db import Error

from accounts import clock
from accounts.authentication import Credential, still_good
from api.gateway.threads import work
from usage import leases

log = logging.getLogger(__name__)
LOOK_S = 1.0
BEFORE_THE_END_S = 1.0
"""So long before the server's time to drain is over running calls are ended by us: with words, and settled."""
MOST = 2_000
"""Calls at once in one process."""
Why = Literal["left", "cut", "stopping", "lost"]


class Running(Protocol):
    """What is needed of a call under way."""

    id: UUID
    credential: Credential

    @property
    def produced(self) -> int: ...

    def stop(self, why: Why) -> None: ...


class Keeper:
    """All calls of this process."""

    def __init__(self) -> None:
        self.calls: dict[UUID, Running] = {}
        self.draining = False
        self.endings: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._renewed = 0.0

    def start(self) -> None:
        """On the web process's event loop, once."""
        self.draining = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    def drain(self) -> None:
        """The process is about to stop: no new calls; those that run may finish within WEB_DRAIN_S."""
        self.draining = True
        rest = max(0.0, settings.WEB_DRAIN_S - BEFORE_THE_END_S)
        asyncio.get_running_loop().call_later(rest, self._end_all)

    async def stop(self) -> None:
        """After the last request: what is still being settled is waited for."""
        self.draining = True
        self._end_all()
        if self.endings:
            await asyncio.wait(self.endings, timeout=10)
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _end_all(self) -> None:
        for call in list(self.calls.values()):
            call.stop("stopping")

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_S, settings.RENEW_S))
            if not self.calls:
                continue
            try:
                await self._look()
            except Error as error:
                log.warning("running calls could not be looked after: %s", type(error).__name__)
            except Exception:
                log.exception("running calls could not be looked after")

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        calls = dict(self.calls)
        due = loop.time() - self._renewed >= settings.RENEW_S
        produced = {number: call.produced for number, call in calls.items()} if due else {}
        good, lost = await work(_look, {call.credential for call in calls.values()}, produced)
        if due:
            self._renewed = loop.time()
        for number, call in calls.items():
            if number in lost and number in self.calls:
                call.stop("lost")
            elif call.credential not in good:
                call.stop("cut")


def _look(credentials: set[Credential], produced: dict[UUID, int]) -> tuple[set[Credential], set[UUID]]:
    """In a thread: whose credentials still count, and whose hold is not theirs any more."""
    good = still_good(credentials)
    lost = leases.renew(produced, until=clock.now() + dt.timedelta(seconds=settings.LEASE_S)) if produced else set()
    return good, lost


keeper = Keeper()
