"""Settles holds whose owner is gone: those of calls that are no Generation (titles, the gateway) and have a lease of their own."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction

from accounts.models import Team, User
from providers.models import LanguageModel, Provider
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
        person_name=_name(User, hold.person),
        team=hold.team,
        team_name=_name(Team, hold.team),
        key=hold.key,
        provider=hold.provider,
        provider_name=_name(Provider, hold.provider),
        model=hold.model,
        model_name=_name(LanguageModel, hold.model),
        created_at=hold.created_at,
        finished_at=now,
        duration_ms=round((now - hold.created_at).total_seconds() * 1000),
        outcome="interrupted",
        error_kind="worker_lost",
        attempts=1,
        input_tokens=hold.estimate,
        output_tokens=hold.produced,
        estimated=True,
    )


def _name(model: type[User | Team | Provider | LanguageModel], of: uuid.UUID | None) -> str:
    """As the row of a call keeps it; empty for what is gone."""
    return "" if of is None else model._default_manager.filter(uuid=of).values_list("name", flat=True).first() or ""
