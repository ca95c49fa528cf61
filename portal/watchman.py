"""The round of alerts: looks, writes down, sends. In a worker the schedule calls it, in a web process a thread of its own: so it goes on
when every worker is gone. Whoever is first in a period does it.
"""

from __future__ import annotations

import logging
import threading

from django.db import Error, close_old_connections, connection

from accounts import clock
from portal import alert_sending, alerts, schedule

log = logging.getLogger(__name__)
EVERY_S = 15.0
NAME = "portal.alerts"
_stop = threading.Event()
_threads: list[threading.Thread] = []


def round_if_due() -> bool:
    """One round, unless somebody has done it a moment ago."""
    return schedule.run_if_due(NAME, work=_round, quiet=True)


def _round() -> dict[str, int]:
    opened = alerts.watch(now=clock.now())
    return {"open": opened, "sent": alert_sending.send_due()}


def start() -> None:
    """In a web process."""
    _stop.clear()
    thread = threading.Thread(target=_run, name="alerts", daemon=True)
    thread.start()
    _threads.append(thread)


def stop() -> None:
    _stop.set()
    while _threads:
        _threads.pop().join(timeout=3)


def _run() -> None:
    while not _stop.wait(EVERY_S):
        try:
            close_old_connections()
            round_if_due()
        except Error as error:
            log.warning("alerts: %s", type(error).__name__)
            connection.close()
    connection.close()
