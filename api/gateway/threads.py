"""The gateway's database threads: short units of work, each with a living connection. No thread waits for a provider."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django.utils import translation

from accounts import log_ids

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE_S = 60.0
"""So long an ending waits for a database that is away; after that its lease runs out and usage.recovery settles it."""
_threads = ThreadPoolExecutor(max(2, settings.WEB_THREADS), thread_name_prefix="gateway")


async def work(unit: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Does the unit in a thread."""

    def done() -> T:
        close_old_connections()
        before = translation.get_language()
        try:
            return unit(*given, **named)
        except (OperationalError, InterfaceError):
            connection.close()
            raise
        finally:
            if before and translation.get_language() != before:
                translation.activate(before)

    return await asyncio.get_running_loop().run_in_executor(_threads, log_ids.along(done))


async def insist(unit: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """The same, again and again while the database is away. Raises its error when that takes too long."""
    loop = asyncio.get_running_loop()
    until, pause = loop.time() + PATIENCE_S, 0.05
    while True:
        try:
            return await work(unit, *given, **named)
        except (OperationalError, InterfaceError) as error:
            if loop.time() >= until:
                raise
            log.warning("a call's end waits for the database: %s", type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(1.0, pause * 2)
