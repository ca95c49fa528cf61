"""A loop that carries many answers wakes a few hundred times a second instead of thousands: what comes meanwhile is taken together.

Like a network card's interrupt moderation: below MANY nothing waits, above it at most NAP_S. Touches no answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

MANY = 24
NAP_S = 0.004
LOOK_S = 0.05


def moderate(loop: asyncio.AbstractEventLoop, *, load: Callable[[], int]) -> None:
    """From now on `loop` naps between its turns while `load()` is at least MANY. To be called on the loop."""

    def turn() -> None:
        if load() >= MANY:
            time.sleep(NAP_S)
            loop.call_soon(turn)
        else:
            loop.call_later(LOOK_S, turn)

    turn()
