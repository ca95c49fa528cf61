"""When periodic work runs: Celery beat's schedule, and a thread in each worker that fires it, so that no beat process is needed.

One row per job makes sure that a job runs once a period however many workers (or a real `celery beat`) fire it; running one twice
is harmless all the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from celery import current_app
from django.db import Error, close_old_connections, connection
from django.db.models import Q

from accounts import clock
from portal.celery import PERIODS
from portal.models import PeriodicJob

log = logging.getLogger(__name__)
TICK_S = 15.0
SLACK = dt.timedelta(minutes=1)
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def run_if_due(name: str, *, work: Callable[[], object], quiet: bool = False) -> bool:
    """Runs `work` if this caller is the first one in the job's period; True when it ran. `quiet`: without a line in the log."""
    now = clock.now()
    # A run in the future was noted by a clock that has been put back since.
    over = Q(last_run_at__lte=now - dt.timedelta(seconds=PERIODS[name] * 0.95)) | Q(last_run_at__gt=now + SLACK)
    due = PeriodicJob.objects.filter(over, name=name)
    if not due.exists() and not PeriodicJob.objects.filter(name=name).exists():
        PeriodicJob.objects.bulk_create([PeriodicJob(name=name, last_run_at=_LONG_AGO)], ignore_conflicts=True)
    if not due.exists() or not due.update(last_run_at=now):
        return False
    result = work()
    if not quiet:
        log.info("%s: %s", name, result)
    return True


class Timer:
    """The thread of one worker that asks every TICK_S whether a job is due."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            for name in PERIODS:
                try:
                    close_old_connections()
                    current_app.tasks[name].run()
                except Error as error:
                    log.warning("%s: %s", name, type(error).__name__)
                    connection.close()
        connection.close()
