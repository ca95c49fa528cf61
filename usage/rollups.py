"""Writes the sums over calls: part of the transaction that writes the call's row and its entry, one statement a table for a whole batch.

Each addition is an upsert that adds in the database; rows are always locked in one order (by their keys, tables in the order below),
after all counters of limits. Reads nothing but the organisation's zone.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.db import connection, models, transaction

from accounts.prepared import fetch, marks, stored
from usage import periods
from usage.limit_models import NOBODY
from usage.rollup_models import (
    BINS,
    EDGES,
    HISTOGRAMS,
    MEASURES,
    QUARTER_S,
    PersonDay,
    Rejection,
    Rollup,
    RollupTimes,
)

BAD = frozenset({"failed", "interrupted"})
"""Outcomes that count as errors: a question that its asker stopped is none."""
_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
_MONEY = ("cost_micro", "organisation_cost_micro")
_MOST_ROWS = 100
"""So many rows a statement: 32,766 values are the most that SQLite takes."""


def bucket_of(at: dt.datetime) -> int:
    """The quarter of an hour that holds this moment."""
    return int(at.timestamp()) // QUARTER_S


def bin_of(ms: int) -> int:
    """Where in a histogram this stands."""
    return bisect_right(EDGES, ms)


def zone_now() -> Any:
    """The organisation's zone: days of people are its days."""
    rows = fetch("SELECT time_zone FROM accounts_organisation WHERE id = 1")
    return periods.zone((rows and rows[0][0]) or settings.TIME_ZONE)


class Call(Protocol):
    """What is read of a call's row (usage.models.Invocation)."""

    source: str
    person: UUID | None
    team: UUID | None
    key: UUID | None
    provider: UUID | None
    model: UUID | None
    created_at: dt.datetime
    queue_ms: int | None
    ttft_ms: int | None
    duration_ms: int
    outcome: str
    error_kind: str
    currency: str
    organisation_currency: str


class Table:
    """The sums of one table, by key; `largest` are columns of which the largest counts, not the sum."""

    def __init__(self, model: type[models.Model], *, largest: Iterable[str] = ()) -> None:
        self.key: tuple[str, ...] = model.KEY  # type: ignore[attr-defined]  # our four tables have it
        fields = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
        self.sums = [name for name in fields if name not in self.key]
        self.place = {name: n for n, name in enumerate(self.sums)}
        self.name = model._meta.db_table
        most = frozenset(largest)
        added = ", ".join(
            f'"{n}" = CASE WHEN excluded."{n}" > r."{n}" THEN excluded."{n}" ELSE r."{n}" END'
            if n in most
            else f'"{n}" = r."{n}" + excluded."{n}"'
            for n in self.sums
        )
        columns = ", ".join(f'"{name}"' for name in (*self.key, *self.sums))
        self._row = f"({marks((*self.key, *self.sums))})"
        self._head = f'INSERT INTO "{self.name}" AS r ({columns}) VALUES '  # noqa: S608  # names of our own model
        keys = ", ".join(f'"{name}"' for name in self.key)
        self.tail = f" ON CONFLICT ({keys}) DO UPDATE SET {added}"

    def write(self, rows: dict[tuple[Any, ...], list[int]]) -> None:
        every = sorted(rows.items(), key=_order)
        for start in range(0, len(every), _MOST_ROWS):
            some = every[start : start + _MOST_ROWS]
            values = [value for key, sums in some for value in (*map(_stored, key), *sums)]
            with connection.cursor() as cursor:
                cursor.execute(f"{self._head}{', '.join([self._row] * len(some))}{self.tail}", values)


def _order(row: tuple[tuple[Any, ...], list[int]]) -> tuple[str, ...]:
    return tuple(map(str, row[0]))


def _stored(value: Any) -> Any:
    return stored(value) if isinstance(value, UUID) else value


class Tally:
    """What a batch adds. Calls and entries may come in any order and number; `write` writes all of it, once."""

    def __init__(self) -> None:
        self._quarters: dict[tuple[Any, ...], list[int]] = {}
        self._times: dict[tuple[Any, ...], list[int]] = {}
        self._days: dict[tuple[Any, ...], list[int]] = {}
        self._zone: Any = None

    def calls(self, calls: Iterable[Call]) -> None:
        """Rows of calls: how many, how they ended, how long they took. What they cost says the ledger."""
        table, days = tables()[0], tables()[2]
        for call in calls:
            busy = max(0, call.duration_ms - (call.queue_ms or 0))
            for sums in self._of_quarter(call, at=call.created_at, outcome=call.outcome, error_kind=call.error_kind):
                sums[table.place["calls"]] += 1
                sums[table.place["busy_ms"]] += busy
            if call.source == "title":
                continue
            day = self._of_day(call, at=call.created_at)
            day[days.place["calls"]] += 1
            day[days.place["failed"]] += call.outcome in BAD
            self._took(call)

    def entries(self, entries: Iterable[Any]) -> None:
        """Entries of the ledger: settlements, lost tries and corrections."""
        for entry in entries:
            if entry.kind == "correction":
                self._corrected(entry)
                continue
            unknown = entry.organisation_cost_micro is None and (entry.input_tokens > 0 or entry.output_tokens > 0)
            both = self._of_quarter(entry, at=entry.reserved_at, outcome=entry.outcome, error_kind="")
            table, days = tables()[0], tables()[2]
            for sums in both:
                sums[table.place["lost"]] += entry.kind == "attempt"
                sums[table.place["estimated"]] += bool(entry.estimated)
            for place, sums in (
                *((table.place, s) for s in both),
                (days.place, self._of_day(entry, at=entry.reserved_at)),
            ):
                sums[place["unknown"]] += unknown
                for name in (*_TOKENS, *_MONEY):
                    sums[place[name]] += getattr(entry, name) or 0

    def _corrected(self, entry: Any) -> None:
        table, days = tables()[0], tables()[2]
        both = self._of_quarter(entry, at=entry.at, outcome="", error_kind="")
        for place, sums in (*((table.place, s) for s in both), (days.place, self._of_day(entry, at=entry.at))):
            sums[place["corrections"]] += 1
            sums[place["corrected_tokens"]] += entry.input_tokens + entry.output_tokens
            sums[place["corrected_micro"]] += entry.organisation_cost_micro or 0

    def _took(self, call: Call) -> None:
        table = tables()[1]
        ours = (call.model or NOBODY, call.provider or NOBODY)
        took = {"queue": call.queue_ms, "ttft": call.ttft_ms, "duration": call.duration_ms}
        for scope in _scopes(call.team):
            key = (scope, bucket_of(call.created_at), *ours)
            sums = self._times.get(key) or self._times.setdefault(key, [0] * len(table.sums))
            for measure, ms in took.items():
                if ms is not None:
                    sums[table.place[HISTOGRAMS[measure][bin_of(ms)]]] += 1
                    most = table.place[f"{measure}_max"]
                    sums[most] = max(sums[most], min(ms, 2**31 - 1))

    def _of_quarter(self, call: Any, *, at: dt.datetime, outcome: str, error_kind: str) -> list[list[int]]:
        width, bucket = len(tables()[0].sums), bucket_of(at)
        money = (call.currency, call.organisation_currency)
        rest = (call.model or NOBODY, call.provider or NOBODY, str(call.source), outcome, error_kind, *money)
        return [self._quarters.setdefault((scope, bucket, *rest), [0] * width) for scope in _scopes(call.team)]

    def _of_day(self, call: Any, *, at: dt.datetime) -> list[int]:
        if self._zone is None:
            self._zone = zone_now()
        who = (call.person or NOBODY, call.team or NOBODY, call.key or NOBODY, call.model or NOBODY)
        key = (at.astimezone(self._zone).date(), *who, call.currency, call.organisation_currency)
        return self._days.setdefault(key, [0] * len(tables()[2].sums))

    def write(self) -> None:
        """Adds it to the tables, in the caller's transaction, and begins anew."""
        for table, rows in zip(tables(), (self._quarters, self._times, self._days), strict=True):
            if rows:
                table.write(rows)
            rows.clear()


_made: list[Table] = []


def tables() -> Sequence[Table]:
    """Quarters, times, days: the order in which they are written."""
    if not _made:
        largest = [f"{measure}_max" for measure in MEASURES]
        _made.extend([Table(Rollup), Table(RollupTimes, largest=largest), Table(PersonDay)])
    return _made


def _scopes(team: UUID | None) -> tuple[UUID, ...]:
    return (NOBODY,) if team is None else (NOBODY, team)


def refused(*, team: UUID | None, source: str, reason: str, now: dt.datetime) -> None:
    """Counts a question that was refused; in a statement of its own, outside the transaction that came to nothing."""
    rows = {(scope, bucket_of(now), str(source), reason[:32]): [1] for scope in _scopes(team)}
    Table(Rejection).write(rows)


def forget(person: UUID, *, most: int = 200) -> int:
    """Moves days of somebody who is erased to nobody's, so that every sum stays; how many. 0: none is left."""
    table = tables()[2]
    sums: dict[tuple[Any, ...], list[int]] = {}
    with transaction.atomic():
        rows = list(PersonDay.objects.select_for_update().filter(person=person).order_by("pk")[:most])
        for row in rows:
            key = (row.day, NOBODY, row.team, NOBODY, row.model, row.currency, row.organisation_currency)
            into = sums.setdefault(key, [0] * len(table.sums))
            for name, place in table.place.items():
                into[place] += getattr(row, name)
        if rows:
            table.write(sums)
            PersonDay.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


assert len(EDGES) == BINS - 1
