"""The bell: tells some worker to look now, from one background thread, so that a send never waits for the broker.

A bell carries no job and may be lost, doubled or late; bells that come close together are rung as one.
"""

from __future__ import annotations

import logging
import threading
import time

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)
TASK = "chat.generate"
REST_S = 5.0
# Bells closer than this (seconds) are rung as one: whoever hears it takes all that waits.
APART_S = 0.04


class Bell:
    """Rings by name, so that this process never imports the engine. After a failure it rests for `REST_S` seconds."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._rest_until = 0.0

    def ring(self) -> None:
        """Asks for a ring and returns at once."""
        if time.monotonic() < self._rest_until:
            return
        self._wanted.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        rung = 0.0
        while True:
            self._wanted.wait()
            time.sleep(max(0.0, rung + APART_S - time.monotonic()))
            self._wanted.clear()
            rung = time.monotonic()
            try:
                current_app.send_task(TASK, retry=False)
            except Exception as error:  # noqa: BLE001  # whatever a broker's client raises: the row is safe, workers look
                self._rest_until = time.monotonic() + REST_S
                log.warning("no bell for %.0f s: %s", REST_S, type(error).__name__)
                self._wanted.clear()


_bell = Bell()


def ring() -> None:
    """Rings now."""
    _bell.ring()


def ring_on_commit() -> None:
    """Rings once the open transaction is committed (at once if there is none)."""
    transaction.on_commit(_bell.ring)
