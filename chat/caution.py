"""When the reaper must not believe what it sees, and what a wrong clock has left behind. Ends nothing itself.

A lease that has run out means a dead worker only if the worker could have renewed it: not while the database was away or full, not
while this process or the database stood still, not across a step of a clock.
"""

from __future__ import annotations

import datetime as dt
import logging
import time

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, When

from chat.models import ACTIVE, HELD, Generation, WorkerHeartbeat
from providers import breaker

log = logging.getLogger(__name__)
# A clock that differs by more than this (seconds) from the one that can't be set was set.
STEP_S = 2.0
# No provider is waited for longer than this (seconds, before RETRY_SCALE) until the next try: see providers.failures.
LONGEST_WAIT_S = 90.0


class Caution:
    """Asked once a round; after each reason for doubt the answer is no until every living worker has renewed its leases."""

    def __init__(self) -> None:
        self._quiet_until = time.monotonic() + renewal_s()
        self._spare_until = 0.0
        self._last: tuple[float, dt.datetime] | None = None
        self._trouble = False

    def trouble(self) -> None:
        """A query failed. Nothing counts again before something could be written."""
        self._trouble = True

    def calm(self, now: dt.datetime) -> bool:
        """May what has run out be ended? `now`: the database's time, asked for in this round."""
        mono, last = time.monotonic(), self._last
        self._last = (mono, now)
        if self._trouble:
            can_write(now)
            self._trouble = False
            self._doubt("the database was away")
        if last is not None:
            passed = mono - last[0]
            step = (now - last[1]).total_seconds() - passed
            if abs(step) > STEP_S:
                self._doubt(f"the database's clock was set by {step:.0f} s")
                self._spare_until = self._quiet_until
            elif passed > settings.REAP_S + max(settings.LEASE_S - settings.RENEW_S, settings.LEASE_S / 2):
                self._doubt(f"nothing moved for {passed:.0f} s")
        if mono < self._spare_until:  # also what was on its way into the database meanwhile, with the old time
            spare(now)
        return time.monotonic() >= self._quiet_until

    def _doubt(self, why: str) -> None:
        log.warning("%s: leases get %.0f s more", why, renewal_s())
        self._quiet_until = time.monotonic() + renewal_s()


def renewal_s() -> float:
    """Seconds in which every living worker has renewed, one attempt having failed. A whole lease would be safe as well, but where
    processes are restarted more often than that, no reaper would ever get to work.
    """
    return min(settings.LEASE_S, 2 * settings.RENEW_S + settings.LEASE_GRACE_S)


def can_write(now: dt.datetime) -> None:
    """Raises the database's error if it can't: a full disk can still be read, and workers can't renew on it."""
    with transaction.atomic():
        WorkerHeartbeat.objects.create(host="", started_at=now, beat_at=now - dt.timedelta(days=1)).delete()


def spare(now: dt.datetime) -> int:
    """After a step forward: what is active and seems late gets a whole time again, once. Returns how many."""
    late = Generation.objects.filter(state__in=ACTIVE, deadline_at__lt=now)
    return late.update(deadline_at=now + dt.timedelta(seconds=settings.DEADLINE_S)) if late.exists() else 0


def pull_in(now: dt.datetime) -> int:
    """Moments further ahead than any can be were written by a clock that was wrong: a hold, a deadline or a pause would last
    for as long as it was. They get the longest time that they can have. Returns how many rows were changed.
    """
    longest = (settings.LEASE_S, settings.DEADLINE_S, LONGEST_WAIT_S * max(1.0, settings.RETRY_SCALE))
    lease, deadline, later = (now + dt.timedelta(seconds=seconds) for seconds in longest)
    slack = dt.timedelta(seconds=STEP_S)
    held = Q(state__in=HELD, lease_expires_at__gt=lease + slack)
    ahead = held | Q(deadline_at__gt=deadline + slack) | Q(next_attempt_at__gt=later + slack)
    wrong = Generation.objects.filter(ahead, state__in=ACTIVE)
    changed = 0
    if wrong.exists():
        log.warning("a clock was put back: what was to last longer than it can ends in time")
        changed = wrong.update(
            lease_expires_at=_least("lease_expires_at", lease),
            deadline_at=_least("deadline_at", deadline),
            next_attempt_at=_least("next_attempt_at", later),
        )
    return changed + breaker.pull_in(now)


def _least(field: str, most: dt.datetime) -> Case:
    return Case(When(Q(**{f"{field}__gt": most}), then=most), default=F(field))
