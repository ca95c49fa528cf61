"""What is not well with the money: budgets that are nearly or wholly used, models that were asked and have no price. Reads only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Q

from providers import prices
from usage import limit_words, sentences
from usage.limit_models import QuotaPeriod, Scope, Unit
from usage.models import Invocation

NEARLY = 80
MOST = 50


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in money of many together, in its present period; `percent` is what is used of it."""

    quota: str
    name: str
    percent: int
    used: str
    limit: str


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model at a provider that was asked of late and whose price nobody knows."""

    model: str
    name: str
    calls: int


def budgets(*, now: dt.datetime, currency: str) -> list[Budget]:
    """Those of which at least NEARLY is used. One query."""
    rows = QuotaPeriod.objects.select_related("quota").filter(
        starts_at__lte=now, ends_at__gt=now, quota__removed_at=None, quota__unit=Unit.COST,
        quota__scope__in=(Scope.ORGANISATION, Scope.TEAM),
    )  # fmt: skip
    found = []
    for row in rows.order_by("pk"):
        cap = row.cap or row.quota.amount
        percent = 100 if row.used >= cap else row.used * 100 // cap
        if percent >= NEARLY:
            words = {
                name: limit_words.amount(value, unit=Unit.COST, currency=currency)
                for name, value in (("used", row.used), ("limit", cap))
            }
            whom = sentences.whom(row.quota.scope, row.quota.subject_name)
            found.append(Budget(str(row.quota.uuid), whom, percent, **words))
    return found


def unpriced(*, now: dt.datetime) -> list[Unpriced]:
    """Two queries at most."""
    routes = list(prices.unpriced()[:MOST])
    if not routes:
        return []
    names = {route.model.uuid: route.model.name for route in routes}
    took = Q(input_tokens__gt=0) | Q(output_tokens__gt=0)
    rows = Invocation.objects.filter(took, created_at__gt=now - dt.timedelta(days=1), organisation_cost_micro=None)
    counted = rows.filter(model__in=names).values("model").annotate(n=Count("pk")).order_by("model")
    return [Unpriced(str(row["model"]), names[row["model"]], row["n"]) for row in counted if row["model"]]
