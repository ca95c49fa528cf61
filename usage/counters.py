"""The statements on the counters of periods. Only usage.quotas calls them: each is part of its caller's transaction.

Rows are always locked in the order of their ids, by whoever changes several: nobody waits for somebody who waits for him.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.prepared import execute, fetch, marks, stored
from usage import spent
from usage.limit_models import NOBODY
from usage.limits import Limit

NO_CAP = 2**62
_OPEN = """
INSERT INTO usage_quotaperiod (quota_id, subject, starts_at, ends_at, opening, used, held, cap)
SELECT {quota}, {subject}, {starts}, {ends}, o.amount, o.amount, 0, {cap}
FROM (SELECT CASE WHEN s.total > 0 THEN s.total ELSE 0 END AS amount FROM (SELECT ({spent}) AS total) AS s) AS o
WHERE true ON CONFLICT (quota_id, subject, starts_at) DO NOTHING
"""
_FIND = "SELECT id, quota_id FROM usage_quotaperiod WHERE {each}"
# All or none: what does not fit changes no row. PostgreSQL locks first, in order, and measures what it has locked.
_TAKE = """
UPDATE usage_quotaperiod SET held = held + CASE id {amounts} END, cap = CASE id {shown} END
WHERE id IN ({ids}) AND NOT EXISTS (
    SELECT 1 FROM usage_quotaperiod f WHERE f.id IN ({ids})
    AND f.used + f.held + CASE f.id {amounts} END > CASE f.id {caps} END)
"""
_TAKE_ON_A_SERVER = """
WITH locked AS (SELECT id, used, held FROM usage_quotaperiod WHERE id IN ({ids}) ORDER BY id FOR UPDATE),
full_ones AS (SELECT 1 FROM locked WHERE used + held + CASE id {amounts} END > CASE id {caps} END)
UPDATE usage_quotaperiod p SET held = p.held + CASE p.id {amounts} END, cap = CASE p.id {shown} END
FROM locked WHERE p.id = locked.id AND NOT EXISTS (SELECT 1 FROM full_ones)
"""
_GIVE = "UPDATE usage_quotaperiod SET held = held - %s, used = used + %s WHERE id = %s"
_LINES = """
SELECT l.id, l.reservation_id, l.period_id, l.amount, q.unit FROM usage_reservationline l
JOIN usage_quotaperiod p ON p.id = l.period_id JOIN usage_quota q ON q.id = p.quota_id WHERE l.reservation_id IN ({ids})
"""
_PASSED = """
SELECT 1 FROM usage_quotaperiod p JOIN usage_quota q ON q.id = p.quota_id WHERE p.id IN ({ids}) AND p.used + p.held > p.cap
AND q.at_limit <> 'warn' AND (q.at_limit <> 'switch' OR q.switch_to <> {model}) LIMIT 1
"""
_NOTE = """
INSERT INTO usage_quotanotice (period_id, percent, at)
SELECT p.id, n.percent, {now} FROM usage_quotaperiod p
CROSS JOIN (SELECT 80 AS percent UNION ALL SELECT 100) AS n
WHERE p.id IN ({ids}) AND p.cap > 0 AND p.used >= p.cap / 100.0 * n.percent ON CONFLICT (period_id, percent) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Taking:
    """What one call takes from one counter: `amount` is held; a soft limit counts and never refuses."""

    limit: Limit
    amount: int
    soft: bool

    @property
    def period(self) -> int:
        """The counter's row, which `opened` has found."""
        assert self.limit.period_id is not None
        return self.limit.period_id


@dataclass(frozen=True, slots=True)
class Line:
    """A row of ReservationLine with its limit's unit."""

    id: int
    reservation: int
    period: int
    amount: int
    unit: str


def opened(takings: Iterable[Taking]) -> list[Taking]:
    """The same, each with its counter's row: made where the window has none yet, beginning with what the ledger says."""
    every = list(takings)
    new = [taking for taking in every if taking.limit.period_id is None]
    if not new:
        return every
    for taking in sorted(new, key=lambda t: (t.limit.id, t.limit.subject)):
        _open(taking.limit)
    found = _find([taking.limit for taking in new])
    return [
        replace(t, limit=replace(t.limit, period_id=found[t.limit.id])) if t.limit.period_id is None else t
        for t in every
    ]


def _open(limit: Limit) -> None:
    sql, values = spent.query(limit)
    row = (limit.id, limit.subject, limit.starts_at, limit.ends_at, limit.cap)
    places = dict.fromkeys(("quota", "subject", "starts", "ends", "cap"), "%s")
    if connection.vendor == "postgresql":
        casts = {"quota": "bigint", "subject": "uuid", "starts": "timestamptz", "ends": "timestamptz", "cap": "bigint"}
        places = {name: f"%s::{cast}" for name, cast in casts.items()}
    execute(_OPEN.format(spent=sql, **places), *row, *values)


def _find(limits: list[Limit]) -> dict[int, int]:
    """The counter's row of each limit (by the limit's id): a call has one subject for each of its limits."""
    each = " OR ".join("(quota_id = %s AND subject = %s AND starts_at = %s)" for _ in limits)
    values = [value for limit in limits for value in (limit.id, limit.subject, limit.starts_at)]
    return {quota: pk for pk, quota in fetch(_FIND.format(each=each), *values)}


def take(takings: list[Taking]) -> bool:
    """Holds all of it, or nothing: False when one of them has no room."""
    if not takings:
        return True
    ids = [taking.period for taking in takings]
    amounts = [value for t in takings for value in (t.period, t.amount)]
    caps = [value for t in takings for value in (t.period, NO_CAP if t.soft else t.limit.cap)]
    shown = [value for t in takings for value in (t.period, t.limit.cap)]
    server = connection.vendor == "postgresql"
    case = " ".join(["WHEN %s THEN %s::bigint" if server else "WHEN %s THEN %s"] * len(takings))
    sql = (_TAKE_ON_A_SERVER if server else _TAKE).format(ids=marks(ids), amounts=case, caps=case, shown=case)
    values = [*ids, *amounts, *caps, *amounts, *shown] if server else [*amounts, *shown, *ids, *ids, *amounts, *caps]
    return execute(sql, *values) == len(takings)


def lines(reservations: Iterable[int]) -> list[Line]:
    """What these holds took, from which counters."""
    ids = list(reservations)
    return [Line(*row) for row in fetch(_LINES.format(ids=marks(ids)), *ids)] if ids else []


def give(used: Mapping[Line, int], *, now: dt.datetime) -> None:
    """What was held is held no more; what was used counts. Each line is told what it was."""
    back: dict[int, list[int]] = {}
    for line, amount in used.items():
        sums = back.setdefault(line.period, [0, 0])
        sums[0] += line.amount
        sums[1] += amount
    _many(
        "UPDATE usage_reservationline SET used = COALESCE(used, 0) + %s WHERE id = %s",
        [(amount, line.id) for line, amount in sorted(used.items(), key=lambda pair: pair[0].id)],
    )
    _many(_GIVE, [(held, spent_now, period) for period, (held, spent_now) in sorted(back.items())])
    note([period for period, (_held, spent_now) in back.items() if spent_now], now=now)


def count(more: Mapping[Line, int], *, now: dt.datetime) -> None:
    """Further use (or less, for a correction) of calls that are closed, or of attempts of one that is not."""
    changed = {line: amount for line, amount in more.items() if amount}
    _many(
        "UPDATE usage_reservationline SET used = COALESCE(used, 0) + %s WHERE id = %s",
        [(amount, line.id) for line, amount in sorted(changed.items(), key=lambda pair: pair[0].id)],
    )
    _many(_GIVE, sorted([(0, amount, line.period) for line, amount in changed.items()], key=lambda row: row[2]))
    note([line.period for line in changed], now=now)


def passed(periods: Iterable[int], *, model: UUID | None) -> bool:
    """Whether one of these, which this transaction has changed, now stands beyond a limit that refuses this model."""
    ids = list(periods)
    place = "%s::uuid" if connection.vendor == "postgresql" else "%s"
    return bool(ids and fetch(_PASSED.format(ids=marks(ids), model=place), *ids, model or NOBODY))


def note(periods: list[int], *, now: dt.datetime) -> None:
    """Writes down which of these have come to 80 % or 100 %, once for each."""
    if periods:
        moment = "%s::timestamptz" if connection.vendor == "postgresql" else "%s"
        execute(_NOTE.format(ids=marks(periods), now=moment), now, *periods)


def _many(sql: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(sql, [[stored(value) for value in row] for row in rows])
