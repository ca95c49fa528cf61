"""Which question kills workers? One that has lost a worker already is a suspect: what could end another worker is done for one suspect
at a time, and is noted before it begins. Of those that lose a worker together only the one that was in hand is to blame.

Questions that have lost no worker pay nothing for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from chat.models import Generation

# So many workers lost end a question in any case: something that is noted nowhere may be to blame.
MOST_CRASHES = 5


def to_blame(generation: Generation) -> bool:
    """Its worker is gone, and nothing of it was shown: must it not be tried again?"""
    crashes = generation.crashes + 1
    return crashes >= MOST_CRASHES or (crashes > 1 and generation.in_hand)


def note(generation: Generation, owner: uuid.UUID, *, in_hand: bool) -> None:
    """Writes whether a risky step is under way, for as long as `owner` holds this attempt."""
    mine = Generation.objects.filter(pk=generation.pk, attempt=generation.attempt, lease_owner=owner)
    mine.filter(state=Generation.State.RUNNING).update(in_hand=in_hand)


class Suspect:
    """One generation's notes. `read` runs database work in a thread; `lock` is the worker's: one suspect's plan at a time."""

    def __init__(
        self,
        generation: Generation,
        *,
        owner: uuid.UUID,
        lock: asyncio.Lock,
        read: Callable[..., Awaitable[Any]],
    ) -> None:
        self._generation, self._owner, self._lock, self._read = generation, owner, lock, read
        self._noted = False

    @property
    def handling(self) -> Callable[[bool], Awaitable[None]] | None:
        """For providers.client: told before bytes without words before them are looked at, and after those that brought none."""
        return self._note if self._generation.crashes else None

    @contextlib.asynccontextmanager
    async def planning(self) -> AsyncIterator[None]:
        """The prompt is built and the call is noted within."""
        if not self._generation.crashes:
            yield
            return
        async with self._lock:
            await self._note(True)
            yield
            await self._note(False)

    async def _note(self, in_hand: bool) -> None:  # noqa: FBT001  # what it is about
        if in_hand != self._noted:
            await self._read(_note, self._generation, self._owner, in_hand)
            self._noted = in_hand


def _note(generation: Generation, owner: uuid.UUID, in_hand: bool) -> None:  # noqa: FBT001
    note(generation, owner, in_hand=in_hand)
