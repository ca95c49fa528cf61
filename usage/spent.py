"""What the ledger says was used within a window: for a counter that begins in its midst, and for pages. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from accounts.prepared import fetch, marks
from usage.limit_models import Scope, Unit
from usage.limits import Limit, Standing

AMOUNT = {
    Unit.REQUESTS: "requests",
    Unit.TOKENS: "input_tokens + output_tokens",
    Unit.INPUT: "input_tokens",
    Unit.OUTPUT: "output_tokens",
    Unit.COST: "COALESCE(organisation_cost_micro, 0)",
}
"""What an entry counts in each unit."""
_WHOSE = {Scope.TEAM: "team", Scope.PERSON: "person", Scope.MEMBER: "person", Scope.EACH: "person"}
_SUM = "SELECT COALESCE(SUM({amount}), 0) FROM usage_ledgerentry WHERE reserved_at >= %s AND reserved_at < %s"


def query(limit: Limit) -> tuple[str, list[Any]]:
    """A SELECT of one number, and its values: what was used of this limit in its window so far (money: where its cost is known)."""
    if limit.unit not in AMOUNT:
        return "SELECT 0", []
    sql = _SUM.format(amount=AMOUNT[Unit(limit.unit)])
    values: list[Any] = [limit.starts_at, limit.ends_at]
    if limit.scope == Scope.KEY:
        sql += ' AND ("key" = %s OR "key" IN (SELECT uuid FROM accounts_apikey WHERE family = %s))'
        values += [limit.subject, limit.subject]
    elif whose := _WHOSE.get(Scope(limit.scope)):
        sql += f' AND "{whose}" = %s'
        values.append(limit.subject)
    if limit.models:
        sql += f" AND model IN ({marks(limit.models)})"
        values += sorted(limit.models)
    return sql, values


def known(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """The same limits; those whose window has no counter yet with what the ledger says was used."""
    return tuple(limit if limit.period_id else replace(limit, used=_sum(limit)) for limit in limits)


def shown(standing: Standing) -> Standing:
    """What applies to somebody, as a page shows it."""
    return replace(standing, limits=known(standing.limits), overridden=known(standing.overridden))


def _sum(limit: Limit) -> int:
    sql, values = query(limit)
    return max(0, int(fetch(sql, *values)[0][0]))


def between(limit: Limit, *, starts_at: dt.datetime, ends_at: dt.datetime) -> int:
    """What the ledger counts for this limit in another window: what a page previews."""
    return _sum(replace(limit, starts_at=starts_at, ends_at=ends_at))
