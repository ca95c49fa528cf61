"""Which limits apply to a call, and how they stand: reads only. What decides is usage.quotas, on the rows themselves.

Precedence, for limits of the same unit, period and models: the person's own, else the most generous of her teams' limits for each
member, else the one for each person. Limits of the organisation, of the team that pays and of the key always apply as well. A key's
limit is for its family: a new secret in a key's place begins no new allowance.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import Organisation
from accounts.prepared import fetch, marks
from usage import periods, tariffs
from usage.limit_models import NOBODY, TIMELESS, AtLimit, Scope, Unit
from usage.tariffs import Tariff

PERSONAL = (Scope.PERSON, Scope.MEMBER, Scope.EACH)
"""Of these one applies: the first that there is."""

# One statement for everything that a reservation has to know; one row at least, because there is an organisation.
# A limit in money comes with the prices of the model that is asked for.
_SUBJECT = "CASE WHEN q.scope IN ('member', 'each') THEN {person} ELSE q.subject END"
_APPLY = """
SELECT o.time_zone, o.currency, o.instructions, o.language,
    (SELECT t.uuid {paying}), (SELECT t.name {paying}),
    q.id, q.uuid, q.scope, q.subject_name, q.unit, q.period, q.of_models, q.amount, q.at_limit, q.switch_to, {subject},
    p.id, p.starts_at, p.ends_at, p.used, p.held,
    (SELECT SUM(g.amount) FROM usage_quotagrant g
        WHERE g.quota_id = q.id AND g.subject = {subject} AND g.starts_at <= {now} AND g.until > {now}), q.subject,
    CASE WHEN q.unit = 'cost' THEN {prices} END
FROM accounts_organisation o
LEFT JOIN usage_quota q ON q.removed_at IS NULL AND q.enabled AND q.subject IN (
    SELECT {nobody} UNION ALL SELECT {person} UNION ALL SELECT {key} UNION ALL
    SELECT k.family FROM accounts_apikey k WHERE k.uuid = {key} UNION ALL
    SELECT t.uuid FROM accounts_membership m JOIN accounts_team t ON t.id = m.team_id
        JOIN accounts_user u ON u.id = m.user_id WHERE u.uuid = {person})
LEFT JOIN usage_quotaperiod p ON p.id = (
    SELECT i.id FROM usage_quotaperiod i WHERE i.quota_id = q.id AND i.subject = {subject} AND i.starts_at <= {now}
    ORDER BY i.starts_at DESC LIMIT 1)
WHERE o.id = 1
"""
_PAYING = """FROM accounts_membership m JOIN accounts_team t ON t.id = m.team_id JOIN accounts_user u ON u.id = m.user_id
    WHERE u.uuid = {person} ORDER BY m.is_primary DESC, t.name, t.id LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as it stands for one subject now. Amounts in its unit; money in micro-units of the organisation's currency.

    `period_id` is the counter's row; None while the window has none yet: `used` is then not known here (usage.spent knows).
    """

    id: int
    quota: UUID
    scope: str
    subject: UUID
    subject_name: str
    unit: str
    period: str
    models: frozenset[UUID]
    amount: int
    granted: int
    at_limit: str
    switch_to: UUID | None
    starts_at: dt.datetime
    ends_at: dt.datetime
    period_id: int | None = None
    used: int = 0
    held: int = 0

    @property
    def cap(self) -> int:
        """The amount with what was granted on top of it for a while."""
        return self.amount + self.granted

    @property
    def left(self) -> int:
        return max(0, self.cap - self.used - self.held)

    @property
    def resets_at(self) -> dt.datetime | None:
        """When its next window begins; None where there is none."""
        return None if self.unit in TIMELESS else self.ends_at

    @property
    def kind(self) -> tuple[str, str, frozenset[UUID]]:
        """Limits of one kind take each other's place."""
        return self.unit, self.period, self.models

    def covers(self, model: UUID | None) -> bool:
        """Whether calls of this model count (None: whether it is about all models)."""
        return not self.models or model in self.models

    def soft(self, model: UUID | None) -> bool:
        """Whether a call of this model is counted and never refused by it: it only warns, or this is the model to switch to."""
        return self.at_limit == AtLimit.WARN or (self.at_limit == AtLimit.SWITCH and model == self.switch_to)


@dataclass(frozen=True, slots=True)
class Standing:
    """What applies to somebody: the limits in fixed order, those that others stand in for, and whom her calls are booked on."""

    time_zone: str
    currency: str
    instructions: str
    language: str
    team: UUID | None
    team_name: str
    limits: tuple[Limit, ...]
    overridden: tuple[Limit, ...]
    # What the model that was asked for costs, where it was named and any of the limits is in money.
    tariff: Tariff | None = None

    def for_model(self, model: UUID | None) -> tuple[Limit, ...]:
        """Those that a call of this model counts into."""
        return tuple(limit for limit in self.limits if limit.covers(model))


def standing(*, person: UUID | None, key: UUID | None = None, model: UUID | None = None, now: dt.datetime) -> Standing:
    """All that applies to this person (with this key) now, and what this model costs, in one statement."""
    rows = _rows(person=person, key=key, model=model, now=now)
    if not rows:  # a restore or a test emptied the table
        Organisation.get()
        rows = _rows(person=person, key=key, model=model, now=now)
    first = rows[0]
    zone_name = first[0] or settings.TIME_ZONE
    tz = periods.zone(zone_name)
    team = _uuid(first[4])
    found = [_limit(row, tz=tz, now=now) for row in rows if row[6] is not None]
    mine = [limit for limit in found if limit.scope != Scope.TEAM or limit.subject == team]
    chosen = list(decide(mine))
    kept = {id(limit) for limit in chosen}
    return Standing(
        time_zone=zone_name,
        currency=first[1],
        instructions=first[2],
        language=first[3],
        team=team,
        team_name=first[5] or "",
        limits=tuple(sorted(chosen, key=_order)),
        overridden=tuple(sorted((limit for limit in found if id(limit) not in kept), key=_order)),
        tariff=next((tariffs.read(row[24]) for row in rows if row[10] == Unit.COST), None) if model else None,
    )


def decide(found: Iterable[Limit]) -> Iterable[Limit]:
    """Which of these apply: see the top of this file."""
    best: dict[tuple[str, str, frozenset[UUID]], Limit] = {}
    for limit in found:
        if limit.scope not in PERSONAL:
            yield limit
            continue
        rival = best.get(limit.kind)
        if rival is None or _rank(limit) < _rank(rival):
            best[limit.kind] = limit
    yield from best.values()


def _rank(limit: Limit) -> tuple[int, int, int]:
    return PERSONAL.index(Scope(limit.scope)), -limit.cap, limit.id


_SCOPES = [Scope.ORGANISATION, Scope.TEAM, Scope.MEMBER, Scope.PERSON, Scope.EACH, Scope.KEY]
_UNITS = list(Unit)


def _order(limit: Limit) -> tuple[int, int, dt.datetime, int]:
    return _SCOPES.index(Scope(limit.scope)), _UNITS.index(Unit(limit.unit)), limit.ends_at, limit.id


@dataclass(frozen=True, slots=True)
class _Statement:
    """The statement with %s, and whose value stands at which place."""

    text: str
    order: tuple[str, ...]


@cache
def _made() -> _Statement:
    whole = _APPLY.replace("{paying}", _PAYING).replace("{subject}", _SUBJECT).replace("{prices}", tariffs.prices())
    order: list[str] = []
    text = ""
    while whole:
        before, brace, after = whole.partition("{")
        text += before
        if not brace:
            break
        name, _brace, whole = after.partition("}")
        order.append(name)
        text += "%s"
    return _Statement(text, tuple(order))


def _rows(*, person: UUID | None, key: UUID | None, model: UUID | None, now: dt.datetime) -> list[tuple[Any, ...]]:
    given = {"person": person, "key": key, "model": model, "nobody": NOBODY, "now": now}
    statement = _made()
    return fetch(statement.text, *[given[name] or NOBODY for name in statement.order])


def _limit(row: tuple[Any, ...], *, tz: Any, now: dt.datetime) -> Limit:
    window = periods.window(row[11], now, tz=tz)
    starts, ends, period_id, used, held = window.starts_at, window.ends_at, None, 0, 0
    if row[17] is not None:
        before = as_moment(row[19])
        if before > now:  # the row that holds this moment counts to its end, though the time zone was changed meanwhile
            period_id, used, held = row[17], row[20], row[21]
            starts, ends = as_moment(row[18]), before
        else:
            starts = max(starts, before)
    return Limit(
        id=row[6], quota=as_uuid(row[7]), scope=row[8], subject=as_uuid(row[16]), subject_name=row[9], unit=row[10],
        period=row[11], models=_models(row[12]), amount=row[13], granted=int(row[22] or 0), at_limit=row[14],
        switch_to=_uuid(row[15]), starts_at=starts, ends_at=ends, period_id=period_id, used=used, held=held,
    )  # fmt: skip


def again(limits: Iterable[Limit]) -> dict[int, Limit]:
    """The same limits with their counters as they are now, by the counter's row."""
    known = {limit.period_id: limit for limit in limits if limit.period_id is not None}
    if not known:
        return {}
    places = marks(known)
    sql = f"SELECT id, used, held FROM usage_quotaperiod WHERE id IN ({places})"  # noqa: S608  # placeholders only
    rows = fetch(sql, *known)
    return {pk: replace(known[pk], used=used, held=held) for pk, used, held in rows}


def _models(value: Any) -> frozenset[UUID]:
    names = json.loads(value) if isinstance(value, str) else value
    return frozenset(UUID(name) for name in names or ())


def _uuid(value: Any) -> UUID | None:
    return value if value is None or isinstance(value, UUID) else UUID(value)


def as_uuid(value: Any) -> UUID:
    """A UUID as a raw statement returns it."""
    found = _uuid(value)
    assert found is not None
    return found


def as_moment(value: Any) -> dt.datetime:
    """A moment as a raw statement returns it."""
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    moment: dt.datetime = value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment
