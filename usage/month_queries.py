"""What the month report reads: out of the sums, out of the rows themselves, or of a closed month's lines. A constant number of queries.

All three give the same rows: dictionaries with some of BY, and SUMS as whole numbers. `calls` are questions, titles are none; a
correction counts in the month in which it is made, and apart. `scope` is a team, or NOBODY for the whole organisation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, IntegerField, Max, Q, QuerySet, Sum, UUIDField, Value, When
from django.db.models.functions import Coalesce

from usage.limit_models import NOBODY
from usage.models import ClosedMonth, Invocation, LedgerEntry, MonthLine, PersonDay, Rollup
from usage.months import Month
from usage.rollup_models import QUARTER_S

Row = dict[str, Any]
MONEY = ("currency", "organisation_currency")
BY = ("team", "person", "model", "provider", *MONEY)
SUMS = (
    "calls", "unknown", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_micro",
    "organisation_cost_micro", "corrections", "corrected_tokens", "corrected_micro",
)  # fmt: skip
_USED = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_micro", "organisation_cost_micro")


def of_machines(month: Month, *, scope: UUID = NOBODY) -> list[Row]:
    """By model, provider and currencies, out of quarters of an hour: a month's ends are ends of quarters. One query."""
    first, end = _quarter(month.starts_at), _quarter(month.ends_at)
    rows = Rollup.objects.filter(scope=scope, bucket__gte=first, bucket__lt=end)
    added = {name: Sum(name) for name in SUMS if name != "calls"}
    asked = Sum("calls", filter=~Q(source="title"), default=0)
    return _listed(rows, ("model", "provider", *MONEY), calls=asked, **added)


def of_months(months: Iterable[Month], *, scope: UUID = NOBODY) -> dict[dt.date, list[Row]]:
    """By model, provider and currencies, of several months, by their first day; closed ones out of their lines. Two queries."""
    every = list(months)
    found: dict[dt.date, list[Row]] = {month.first: [] for month in every}
    opened = [month for month in every if month.closed is None]
    reach = [Q(bucket__gte=_quarter(month.starts_at), bucket__lt=_quarter(month.ends_at)) for month in opened]
    whens = [When(within, then=Value(number)) for number, within in enumerate(reach)]
    rows = Rollup.objects.filter(reduce(or_, reach, Q(pk=None)), scope=scope)
    step = Case(*whens, default=Value(-1), output_field=IntegerField())
    added = {name: Sum(name) for name in SUMS if name != "calls"}
    asked = Sum("calls", filter=~Q(source="title"), default=0)
    for row in _listed(rows.annotate(step=step), ("step", "model", "provider", *MONEY), calls=asked, **added):
        found[opened[row["step"]].first].append(row)
    lines = MonthLine.objects.filter(month__in=[month.closed for month in every if month.closed])
    lines = lines if scope == NOBODY else lines.filter(team=scope)
    for row in _listed(lines, ("month__first", "model", "provider", *MONEY), **{name: Sum(name) for name in SUMS}):
        found[row["month__first"]].append(row)
    return found


def of_people(month: Month, *by: str, scope: UUID = NOBODY) -> list[Row]:
    """By `by` (team, person, model) and currencies, out of days of people. One query.

    Days are those of the clock at that time: whoever reads them holds their sum against that of the quarters.
    """
    days = _days(month)
    rows = PersonDay.objects.filter(day__gte=days[0], day__lt=days[1])
    rows = rows if scope == NOBODY else rows.filter(team=scope)
    return _listed(rows, (*by, *MONEY), **{name: Sum(name) for name in SUMS})


def of_lines(closed: ClosedMonth, *by: str, scope: UUID = NOBODY) -> list[Row]:
    """By `by` and currencies, out of a closed month, with the names that it keeps. One query."""
    rows = MonthLine.objects.filter(month=closed)
    rows = rows if scope == NOBODY else rows.filter(team=scope)
    named = [f"{name}_name" for name in by if name in BY]
    found = _listed(rows, (*by, *named, *MONEY), **{name: Sum(name) for name in SUMS})
    return [row | {"person": row["person"] or NOBODY} if "person" in row else row for row in found]


def of_rows(month: Month, *by: str, scope: UUID = NOBODY) -> list[Row]:
    """By `by` and currencies, out of the ledger and the calls themselves, with the names written there. Three queries."""
    entries = LedgerEntry.objects.exclude(kind="correction")
    entries = entries.filter(reserved_at__gte=month.starts_at, reserved_at__lt=month.ends_at)
    made = LedgerEntry.objects.filter(kind="correction", at__gte=month.starts_at, at__lt=month.ends_at)
    calls = Invocation.objects.filter(created_at__gte=month.starts_at, created_at__lt=month.ends_at)
    has_tokens = Q(input_tokens__gt=0) | Q(output_tokens__gt=0)
    found: dict[tuple[Any, ...], Row] = {}
    for rows, sums in (
        (entries, {name: Sum(name, default=0) for name in _USED}
         | {"unknown": Count("pk", filter=Q(organisation_cost_micro=None) & has_tokens)}),
        (made, {"corrections": Count("pk"), "corrected_tokens": Sum(F("input_tokens") + F("output_tokens"), default=0),
                "corrected_micro": Sum("organisation_cost_micro", default=0)}),
        (calls, {"calls": Count("pk", filter=~Q(source="title"))}),
    ):  # fmt: skip
        _add(found, rows if scope == NOBODY else rows.filter(team=scope), by=by, sums=sums)
    return [row for row in found.values() if any(row[name] for name in SUMS)]


def corrections(month: Month, *, scope: UUID = NOBODY) -> QuerySet[LedgerEntry]:
    """Those made in the month, the oldest first."""
    rows = LedgerEntry.objects.filter(kind="correction", at__gte=month.starts_at, at__lt=month.ends_at)
    return (rows if scope == NOBODY else rows.filter(team=scope)).order_by("at", "pk")


def corrected_later(month: Month, *, scope: UUID = NOBODY) -> tuple[int, int]:
    """Corrections of the month's calls that were made after it: how many, and micro-units together. One query."""
    rows = LedgerEntry.objects.filter(
        kind="correction", at__gte=month.ends_at, reserved_at__gte=month.starts_at, reserved_at__lt=month.ends_at
    )
    rows = rows if scope == NOBODY else rows.filter(team=scope)
    found = rows.aggregate(n=Count("pk"), micro=Sum("organisation_cost_micro", default=0))
    return found["n"], found["micro"]


def together(rows: Iterable[Row]) -> Row:
    """Their sums, whatever they are by."""
    found = dict.fromkeys(SUMS, 0)
    for row in rows:
        for name in SUMS:
            found[name] += row[name]
    return found


def _add(found: dict[tuple[Any, ...], Row], rows: QuerySet[Any], *, by: tuple[str, ...], sums: dict[str, Any]) -> None:
    """Adds what the rows sum up to. Who or what is nobody there is NOBODY here, as in the sums."""
    nobody = Value(NOBODY, output_field=UUIDField())
    keys = {f"k_{name}": Coalesce(name, nobody) for name in by} | {f"k_{name}": F(name) for name in MONEY}
    named = {f"m_{name}": Max(f"{name}_name") for name in by}
    grouped = rows.order_by().values(**keys).annotate(**{f"s_{name}": value for name, value in sums.items()}, **named)
    for row in grouped:
        key = tuple(row[name] for name in keys)
        nothing = dict(zip((*by, *MONEY), key, strict=True)) | dict.fromkeys(SUMS, 0) | {f"{n}_name": "" for n in by}
        into = found.setdefault(key, nothing)
        for name in by:
            into[f"{name}_name"] = into[f"{name}_name"] or row[f"m_{name}"] or ""
        for name in sums:
            into[name] += row[f"s_{name}"]


def _listed(rows: QuerySet[Any], by: tuple[str, ...], **sums: Any) -> list[Row]:
    """Without rows of nothing but zeros."""
    named = {f"s_{name}": value for name, value in sums.items()}
    found = rows.order_by().values(*by).annotate(**named)
    listed = [{name: row[name] for name in by} | {name: row[f"s_{name}"] for name in sums} for row in found]
    return [row for row in listed if any(row[name] for name in SUMS)]


def _quarter(at: dt.datetime) -> int:
    return int(at.timestamp()) // QUARTER_S


def _days(month: Month) -> tuple[dt.date, dt.date]:
    """The month's days on the clock by which people's days are kept: from, and not any more."""
    return month.first, (month.first + dt.timedelta(days=32)).replace(day=1)
