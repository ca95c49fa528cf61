"""Whether those who are being sent a stream may still read it: asked twice a second for all of them together, in one thread.

A credential goes through the same funnel as each request; one question for each credential, however many streams it reads.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import Error, close_old_connections

from accounts.authentication import Unauthenticated, authenticate
from chat.models import Generation

log = logging.getLogger(__name__)
EVERY_S = 0.5
SCOPE = "chat"
_SHOWN = ("authorization", "cookie", "x-api-key", "api-key")
GONE = {"code": "not_found", "detail": "There is nothing here, or it is not yours.", "status": 404}
FORBIDDEN = {"code": "forbidden", "detail": "The credential may not do this.", "status": 403}


@dataclass(frozen=True, slots=True)
class Right:
    """What was shown, from where, by whom, for what."""

    shown: tuple[tuple[str, str], ...]
    address: str
    user: int
    generation: str

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]], *, address: str, user: int, generation: str) -> Right:
        """The right that a request's headers give."""
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        return cls(tuple((name, told[name]) for name in _SHOWN if name in told), address, user, generation)


class Reading(Protocol):
    """A stream."""

    user: int
    right: Right

    def refuse(self, problem: Any) -> None: ...


_streams: set[Reading] = set()
threads = ThreadPoolExecutor(1, thread_name_prefix="stream-rights")
_watching: list[asyncio.Task[None]] = []


def count(user: int) -> int:
    """How many streams this person reads here."""
    return sum(1 for each in _streams if each.user == user)


@contextmanager
def watched(stream: Reading) -> Iterator[None]:
    """While it is open its reader's right is looked at."""
    _streams.add(stream)
    if not _watching or _watching[0].done():
        _watching[:] = [asyncio.get_running_loop().create_task(_watch())]
    try:
        yield
    finally:
        _streams.discard(stream)


async def _watch() -> None:
    loop = asyncio.get_running_loop()
    while _streams:
        await asyncio.sleep(EVERY_S)
        asked = {stream.right for stream in _streams}
        try:
            lost = await loop.run_in_executor(threads, refused, asked)
        except Error as error:  # a database that is away takes nobody's right
            log.warning("nobody can say who may read a stream: %s", type(error).__name__)
            continue
        for stream in list(_streams):
            if stream.right in lost:
                stream.refuse(lost[stream.right])


def refused(asked: Iterable[Right]) -> dict[Right, Any]:
    """Of these the ones that are no rights any more, with the reason. For a thread with a database connection."""
    close_old_connections()
    rights = list(asked)
    rows = Generation.objects.filter(
        uuid__in={uuid.UUID(right.generation) for right in rights}, conversation__deleted_at=None
    )
    there = set(rows.values_list("uuid", "user_id"))
    by_credential: dict[Any, Any] = {}
    found: dict[Right, Any] = {}
    for right in rights:
        credential = (right.shown, right.address, right.user)
        if credential not in by_credential:
            by_credential[credential] = _of(right)
        if by_credential[credential] is not None:
            found[right] = by_credential[credential]
        elif (uuid.UUID(right.generation), right.user) not in there:
            found[right] = GONE
    return found


def _of(right: Right) -> Any:
    """Why this credential counts no more; None: it does."""
    try:
        principal = authenticate(dict(right.shown), address=right.address, session=True)
    except Unauthenticated as error:
        return {"code": error.code, "detail": str(error.message), "status": error.status}
    if principal.user_id != right.user or SCOPE not in principal.scopes:
        return FORBIDDEN
    return None
