"""The month report put together: the month's use by cost centre, team, model and person, corrections apart. Reads only.

An open month is read out of the sums over calls, which are those of the ledger's rows; where people's days are not the month's (the
organisation's zone was changed) out of the rows themselves. A closed one says what it said on the day on which it was closed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.models import Team, User
from providers.models import LanguageModel, Provider
from usage import month_queries as reads
from usage.limit_models import NOBODY
from usage.models import ExchangeRate
from usage.month_queries import Row
from usage.months import Month

_PLAIN = (
    "calls",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "corrections",
    "corrected_tokens",
)
TABLES = {"team": Team, "model": LanguageModel, "provider": Provider}


@dataclass(slots=True)
class Sums:
    """Of anything together. `own`: micro-units by the price's currency; `foreign`: what was counted in another currency than
    the organisation's of today (with its corrections), which cannot be added to `cost_micro`.

    `unpriced` entries have no price, `unconverted` ones a price but no exchange rate: what they cost is in no sum of money.
    """

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced: int = 0
    unconverted: int = 0
    cost_micro: int = 0
    corrections: int = 0
    corrected_tokens: int = 0
    corrected_micro: int = 0
    own: dict[str, int] = field(default_factory=dict)
    in_own: dict[str, int] = field(default_factory=dict)
    foreign: dict[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def unknown(self) -> int:
        return self.unpriced + self.unconverted

    @property
    def total_micro(self) -> int:
        """With the corrections that were made in the month."""
        return self.cost_micro + self.corrected_micro

    def add(self, row: Row, *, currency: str) -> None:
        for name in _PLAIN:
            setattr(self, name, getattr(self, name) + row[name])
        own, into = row["currency"], row["organisation_currency"]
        if own:
            self.unconverted += row["unknown"]
            self.own[own] = self.own.get(own, 0) + row["cost_micro"]
        else:
            self.unpriced += row["unknown"]
        if into == currency:
            self.cost_micro += row["organisation_cost_micro"]
            self.corrected_micro += row["corrected_micro"]
            if own:
                self.in_own[own] = self.in_own.get(own, 0) + row["organisation_cost_micro"]
        elif into and (foreign := row["organisation_cost_micro"] + row["corrected_micro"]):
            self.foreign[into] = self.foreign.get(into, 0) + foreign


@dataclass(frozen=True)
class Report:
    """Dictionaries in the order in which they are shown: the dearest first. `people` is None where they may not be seen.

    `of_models` is by (model, provider), `of_lines` by (team, model). `names` has what is shown of each UUID, `centres` each team's.
    """

    month: Month
    currency: str
    scope: UUID
    sums: Sums
    of_centres: dict[str, Sums]
    of_teams: dict[UUID, Sums]
    of_models: dict[tuple[UUID, UUID], Sums]
    of_lines: dict[tuple[UUID, UUID], Sums]
    people: dict[UUID, Sums] | None
    names: dict[UUID, str]
    centres: dict[UUID, str]

    def name(self, pk: UUID) -> str:
        """Empty for nobody and for what is gone without a name."""
        return self.names.get(pk, "")


def of(month: Month, *, currency: str, scope: UUID = NOBODY, persons: bool) -> Report:
    """All of it; `currency` is the organisation's today, a closed month has its own."""
    if month.closed is not None:
        return _closed(month, scope=scope, persons=persons)
    machines = reads.of_machines(month, scope=scope)
    teams = reads.of_people(month, "team", "model", scope=scope)
    people = reads.of_people(month, "person", scope=scope) if persons else None
    if reads.together(machines) != reads.together(teams):
        teams = reads.of_rows(month, "team", "model", scope=scope)
        people = reads.of_rows(month, "person", scope=scope) if persons else None
    ids = {name: {row[name] for row in (*machines, *teams) if name in row} for name in ("team", "model", "provider")}
    known = names_now(ids, persons={row["person"] for row in people or ()})
    return _report(
        month,
        currency,
        scope,
        machines=machines,
        teams=teams,
        people=people,
        names=known,
        centres=cost_centres(ids["team"]),
    )


def _closed(month: Month, *, scope: UUID, persons: bool) -> Report:
    assert month.closed is not None
    machines = reads.of_lines(month.closed, "model", "provider", scope=scope)
    teams = reads.of_lines(month.closed, "team", "model", "cost_centre", scope=scope)
    people = reads.of_lines(month.closed, "person", scope=scope) if persons else None
    kept: dict[UUID, str] = {}
    for name in ("model", "provider", "team", "person"):
        kept |= {
            row[name]: row[f"{name}_name"] for row in (*machines, *teams, *(people or ())) if row.get(f"{name}_name")
        }
    centres = {row["team"]: row["cost_centre"] for row in teams}
    return _report(
        month, month.closed.currency, scope, machines=machines, teams=teams, people=people, names=kept, centres=centres
    )


def _report(
    month: Month, currency: str, scope: UUID, *, machines: list[Row], teams: list[Row], people: list[Row] | None,
    names: dict[UUID, str], centres: dict[UUID, str],
) -> Report:  # fmt: skip
    return Report(
        month=month,
        currency=currency,
        scope=scope,
        sums=totals(machines, currency=currency),
        of_centres=by(teams, lambda row: centres.get(row["team"], ""), currency=currency),
        of_teams=by(teams, lambda row: row["team"], currency=currency),
        of_models=by(machines, lambda row: (row["model"], row["provider"]), currency=currency),
        of_lines=by(teams, lambda row: (row["team"], row["model"]), currency=currency),
        people=None if people is None else by(people, lambda row: row["person"], currency=currency),
        names=names,
        centres=centres,
    )


def by(rows: Iterable[Row], key: Callable[[Row], Any], *, currency: str) -> dict[Any, Sums]:
    """Their sums by what `key` says, the dearest first, then who asked most."""
    found: dict[Any, Sums] = {}
    for row in rows:
        found.setdefault(key(row), Sums()).add(row, currency=currency)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].total_micro, -pair[1].calls, str(pair[0]))))


def names_now(ids: dict[str, set[UUID]], *, persons: set[UUID]) -> dict[UUID, str]:
    """What these are called today. One query each, asked or not."""
    found: dict[UUID, str] = {}
    for name, table in TABLES.items():
        found |= dict(table._base_manager.filter(uuid__in=ids[name] or {NOBODY}).values_list("uuid", "name"))
    for pk, name, email in User.objects.filter(uuid__in=persons or {NOBODY}).values_list("uuid", "name", "email"):
        found[pk] = name or email
    return found


def cost_centres(teams: set[UUID]) -> dict[UUID, str]:
    """Each team's cost centre, if it has one. One query."""
    return dict(Team.objects.filter(uuid__in=teams or {NOBODY}).values_list("uuid", "cost_centre"))


@dataclass(frozen=True, slots=True)
class Rate:
    """One `currency` was `rate_micro` millionths of the organisation's from then on."""

    currency: str
    rate_micro: int
    effective_from: dt.datetime


def rates(month: Month, *, currency: str) -> list[Rate]:
    """The exchange rates that were in force in the month, by currency and time. One query; what was in force is never changed."""
    rows = ExchangeRate.objects.filter(into=currency, effective_from__lt=month.ends_at)
    found: dict[str, list[Rate]] = {}
    for row in rows.order_by("currency", "effective_from", "pk"):
        mine = found.setdefault(row.currency, [])
        if row.effective_from <= month.starts_at:
            mine.clear()
        mine.append(Rate(row.currency, row.rate_micro, row.effective_from))
    return [rate for some in found.values() for rate in some]


def totals(rows: Iterable[Row], *, currency: str) -> Sums:
    """All of it together."""
    found = Sums()
    for row in rows:
        found.add(row, currency=currency)
    return found
