"""What was used, by day and model, out of the ledger: for pages and files. Reads only; days are those of the organisation's clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, TruncDate

from usage import moments
from usage.models import LedgerEntry


@dataclass(frozen=True, slots=True)
class Used:
    """What was used on a day of a model. `cost_micro` is in the organisation's currency; `unknown` calls have no price."""

    day: dt.date
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost_micro: int
    unknown: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Sums:
    """The same over several days and models."""

    requests: int
    tokens: int
    cost_micro: int
    unknown: int


def days_back(days: int, *, now: dt.datetime, tz: ZoneInfo) -> list[dt.date]:
    """The last so many days there, today the last of them."""
    today = now.astimezone(tz).date()
    return [today - dt.timedelta(days=back) for back in range(days - 1, -1, -1)]


def of_person(person: UUID, *, days: list[dt.date], tz: ZoneInfo, currency: str) -> list[Used]:
    """What this person used on these days, by day and model. One query."""
    return list(_grouped(LedgerEntry.objects.filter(person=person), days=days, tz=tz, currency=currency))


def of_model(model: UUID, *, days: int, now: dt.datetime, currency: str) -> Sums:
    """What everybody used of this model in the last so many times 24 hours. One query."""
    known = Q(organisation_currency=currency)
    since = now - dt.timedelta(days=days)
    row = LedgerEntry.objects.filter(model=model, reserved_at__gte=since).aggregate(
        made=Coalesce(Sum("requests"), 0),
        tokens=Coalesce(Sum(F("input_tokens") + F("output_tokens")), 0),
        cost=Coalesce(Sum("organisation_cost_micro", filter=known), 0),
        unknown=Count("pk", filter=~known & (Q(input_tokens__gt=0) | Q(output_tokens__gt=0))),
    )
    return Sums(row["made"], row["tokens"], row["cost"], row["unknown"])


def _grouped(entries: QuerySet[LedgerEntry], *, days: list[dt.date], tz: ZoneInfo, currency: str) -> Iterator[Used]:
    first, after = (moments.begin_of(day, tz=tz) for day in (days[0], days[-1] + dt.timedelta(days=1)))
    mine = entries.filter(reserved_at__gte=first, reserved_at__lt=after).annotate(
        day=TruncDate("reserved_at", tzinfo=tz)
    )
    # A call that was billed when the organisation counted in another currency has a cost that cannot be added to this one's.
    known = Q(organisation_currency=currency)
    rows = mine.values("day", "model_name").annotate(
        made=Sum("requests"),
        given=Sum("input_tokens"),
        answered=Sum("output_tokens"),
        cost=Coalesce(Sum("organisation_cost_micro", filter=known), 0),
        unknown=Count("pk", filter=~known & (Q(input_tokens__gt=0) | Q(output_tokens__gt=0))),
    )
    for row in rows.order_by("day", F("model_name")):
        yield Used(
            row["day"], row["model_name"], row["made"], row["given"], row["answered"], row["cost"], row["unknown"]
        )


def together(rows: Iterable[Used]) -> Sums:
    """Their sums."""
    every = list(rows)
    return Sums(
        sum(row.requests for row in every),
        sum(row.tokens for row in every),
        sum(row.cost_micro for row in every),
        sum(row.unknown for row in every),
    )
