"""What is being answered at this moment, what waits and who works: for the desk. Reads only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import Coalesce

from chat.models import Generation, WorkerHeartbeat

State = Generation.State


@dataclass(frozen=True, slots=True)
class Running:
    """`oldest_s`: how long the one that has waited longest has waited. `places`: so many answers the living workers write at once."""

    answering: int
    waiting: int
    oldest_s: int
    workers: int
    places: int


def now_running(*, now: dt.datetime) -> Running:
    """Two queries."""
    active = Generation.objects.filter(state__in=Generation.ACTIVE)
    wait = Q(state__in=(State.QUEUED, State.WAITING))
    found = active.aggregate(
        held=Count("pk", filter=~wait), waiting=Count("pk", filter=wait), oldest=Min("created_at", filter=wait)
    )
    silent = dt.timedelta(seconds=settings.WORKER_SILENT_S)
    alive = WorkerHeartbeat.objects.filter(beat_at__gt=now - silent, beat_at__lt=now + silent)
    workers = alive.aggregate(n=Count("pk"), places=Coalesce(Sum("places"), 0))
    oldest = round((now - found["oldest"]).total_seconds()) if found["oldest"] else 0
    return Running(found["held"], found["waiting"], max(0, oldest), workers["n"], workers["places"])


def begun_before(at: dt.datetime) -> int:
    """Answers that were asked for before this moment and are not over. One query."""
    return Generation.objects.filter(state__in=Generation.ACTIVE, created_at__lt=at).count()
