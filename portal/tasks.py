"""Periodic work, in the worker. Each task decides itself whether it is due (portal.schedule), so firing one twice is harmless."""

from __future__ import annotations

import gc
import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutdown
from django.contrib.sessions.models import Session

from accounts import (
    api_keys,
    audit_proof,
    clock,
    erasing,
    login_sessions,
    mail_sender,
    openings,
    registration,
    tokens,
    tries,
)
from api import repeats
from chat import recovery, retention
from portal import alert_sending, alerts, month_letters, schedule, watchman
from usage import proof
from usage import recovery as usage_recovery

log = logging.getLogger(__name__)
_timer: list[schedule.Timer] = []


@shared_task(name="portal.sweep", ignore_result=True)
def sweep() -> None:
    """Rows that nobody needs any more."""
    schedule.run_if_due("portal.sweep", work=_sweep)


def _sweep() -> dict[str, int]:
    now = clock.now()
    alert_sending.sweep(now=now)
    counts = {
        "holds": usage_recovery.settle_expired(now=now),
        "tries": tries.sweep(),
        "repeats": repeats.sweep(now=now),
    }
    return {**recovery.sweep(now=now), **counts}


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
    """Sessions that are over, where somebody was signed in long ago, old letters and registrations, tokens and keys long over."""

    def work() -> dict[str, int]:
        over = Session.objects.filter(expire_date__lt=clock.now()).delete()[0]
        now = clock.now()
        programs = {"tokens": tokens.sweep(now=now), "keys": api_keys.sweep(now=now)}
        doors = {"sign-ins": login_sessions.sweep(), "registrations": registration.sweep()}
        return {"sessions": over, "letters": mail_sender.sweep(), **doors, **programs}

    schedule.run_if_due("portal.clear_sessions", work=work)


@shared_task(name="portal.send_mail", ignore_result=True)
def send_mail() -> None:
    """Letters that an earlier process left, and those to be tried again: a thread of this process sends them."""
    schedule.run_if_due("portal.send_mail", work=mail_sender.wake_if_due)


@shared_task(name="portal.alerts", ignore_result=True)
def look_for_alerts() -> None:
    """What is not well is written down, and messages about it are sent. Web processes do it as well, for when no worker is there."""
    watchman.round_if_due()


@shared_task(name="portal.empty_bin", ignore_result=True)
def empty_bin() -> None:
    """Conversations whose time is over: in the bin, temporary ones, by the rules of retention. What they used stays counted."""
    schedule.run_if_due("portal.empty_bin", work=lambda: retention.sweep(now=clock.now()))


@shared_task(name="portal.privacy", ignore_result=True)
def privacy() -> None:
    """Tells people of looks whose notice was delayed, and carries on erasing what was begun."""

    def work() -> dict[str, int]:
        return {"told": openings.tell_due(), "erased": erasing.carry_all_on()}

    schedule.run_if_due("portal.privacy", work=work)


@shared_task(name="portal.months", ignore_result=True)
def look_at_months() -> None:
    """On the first the month report goes out by mail; months close by themselves where that was chosen."""
    schedule.run_if_due("portal.months", work=lambda: month_letters.run(now=clock.now()), quiet=True)


@shared_task(name="portal.verify_audit", ignore_result=True)
def verify_audit() -> None:
    """Whether the audit trail is whole; the finding stands on its page."""
    schedule.run_if_due("portal.verify_audit", work=audit_proof.check_daily)


@shared_task(name="portal.check_ledger", ignore_result=True)
def check_ledger() -> None:
    """Whether the ledger, the counters and the holds agree. An alarm, not a repair."""

    def work() -> int:
        found = list(proof.drifts())
        for drift in found[:20]:
            log.error("the ledger does not agree, please report this: %s", drift)
        alerts.ledger(len(found), now=clock.now())
        return len(found)

    schedule.run_if_due("portal.check_ledger", work=work)


@worker_ready.connect
def settle(**_: Any) -> None:
    """What is alive now stays alive. The collector would look at all of it again and again, and everybody waits for it meanwhile."""
    gc.collect()
    gc.freeze()


@worker_init.connect
def start(**_: Any) -> None:
    if not _timer:
        _timer.append(schedule.Timer())
        _timer[0].start()


@worker_shutdown.connect
def stop(**_: Any) -> None:
    while _timer:
        _timer.pop().stop()
