"""Keeps the log readable while something is away: the same line is not written again and again.

A filter for the handler. Loses no warning that differs from the last one, and says how often a line was left out.
"""

from __future__ import annotations

import logging
import time

EVERY_S = 30.0
"""So long the same line is left out, in seconds."""
MOST = 500


class Seldom(logging.Filter):
    """Lets a warning through once in `EVERY_S`, with how often it was left out since; everything else always.

    Lines are the same when logger, words and what stands in them are. Errors with a traceback are never left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno != logging.WARNING or record.exc_info:
            return True
        key, now = (record.name, record.getMessage()), time.monotonic()
        at, left_out = self._said.get(key, (-EVERY_S, 0))
        if now - at < EVERY_S:
            self._said[key] = (at, left_out + 1)
            return False
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[key] = (now, 0)
        if left_out:
            record.msg, record.args = f"{key[1]} (and {left_out} times more in {now - at:.0f} s)", ()
        return True
