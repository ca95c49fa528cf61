"""Finds what was left half-done: leases that ran out, deadlines that passed, rows that nobody needs. Runs in every worker and web process.

Everything is compare-and-set, so any number of these may run. After its own start, and whenever there is a reason for doubt
(chat.caution), it waits until living workers have renewed, so that a restart, a database that was away or a clock never ends what is well.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import clock
from chat import bell, caution, endings, story, suspects
from chat.models import ACTIVE, Delta, Generation, WorkerHeartbeat
from usage import call_lines
from usage.models import Reservation

log = logging.getLogger(__name__)
State = Generation.State


class Recovery:
    """The reaper's thread."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recovery", daemon=True)
        self._caution = caution.Caution()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(settings.REAP_S):
            try:
                close_old_connections()
                self.round()
            except Error as error:
                log.warning("recovery: %s", type(error).__name__)
                connection.close()
                self._caution.trouble()
        connection.close()

    def round(self) -> None:
        """One round; nothing is ended while there is a reason to be careful (a deadline waits a lease longer, no more)."""
        now = clock.now()
        calm = self._caution.calm(now)
        caution.pull_in(now)
        if calm:
            reap(now=now)
            overdue(now=now)


def reap(*, now: dt.datetime) -> int:
    """Ends or requeues what held a lease that ran out; returns how many."""
    over = now - dt.timedelta(seconds=settings.LEASE_GRACE_S)
    guard = Q(lease_expires_at__lt=over)
    held = Generation.objects.select_related(*endings.LOADED).filter(guard, state__in=Generation.HELD)
    done = sum(_one(generation, guard=guard, now=now) for generation in held.order_by("pk")[:200])
    if done:
        bell.ring()
    return done


def _one(generation: Generation, *, guard: Q, now: dt.datetime) -> bool:
    log.warning("answer %s: its worker is gone (%s)", generation.uuid, generation.state)
    if generation.cancel_requested_at is not None:
        return endings.abandon(generation, state=State.CANCELLED, kind="", guard=guard, now=now)
    if generation.state == State.STREAMING:
        return endings.abandon(generation, state=State.INTERRUPTED, kind="worker_lost", guard=guard, now=now)
    if suspects.to_blame(generation):
        return endings.abandon(generation, state=State.FAILED, kind="poisoned", guard=guard, now=now)
    return _again(generation, guard=guard, now=now)


def _again(generation: Generation, *, guard: Q, now: dt.datetime) -> bool:
    """Back to the queue; what its dead worker had sent to the provider is counted."""
    same = {"attempt": generation.attempt, "state": State.RUNNING, "dispatched": generation.dispatched}
    with transaction.atomic():
        back = Generation.objects.filter(guard, pk=generation.pk, **same).update(
            state=State.QUEUED,
            crashes=F("crashes") + 1,
            revision=F("revision") + 1,
            dispatched=False,
            lease_owner=None,
            lease_expires_at=None,
            next_attempt_at=None,
        )
        if back:
            call_lines.write([story.line(generation, call_lines.Kind.LOST, at=now)])
        if back and generation.dispatched:
            endings.count_lost(generation, now=now)
    return bool(back)


def overdue(*, now: dt.datetime) -> int:
    """Ends what is past its deadline: questions that were never taken, and answers whose worker has not ended them itself."""
    late = Generation.objects.select_related(*endings.LOADED)
    queued = late.filter(state__in=("queued", "waiting"), deadline_at__lt=now)
    running = late.filter(
        state__in=Generation.HELD, deadline_at__lt=now - dt.timedelta(seconds=settings.REAP_S + settings.LEASE_GRACE_S)
    )
    done = _end(queued, now=now)
    return done + _end(running, now=now)


def _end(rows: QuerySet[Generation], *, now: dt.datetime) -> int:
    done = 0
    for generation in rows[:200]:
        state = State.INTERRUPTED if generation.state == State.STREAMING else State.FAILED
        guard = Q(deadline_at__lt=now)
        done += endings.abandon(generation, state=state, kind="deadline", guard=guard, now=now)
    return done


def sweep(*, now: dt.datetime) -> dict[str, int]:
    """Housekeeping that may run any number of times: live text of ended answers, heartbeats of dead workers. Returns what went."""
    orphans = Delta.objects.exclude(generation__state__in=ACTIVE)
    hour = dt.timedelta(hours=1)
    silent = WorkerHeartbeat.objects.filter(Q(beat_at__lt=now - hour) | Q(beat_at__gt=now + hour))
    return {"deltas": orphans.delete()[0], "heartbeats": silent.delete()[0]}


def leaked_holds(*, now: dt.datetime) -> int:
    """How many holds of answers are open although their answer has ended or is gone. Must be 0."""
    running = Generation.objects.filter(uuid=OuterRef("request_id"), state__in=ACTIVE)
    old = now - dt.timedelta(minutes=1)
    held = Reservation.objects.filter(state=Reservation.State.HELD, lease_expires_at=None, created_at__lt=old)
    return held.filter(~Exists(running)).count()


def start() -> Recovery:
    """Starts a reaper of this process."""
    recovery = Recovery()
    recovery.start()
    return recovery
