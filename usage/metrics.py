"""Reads of finished calls: how long a model takes, when an answer's first text came. Writes nothing, decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Avg, Count, F, Q

from accounts import clock
from usage.models import Invocation

RECENT_S = 3600
ENOUGH = 3
"""Fewer finished calls than this are no basis for saying how long the next one takes."""


def mean_seconds(models: Iterable[UUID], *, now: dt.datetime) -> dict[UUID, float]:
    """For each of these models with enough finished answers within the last hour: the mean time of writing one, in seconds."""
    recent = Invocation.objects.filter(
        created_at__gt=now - dt.timedelta(seconds=RECENT_S),
        model__in=list(models),
        outcome="done",
        queue_ms__isnull=False,
    )
    rows = recent.values("model").annotate(mean=Avg(F("duration_ms") - F("queue_ms")), n=Count("pk"))
    return {row["model"]: max(0.0, row["mean"]) / 1000 for row in rows if row["model"] and row["n"] >= ENOUGH}


def first_text_seconds(request_ids: Iterable[UUID]) -> dict[UUID, int]:
    """For each of these calls that wrote text: seconds from its start to the first of it, rounded."""
    rows = Invocation.objects.filter(request_id__in=list(request_ids), ttft_ms__isnull=False)
    return {request: round(ms / 1000) for request, ms in rows.values_list("request_id", "ttft_ms") if ms is not None}


def unknown_calls(models: Iterable[UUID]) -> dict[UUID, int]:
    """For each of these models: how many calls of the last 30 days took tokens that nobody could price."""
    since = clock.now() - dt.timedelta(days=30)
    rows = Invocation.objects.filter(created_at__gt=since, model__in=list(models), organisation_cost_micro=None)
    counted = rows.filter(Q(input_tokens__gt=0) | Q(output_tokens__gt=0)).values("model").annotate(n=Count("pk"))
    return {row["model"]: row["n"] for row in counted if row["model"]}
