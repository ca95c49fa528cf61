"""Whom a limit would touch, and who would be over it at once: looked at before it is made. Writes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet

from accounts.models import Organisation, User
from usage import limit_drafts, limit_words, overview, periods, spent
from usage.limit_drafts import Draft
from usage.limit_models import NOBODY, Quota, Scope

MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """`touches`: how many people (or pools) it counts for; `spared`: how many have a limit that stands in its place;
    `over`: those who have used more in the running period already, the biggest first, with what they used.
    """

    touches: int
    spared: int
    over: tuple[tuple[str, str], ...]
    over_count: int


def of(draft: Draft, *, organisation: Organisation, now: dt.datetime, tz: ZoneInfo) -> Preview:
    """The preview of a limit that limit_drafts.check has nothing against."""
    quota = Quota(
        scope=draft.scope, subject=draft.subject, subject_name=limit_drafts.name_of(draft), unit=draft.unit, period=draft.period,
        of_models=[str(model) for model in draft.models], models_key=limit_drafts.models_key(draft.models), amount=draft.amount,
    )  # fmt: skip
    spared = 0
    if draft.scope in (Scope.EACH, Scope.MEMBER, Scope.PERSON):
        people = _people(draft)
        before = people.count()
        people = people.exclude(uuid__in=_own_rule(quota)) if draft.scope != Scope.PERSON else people
        names = {uuid: name or email for uuid, name, email in people.values_list("uuid", "name", "email")}
        spared = before - len(names)
    else:
        names = {
            draft.subject if draft.scope != Scope.ORGANISATION else NOBODY: quota.subject_name or organisation.name
        }
    if draft.unit not in spent.AMOUNT:
        return Preview(len(names), spared, (), 0)
    window = periods.window(draft.period, now, tz=tz)
    whom = list(names) if draft.scope in overview.WHOSE else []
    used = {who: n for who, n in _used(quota, whom, window=window).items() if who in names and n > draft.amount}
    over = sorted(used.items(), key=lambda pair: -pair[1])
    told = tuple(
        (names[who], limit_words.amount(n, unit=draft.unit, currency=organisation.currency))
        for who, n in over[:MOST_NAMED]
    )
    return Preview(len(names), spared, told, len(over))


def _used(quota: Quota, whom: list[UUID], *, window: periods.Window) -> dict[UUID, int]:
    """In portions: a statement takes so many values and no more."""
    if not whom:
        return overview.used_by(quota, [], window=window)
    found: dict[UUID, int] = {}
    for start in range(0, len(whom), 500):
        found |= overview.used_by(quota, whom[start : start + 500], window=window)
    return found


def _people(draft: Draft) -> QuerySet[User]:
    """The active people whom it is about, programs with them."""
    people = User.objects.filter(is_active=True).order_by(F("email"))
    if draft.scope == Scope.MEMBER:
        return people.filter(memberships__team__uuid=draft.subject)
    return people.filter(uuid=draft.subject) if draft.scope == Scope.PERSON else people


def _own_rule(quota: Quota) -> list[UUID]:
    """Who has a limit of the same kind that goes before this one."""
    same = Quota.objects.filter(
        removed_at=None, enabled=True, unit=quota.unit, period=quota.period, models_key=quota.models_key
    )
    spared = list(same.filter(scope=Scope.PERSON).values_list("subject", flat=True))
    if quota.scope == Scope.EACH:
        teams = list(same.filter(scope=Scope.MEMBER).values_list("subject", flat=True))
        spared += User.objects.filter(memberships__team__uuid__in=teams).values_list("uuid", flat=True)
    return spared
