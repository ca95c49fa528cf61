"""Keeps the log readable and free of keys: the same line is not written again and again, links that let somebody in are cut.

Filters. No warning is lost that differs from the last one, and a line says how often it was left out.
"""

from __future__ import annotations

import logging
import re
import time

EVERY_S = 30.0
"""So long the same line is left out, in seconds."""
MOST = 500
_LINK = re.compile(r"(/accounts/(?:invitation|link|email|signup/confirm|password/reset/key)/)[^/\s?]+")


class NoLinks(logging.Filter):
    """Cuts the token out of the address of a link: Django names the address of what it refuses, and the link may still work.

    On those loggers, so that no handler sees it, whoever's it is; and on ours for all others.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        cut = _LINK.sub(r"\1…", said)
        if cut != said:
            record.msg, record.args = cut, ()
        return True


class Brief(logging.Filter):
    """What was refused or could not be understood is one line: where it happened in the code says nothing, and it happens every day."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR and record.exc_info:
            record.exc_info = record.exc_text = None
        return True


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
