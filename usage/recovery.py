"""Settles holds whose owner is gone: those of calls that are no Generation (titles, the gateway) and have a lease of their own."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from usage import invocations, quotas
from usage.models import Invocation, Reservation
from usage.rollups import Tally


def settle_expired(*, now: dt.datetime) -> int:
    """Closes holds whose lease is over, and counts their calls as interrupted, estimated. A repeat finds nothing."""
    over = Reservation.objects.filter(state=Reservation.State.HELD, lease_expires_at__lt=now)
    done = 0
    for hold in over[:500]:
        with transaction.atomic():
            call = _invocation(hold, now=now)
            tally = Tally()
            if not quotas.settle([call], now=now, tally=tally):
                continue  # somebody was first
            invocations.record([call], tally=tally)
        done += 1
    return done


def _invocation(hold: Reservation, *, now: dt.datetime) -> Invocation:
    return Invocation(
        request_id=hold.request_id,
        source=hold.source,
        person=hold.person,
        team=hold.team,
        key=hold.key,
        model=hold.model,
        created_at=hold.created_at,
        finished_at=now,
        duration_ms=round((now - hold.created_at).total_seconds() * 1000),
        outcome="interrupted",
        error_kind="worker_lost",
        attempts=1,
        input_tokens=hold.estimate,
        estimated=True,
    )
