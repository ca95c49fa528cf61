"""What a web process counts of its own requests, and the row that it writes every few seconds, so that any process can tell a monitor.

Counting takes no statement; the row is one every EVERY_S. A process that is gone leaves its last row for a while, then it is swept.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import uuid

from django.db import Error, close_old_connections, connection

from accounts import clock
from chat.watch import watcher
from portal.models import WebProcess

log = logging.getLogger(__name__)
EVERY_S = 10.0
GONE = dt.timedelta(minutes=2)
"""A row that has not been written for so long is of a process that is gone."""
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Requests:
    """Durations of answered requests by the first digit of their status: a count for each bucket, and the sum of seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def add(self, status: int, seconds: float) -> None:
        """One more."""
        kind = f"{status // 100}xx"
        place = next((n for n, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        with self._lock:
            self._counts.setdefault(kind, [0] * (len(BUCKETS) + 1))[place] += 1
            self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds

    def told(self) -> dict[str, dict[str, object]]:
        """As it is stored."""
        with self._lock:
            return {
                kind: {"counts": list(counts), "seconds": round(self._seconds[kind], 6)}
                for kind, counts in self._counts.items()
            }


class Sampler:
    """The thread that writes the row."""

    def __init__(self) -> None:
        self.uuid = uuid.uuid4()
        self.requests = Requests()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=3)

    def write(self) -> None:
        """The row as it stands now; rows of processes that are gone go."""
        now = clock.now()
        values = {"beat_at": now, "held_polls": watcher.held, "requests": self.requests.told()}
        if not WebProcess.objects.filter(pk=self.uuid).update(**values):
            WebProcess.objects.create(pk=self.uuid, **values)
            WebProcess.objects.filter(beat_at__lt=now - GONE).delete()

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                close_old_connections()
                self.write()
            except Error as error:
                log.warning("samples: %s", type(error).__name__)
                connection.close()
        connection.close()


sampler = Sampler()
