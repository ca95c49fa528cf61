"""How the limits of many people and pools stand now: for the page of limits. Reads only, and in a number of queries that does not
grow with the people.

The same precedence as usage.limits, which decides for one person at a time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from accounts import api_keys
from accounts.models import ApiKey, Membership, User
from usage import limits, periods, rules, spent
from usage.limit_models import NOBODY, TIMELESS, AtLimit, Period, Quota, QuotaGrant, QuotaPeriod, Scope, Unit
from usage.limits import PERSONAL, Limit
from usage.models import LedgerEntry

WHOSE = {Scope.TEAM: "team", Scope.KEY: "key", Scope.PERSON: "person", Scope.MEMBER: "person", Scope.EACH: "person"}


@dataclass(frozen=True, slots=True)
class Standing:
    """A person with the limits of her own that apply to her; those of pools stand by themselves."""

    person: User
    limits: tuple[Limit, ...]

    @property
    def nearest(self) -> Limit | None:
        """The one that is nearest to its end."""
        counted = [limit for limit in self.limits if limit.unit not in TIMELESS]
        return max(counted, key=lambda limit: (limit.used + limit.held) / limit.cap if limit.cap else 2.0, default=None)


def active() -> list[Quota]:
    """Every limit that there is, in order."""
    return list(Quota.objects.filter(removed_at=None).order_by("scope", "subject_name", "unit", "period", "pk"))


def looked_at() -> bool:
    """Whether somebody has made, changed or removed a limit: else there are those that every portal begins with, or none."""
    first = Q()
    for scope, unit, period, amount in rules.FIRST:
        first |= Q(scope=scope, unit=unit, period=period, amount=amount, at_limit=AtLimit.BLOCK, removed_at=None)
    return Quota.objects.exclude(first).exists()


def people(persons: Sequence[User], quotas: Iterable[Quota], *, now: dt.datetime, tz: ZoneInfo) -> list[Standing]:
    """How the limits of each of these people stand."""
    teams: dict[int, set[UUID]] = {}
    rows = Membership.objects.filter(user__in=persons).values_list("user_id", "team__uuid")
    for user_id, team in rows:
        teams.setdefault(user_id, set()).add(team)
    wanted: dict[int, list[tuple[Quota, UUID]]] = {}
    mine = [quota for quota in quotas if quota.enabled and quota.scope in PERSONAL]
    for person in persons:
        wanted[person.pk] = [
            (quota, person.uuid) for quota in mine if _concerns(quota, person=person, teams=teams.get(person.pk, set()))
        ]
    found = stand([pair for pairs in wanted.values() for pair in pairs], now=now, tz=tz)
    return [
        Standing(person, tuple(limits.decide(found[quota.pk, subject] for quota, subject in wanted[person.pk])))
        for person in persons
    ]


def pools(quotas: Iterable[Quota], *, now: dt.datetime, tz: ZoneInfo) -> list[Limit]:
    """How the limits of the organisation, teams and keys stand."""
    shared = [(quota, quota.subject) for quota in quotas if quota.enabled and quota.scope not in PERSONAL]
    found = stand(shared, now=now, tz=tz)
    return [found[quota.pk, subject] for quota, subject in shared]


def _concerns(quota: Quota, *, person: User, teams: set[UUID]) -> bool:
    if quota.scope == Scope.MEMBER:
        return quota.subject in teams
    return quota.scope == Scope.EACH or quota.subject == person.uuid


def stand(pairs: Sequence[tuple[Quota, UUID]], *, now: dt.datetime, tz: ZoneInfo) -> dict[tuple[int, UUID], Limit]:
    """These limits of these subjects: counters where there are any, else what the ledger says."""
    subjects = {subject for _quota, subject in pairs}
    by_id = {quota.pk: quota for quota, _subject in pairs}
    counters = {
        (row.quota_id, row.subject): row
        for row in QuotaPeriod.objects.filter(
            quota__in=by_id, subject__in=subjects, starts_at__lte=now, ends_at__gt=now
        ).order_by("starts_at")
    }
    granted: dict[tuple[int, UUID], int] = {}
    for grant in QuotaGrant.objects.filter(quota__in=by_id, subject__in=subjects, starts_at__lte=now, until__gt=now):
        key = (grant.quota_id, grant.subject)
        granted[key] = granted.get(key, 0) + grant.amount
    found: dict[tuple[int, UUID], Limit] = {}
    missing: dict[int, list[UUID]] = {}
    for quota, subject in pairs:
        key = (quota.pk, subject)
        row = counters.get(key)
        found[key] = _limit(quota, subject, row=row, granted=granted.get(key, 0), now=now, tz=tz)
        if row is None and quota.unit in spent.AMOUNT:
            missing.setdefault(quota.pk, []).append(subject)
    for pk, whom in missing.items():
        sums = used_by(by_id[pk], whom, window=periods.window(by_id[pk].period, now, tz=tz))
        for subject in whom:
            found[pk, subject] = replace(found[pk, subject], used=max(0, sums.get(subject, 0)))
    return found


def used_by(quota: Quota, subjects: Iterable[UUID], *, window: periods.Window) -> dict[UUID, int]:
    """What each of these used of it in that window, by the ledger. One query."""
    entries = LedgerEntry.objects.filter(reserved_at__gte=window.starts_at, reserved_at__lt=window.ends_at)
    if quota.of_models:
        entries = entries.filter(model__in=quota.of_models)
    amount = Sum(RawSQL(spent.AMOUNT[Unit(quota.unit)], ()))  # noqa: S611  # a constant of ours
    column = WHOSE.get(Scope(quota.scope))
    if column is None:
        return {NOBODY: entries.aggregate(n=amount)["n"] or 0}
    if quota.scope == Scope.KEY:
        return _used_by_keys(entries, subjects, amount=amount)
    rows = entries.filter(**{f"{column}__in": list(subjects)}).values(column).annotate(n=amount)
    return {row[column]: row["n"] for row in rows}


def _used_by_keys(entries: QuerySet[LedgerEntry], families: Iterable[UUID], *, amount: Sum) -> dict[UUID, int]:
    """A family's is what all its keys used."""
    family = {family: family for family in families}
    family |= dict(ApiKey.objects.filter(family__in=list(family)).values_list("uuid", "family"))
    found: dict[UUID, int] = {}
    for key, n in entries.filter(key__in=list(family)).values_list("key").annotate(n=amount):
        found[family[key]] = found.get(family[key], 0) + n
    return found


def of_keys(person: User, *, now: dt.datetime, tz: ZoneInfo) -> list[Limit]:
    """How the limits of this person's keys stand, and of those of the programs that are hers."""
    families = set(api_keys.listed(person).order_by().values_list("family", flat=True))
    quotas = Quota.objects.filter(scope=Scope.KEY, subject__in=families, removed_at=None, enabled=True)
    return pools(quotas.order_by("subject_name", "unit", "period", "pk"), now=now, tz=tz) if families else []


def _limit(
    quota: Quota, subject: UUID, *, row: QuotaPeriod | None, granted: int, now: dt.datetime, tz: ZoneInfo
) -> Limit:
    window = periods.window(Period(quota.period), now, tz=tz)
    return Limit(
        id=quota.pk, quota=quota.uuid, scope=quota.scope, subject=subject, subject_name=quota.subject_name, unit=quota.unit,
        period=quota.period, models=frozenset(UUID(name) for name in quota.of_models), amount=quota.amount, granted=granted,
        at_limit=quota.at_limit, switch_to=quota.switch_to, starts_at=row.starts_at if row else window.starts_at,
        ends_at=row.ends_at if row else window.ends_at, period_id=row.pk if row else None,
        used=row.used if row else 0, held=row.held if row else 0,
    )  # fmt: skip
