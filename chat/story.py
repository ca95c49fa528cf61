"""What is out of the ordinary in the life of an answer, gathered in memory while it is written and stored with what ends it.

An answer that a first worker takes and finishes has no lines: its row in usage says all there is. Writes nothing itself.
"""

from __future__ import annotations

import datetime as dt
import time

from django.conf import settings

from chat.models import Generation
from providers.failures import Failure
from usage.call_lines import CallLine, Kind

AGAIN = (Kind.CLAIMED, Kind.DISPATCHED, Kind.FIRST_TEXT)
"""Ordinary, so said only of an answer that is not in its first attempt: of the first one the columns of its row say it."""


class Story:
    """The lines of one attempt, on the database's clock as the claim read it."""

    def __init__(self, generation: Generation) -> None:
        self.lines: list[CallLine] = []
        self._generation = generation
        self._attempt = generation.attempt
        lease = dt.timedelta(seconds=settings.LEASE_S)
        self._began = generation.lease_expires_at - lease if generation.lease_expires_at else None
        self._clock = time.monotonic()
        asked = generation.request.get("asked_model")
        if asked and self._attempt <= 1:
            self.add(Kind.FELL_BACK, reason="limit_reached", detail=str(asked))
        self.add(Kind.CLAIMED)

    def add(self, kind: Kind, *, reason: str = "", detail: str = "") -> None:
        """One more line, of now."""
        if self._began is None or (kind in AGAIN and self._attempt <= 1):
            return
        at = self._began + dt.timedelta(seconds=time.monotonic() - self._clock)
        self.lines.append(line(self._generation, kind, at=at, reason=reason, detail=detail))

    def failed(self, failure: Failure) -> None:
        """What the provider (or we) did. Of what was said there only the status is kept: the rest could be anything."""
        detail = f"HTTP {failure.status}" if failure.status else ""
        self.add(Kind.FAILED, reason=failure.kind.value, detail=detail)


def line(generation: Generation, kind: Kind, *, at: dt.datetime, reason: str = "", detail: str = "") -> CallLine:
    """A line of this answer in the attempt that it is in."""
    return CallLine(
        request_id=generation.uuid, at=at, kind=kind, attempt=generation.attempt, reason=reason, detail=detail[:80]
    )
