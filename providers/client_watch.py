"""A stream's patience: for the first word, the gaps between words, the tail after its end. Closes, never cancels."""

from __future__ import annotations

import asyncio
import math

from providers.client_sse import TooLong
from providers.client_transport import Body
from providers.failures import Failure, Kind

TAIL_S = 5.0
"""After the answer's end, this long for its count and the end of the stream; then it is finished without them."""


class Watch:
    """One timer per stream: a word only notes the time, and the timer looks at the note when it rings.

    A ring that finds nobody reading, or comes late because the process was stopped, first gives reading a chance.
    """

    __slots__ = ("_body", "_deadline", "_fired", "_gap", "_loop", "_reading", "_spared", "_timer", "_words")

    def __init__(self, *, first_byte_s: float, gap_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._gap = gap_s
        self._deadline = self._loop.time() + first_byte_s
        self._body: Body | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fired = self._spared = self._reading = self._words = False

    def start(self, body: Body) -> None:
        self._body = body
        self._timer = self._loop.call_at(self._deadline, self._ring)

    async def read(self) -> bytes:
        assert self._body is not None
        self._reading = True
        try:
            return await self._body.read()
        finally:
            self._reading = False

    def word(self) -> None:
        self._deadline = self._loop.time() + self._gap
        if not self._words:  # the gap may be shorter than the first word's patience; from here on deadlines only grow
            self._words = True
            self._rearm(self._deadline)

    def tail(self) -> None:
        """The answer is whole: its count may take a moment, but no longer."""
        if math.isfinite(self._gap):
            self._gap = math.inf
            self._deadline = self._loop.time() + TAIL_S
            self._rearm(self._deadline)

    def explain(self, error: Failure | TooLong, *, at_end: bool) -> Failure:
        """What really happened: a time limit of ours, or a last event that was cut, shows as a broken read."""
        if self._fired:
            return Failure(Kind.STALLED if self._words else Kind.FIRST_BYTE_TIMEOUT, dispatched=True)
        if isinstance(error, TooLong):
            return Failure(Kind.TOO_LARGE, detail="line", dispatched=True)
        if at_end and error.kind == Kind.BAD_STREAM:
            return Failure(Kind.CUT_OFF, detail="last event", dispatched=True)
        return error

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _rearm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        if now < self._deadline:
            self._spared = False
            self._rearm(self._deadline)
        elif not self._reading or not self._spared:
            self._spared = self._reading
            self._rearm(now + 0.05)
        elif self._body is not None:
            self._fired = True
            self._body.close()
