"""Periodic work, in the worker. Each task decides itself whether it is due (portal.schedule), so firing one twice is harmless."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutdown
from django.contrib.sessions.models import Session

from accounts import clock
from chat import organising, recovery
from portal import schedule
from usage import recovery as usage_recovery

log = logging.getLogger(__name__)
_timer: list[schedule.Timer] = []


@shared_task(name="portal.sweep", ignore_result=True)
def sweep() -> None:
    """Rows that nobody needs any more."""
    schedule.run_if_due("portal.sweep", work=_sweep)


def _sweep() -> dict[str, int]:
    now = clock.now()
    return {**recovery.sweep(now=now), "holds": usage_recovery.settle_expired(now=now)}


@shared_task(name="portal.check_holds", ignore_result=True)
def check_holds() -> None:
    """Holds without a running answer: there must be none. An alarm, not a repair."""

    def work() -> int:
        leaked = recovery.leaked_holds(now=clock.now())
        if leaked:
            log.error("%d holds have no running answer: please report this", leaked)
        return leaked

    schedule.run_if_due("portal.check_holds", work=work)


@shared_task(name="portal.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Sessions that are over."""
    over = Session.objects.filter(expire_date__lt=clock.now())
    schedule.run_if_due("portal.clear_sessions", work=lambda: over.delete()[0])


@shared_task(name="portal.empty_bin", ignore_result=True)
def empty_bin() -> None:
    """Conversations that have rested in the bin for long enough. What they used stays counted."""
    schedule.run_if_due("portal.empty_bin", work=lambda: organising.purge(now=clock.now()))


@worker_init.connect
def start(**_: Any) -> None:
    if not _timer:
        _timer.append(schedule.Timer())
        _timer[0].start()


@worker_shutdown.connect
def stop(**_: Any) -> None:
    while _timer:
        _timer.pop().stop()
