"""A limit that somebody wants, before it is one: from a form's sentence or a file's line to usage.rules. Writes nothing by itself."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, Organisation, Team, User
from accounts.refusals import NotPossible
from providers.models import LanguageModel
from usage import moments, periods, rules
from usage.limit_models import NOBODY, SINGLE, TIMELESS, AtLimit, Period, Quota, QuotaRequest, Scope, Unit


@dataclass(frozen=True, slots=True)
class Draft:
    """What a limit says. `subject` is a team's or person's UUID, or that of a key's family; `models` none: all."""

    scope: str
    unit: str
    period: str
    amount: int
    subject: UUID = NOBODY
    models: tuple[UUID, ...] = ()
    at_limit: str = AtLimit.BLOCK
    switch_to: UUID | None = None


def models_key(models: Iterable[UUID]) -> str:
    """As usage.rules has it: the same text for the same models in any order, empty for all models."""
    names = sorted(str(model) for model in set(models))
    return hashlib.sha256("".join(names).encode()).hexdigest() if names else ""


def subject_of(draft: Draft) -> User | Team | ApiKey | None:
    """Whom it is for. Raises NotPossible where there is nobody."""
    if draft.scope not in SINGLE:
        return None
    found: User | Team | ApiKey | None
    if draft.scope == Scope.PERSON:
        found = User.objects.filter(uuid=draft.subject).first()
    elif draft.scope == Scope.KEY:
        found = ApiKey.objects.select_related("user").filter(family=draft.subject).order_by("-pk").first()
    else:
        found = Team.objects.filter(uuid=draft.subject).first()
    if found is None:
        raise NotPossible("nobody", _("There is nobody of that name."))
    return found


def name_of(draft: Draft) -> str:
    """How whom it is for is called; empty for everybody."""
    return rules.name_of(subject_of(draft))


def check(draft: Draft) -> None:
    """Raises NotPossible for what no limit can say: what usage.rules refuses, and words that do not exist."""
    if draft.scope not in Scope.values or draft.unit not in Unit.values or draft.at_limit not in AtLimit.values:
        raise NotPossible("nonsense", _("There is no such limit."))
    if draft.period not in Period.values or (draft.unit in TIMELESS) != (draft.period == Period.NONE):
        raise NotPossible("period", _("This needs a period, such as a day or a month."))
    if not 0 <= draft.amount <= rules.MOST:
        raise NotPossible("amount", _("The amount is too large."))
    if (draft.at_limit == AtLimit.SWITCH) != (draft.switch_to is not None):
        raise NotPossible("switch", _("Choose the model that answers at the limit."))
    wanted = {*draft.models, *([draft.switch_to] if draft.switch_to else [])}
    if LanguageModel.objects.filter(uuid__in=wanted).count() != len(wanted):
        raise NotPossible("model", _("There is no such model."))


def make(draft: Draft, *, request: HttpRequest) -> Quota:
    """The limit. Raises NotPossible."""
    check(draft)
    return rules.make(
        scope=draft.scope,
        unit=draft.unit,
        amount=draft.amount,
        period=draft.period,
        subject=subject_of(draft),
        models=draft.models,
        at_limit=draft.at_limit,
        switch_to=draft.switch_to,
        request=request,
    )


def proposed(asked: QuotaRequest) -> int:
    """How much more one click grants: what was asked for, else half of the limit."""
    return asked.amount or max(1, asked.quota.amount // 2)


def ends(quota: Quota, *, now: dt.datetime) -> dt.datetime:
    """When a raise of it ends by itself: with the running period, without one with the day."""
    period = Period.DAY if quota.period == Period.NONE else quota.period
    return periods.window(period, now, tz=moments.zone(Organisation.get())).ends_at
