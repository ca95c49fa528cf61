"""Counts the sums over calls anew from the rows, and says where they differ. For an installation older than they, and for repair.

Refused questions have no rows: what was counted of them stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Q, QuerySet, Sum

from usage.limit_models import NOBODY
from usage.models import Invocation, LedgerEntry, PersonDay, Rollup, RollupTimes
from usage.rollup_models import HISTOGRAMS
from usage.rollups import Tally

AT_ONCE = 5000
_CALL = (
    "source", "person", "team", "key", "provider", "model", "created_at", "queue_ms", "ttft_ms", "duration_ms", "outcome",
    "error_kind", "currency", "organisation_currency",
)  # fmt: skip
_ENTRY = (
    "kind", "source", "person", "team", "key", "provider", "model", "reserved_at", "at", "outcome", "estimated", "currency",
    "organisation_currency", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_micro",
    "organisation_cost_micro",
)  # fmt: skip


def everything() -> int:
    """All of it, in one transaction: answers that end meanwhile wait for it. How many rows were read."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE usage_rollup, usage_rolluptimes, usage_personday IN EXCLUSIVE MODE")
        for table in (Rollup, RollupTimes, PersonDay):
            table.objects.all().delete()
        return add(Invocation.objects.all(), LedgerEntry.objects.all())


def add(calls: QuerySet[Any], entries: QuerySet[Any]) -> int:
    """Adds these rows to the sums, in portions; part of the caller's transaction. Their models may be a migration's."""
    return sum(_portions(calls.order_by(), _CALL, Tally.calls)) + sum(
        _portions(entries.order_by(), _ENTRY, Tally.entries)
    )


def _portions(rows: QuerySet[Any], names: tuple[str, ...], into: Any) -> Iterator[int]:
    some: list[Any] = []
    for row in rows.values_list(*names, named=True).iterator(chunk_size=AT_ONCE):
        some.append(row)
        if len(some) == AT_ONCE:
            yield _write(some, into)
            some = []
    yield _write(some, into)


def _write(rows: list[Any], into: Any) -> int:
    tally = Tally()
    into(tally, rows)
    tally.write()
    return len(rows)


# --- do they agree --------------------------------------------------------------------------------------------------------


def drifts() -> Iterator[str]:
    """Where the sums are not those of the rows, in words; nothing: they agree. Reads all rows."""
    calls, entries = Invocation.objects.all(), LedgerEntry.objects.exclude(kind="correction")
    corrections = LedgerEntry.objects.filter(kind="correction")
    whole = Rollup.objects.filter(scope=NOBODY)
    wanted = {
        "input_tokens": _sum(entries, "input_tokens"),
        "output_tokens": _sum(entries, "output_tokens"),
        "cost_micro": _sum(entries, "cost_micro"),
        "organisation_cost_micro": _sum(entries, "organisation_cost_micro"),
        "corrections": corrections.count(),
        "corrected_micro": _sum(corrections, "organisation_cost_micro"),
    }
    for name, ours in (("usage_rollup", whole), ("usage_personday", PersonDay.objects.all())):
        for column, value in wanted.items():
            yield from _differ(name, column, rows=value, sums=_sum(ours, column))
    yield from _differ("usage_rollup", "calls", rows=calls.count(), sums=_sum(whole, "calls"))
    of_teams = _sum(Rollup.objects.exclude(scope=NOBODY), "calls")
    yield from _differ("usage_rollup of teams", "calls", rows=calls.exclude(team=None).count(), sums=of_teams)
    asked = calls.exclude(source="title")
    yield from _differ("usage_personday", "calls", rows=asked.count(), sums=_sum(PersonDay.objects.all(), "calls"))
    for measure in HISTOGRAMS:
        there = asked.filter(~Q(**{f"{measure}_ms": None})).count()
        times = RollupTimes.objects.filter(scope=NOBODY)
        found = times.aggregate(**{name: Sum(name) for name in HISTOGRAMS[measure]})
        yield from _differ("usage_rolluptimes", measure, rows=there, sums=sum(n or 0 for n in found.values()))


def _sum(rows: QuerySet[Any], column: str) -> int:
    return int(rows.aggregate(n=models.Sum(column))["n"] or 0)


def _differ(table: str, column: str, *, rows: int, sums: int) -> Iterator[str]:
    if rows != sums:
        yield f"{table}.{column}: the rows say {rows}, the sums {sums}"
