"""Limits made, changed and removed; more asked for, granted and refused. The only writer of limits, raises and requests.

What a limit counts (whom, what, which period, which models) never changes: counters hang on it. Another one is another limit.
Each change acts on the next reservation. Every deed but asking is an event of the audit trail, with what was before.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock
from accounts.models import ApiKey, Organisation, Team, User
from accounts.refusals import NotPossible
from providers import money
from providers.models import LanguageModel
from usage import moments, periods
from usage.limit_models import NOBODY, SINGLE, TIMELESS, AtLimit, Period, Quota, QuotaGrant, QuotaRequest, Scope, Unit
from usage.limits import Limit

MOST = 10**15
State = QuotaRequest.State


@dataclass(frozen=True, slots=True)
class Draft:
    """A limit that somebody wants. `subject` is a team's, person's or key's UUID; `models` none: all."""

    scope: str
    unit: str
    period: str
    amount: int
    subject: UUID = NOBODY
    models: tuple[UUID, ...] = ()
    at_limit: str = AtLimit.BLOCK
    switch_to: UUID | None = None


def models_key(models: Iterable[UUID]) -> str:
    """The same text for the same models in any order; empty for all models."""
    names = sorted(str(model) for model in models)
    return hashlib.sha256(" ".join(names).encode()).hexdigest() if names else ""


def name_of(draft: Draft) -> str:
    """How whom it is for is called. Raises NotPossible where there is nobody."""
    if draft.scope not in SINGLE:
        return ""
    name: str | None = None
    if draft.scope in (Scope.TEAM, Scope.MEMBER):
        name = Team.objects.filter(uuid=draft.subject).values_list("name", flat=True).first()
    elif draft.scope == Scope.PERSON:
        person = User.objects.filter(uuid=draft.subject).first()
        name = person.get_full_name() if person else None
    elif draft.scope == Scope.KEY:
        name = ApiKey.objects.filter(uuid=draft.subject).values_list("name", flat=True).first()
    if name is None:
        raise NotPossible("nobody", _("There is nobody of that name."))
    return name


def check(draft: Draft) -> None:
    """Raises NotPossible for what no limit can say."""
    if draft.scope not in Scope.values or draft.unit not in Unit.values or draft.at_limit not in AtLimit.values:
        raise NotPossible("nonsense", _("There is no such limit."))
    timeless = draft.unit in TIMELESS
    if draft.period not in Period.values or timeless != (draft.period == Period.NONE):
        raise NotPossible("period", _("This needs a period, such as a day or a month."))
    if not 0 <= draft.amount <= MOST:
        raise NotPossible("amount", _("The amount is too large."))
    if (draft.at_limit == AtLimit.SWITCH) != (draft.switch_to is not None):
        raise NotPossible("switch", _("Choose the model that answers at the limit."))
    wanted = {*draft.models, *([draft.switch_to] if draft.switch_to else [])}
    if LanguageModel.objects.filter(uuid__in=wanted).count() != len(wanted):
        raise NotPossible("model", _("There is no such model."))


def make(draft: Draft, *, request: HttpRequest | None = None) -> Quota:
    """A new limit. Raises NotPossible, also for one that counts the same as another."""
    check(draft)
    quota = Quota(
        scope=draft.scope,
        subject=draft.subject if draft.scope in SINGLE else NOBODY,
        subject_name=name_of(draft),
        unit=draft.unit,
        period=draft.period,
        of_models=sorted(str(model) for model in draft.models),
        models_key=models_key(draft.models),
        amount=draft.amount,
        at_limit=draft.at_limit,
        switch_to=draft.switch_to,
        created_at=clock.now(),
    )
    quota.changed_at = quota.created_at
    try:
        with transaction.atomic():
            quota.save(force_insert=True)
            audit.record("limit.made", request=request, target=quota, changes=_whole(quota))
    except IntegrityError:
        raise NotPossible("exists", _("There is such a limit already: change its amount.")) from None
    return quota


def change(
    quota: Quota, *, amount: int, at_limit: str, switch_to: UUID | None, request: HttpRequest | None = None
) -> bool:
    """Another amount, or another consequence. Says whether anything changed. Raises NotPossible."""
    check(Draft(quota.scope, quota.unit, quota.period, amount, at_limit=at_limit, switch_to=switch_to))
    before = {"amount": told(quota, quota.amount), "at_limit": quota.at_limit, "switch_to": quota.switch_to}
    after = {"amount": told(quota, amount), "at_limit": at_limit, "switch_to": switch_to}
    changes = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
    if not changes:
        return False
    with transaction.atomic():
        rows = Quota.objects.filter(pk=quota.pk, removed_at=None)
        if not rows.update(amount=amount, at_limit=at_limit, switch_to=switch_to, changed_at=clock.now()):
            raise _gone()
        quota.refresh_from_db()
        audit.record("limit.changed", request=request, target=quota, changes={**_about(quota), **changes})
    return True


def remove(quota: Quota, *, request: HttpRequest | None = None) -> None:
    """The limit is over; what it counted stays. Open requests for more of it are answered. Raises NotPossible."""
    now = clock.now()
    with transaction.atomic():
        if not Quota.objects.filter(pk=quota.pk, removed_at=None).update(removed_at=now):
            raise _gone()
        open_ones = QuotaRequest.objects.filter(quota=quota, state=State.OPEN)
        open_ones.update(state=State.REFUSED, decided_at=now, answer=str(_("This limit does not exist any more.")))
        whole = {name: [after, None] for name, (_before, after) in _whole(quota).items()}
        audit.record("limit.removed", request=request, target=quota, changes=whole)


# --- more, for a while --------------------------------------------------------------------------------------------------


def ask(person: User, *, limit: Limit, reason: str, amount: int | None = None) -> QuotaRequest:
    """Somebody asks for more of a limit that applies to her. Raises NotPossible for a second open request."""
    try:
        with transaction.atomic():
            return QuotaRequest.objects.create(
                quota_id=limit.id,
                person=person.uuid,
                person_name=person.get_full_name()[:200],
                reason=reason[:500],
                amount=amount,
                created_at=clock.now(),
            )
    except IntegrityError:
        raise NotPossible("asked", _("You have asked already and wait for an answer.")) from None


def proposed(asked: QuotaRequest) -> int:
    """How much more one click grants: what was asked for, else half of the limit."""
    return asked.amount or max(1, asked.quota.amount // 2)


def ends(quota: Quota, *, now: dt.datetime) -> dt.datetime:
    """When a raise of it ends by itself: with the running period, without one with the day."""
    period = Period.DAY if quota.period == Period.NONE else quota.period
    return periods.window(period, now, tz=moments.zone(Organisation.get())).ends_at


def grant(
    asked: QuotaRequest, *, amount: int, until: dt.datetime | None = None, answer: str = "", request: HttpRequest
) -> QuotaGrant:
    """Gives more until the running period ends (or `until`). Raises NotPossible where somebody has answered already."""
    now = clock.now()
    if not 0 < amount <= MOST:
        raise NotPossible("amount", _("The amount is too large."))
    quota = asked.quota
    until = until or ends(quota, now=now)
    if until <= now:
        raise NotPossible("past", _("Choose a date to come."))
    with transaction.atomic():
        given = QuotaGrant.objects.create(
            quota=quota, subject=_subject(asked), amount=amount, starts_at=now, until=until, reason=asked.reason,
            granted_by=_who(request), created_at=now,
        )  # fmt: skip
        _answer(asked, state=State.GRANTED, answer=answer, now=now, request=request, given=given)
        changes = {**_about(quota), "person": [None, asked.person_name], "more": [None, told(quota, amount)]}
        changes["until"] = [None, until.isoformat(timespec="minutes")]
        audit.record("limit.granted", request=request, target=quota, changes=changes)
    return given


def refuse(asked: QuotaRequest, *, answer: str = "", request: HttpRequest) -> None:
    """Says no, with a word. Raises NotPossible where somebody has answered already."""
    with transaction.atomic():
        _answer(asked, state=State.REFUSED, answer=answer, now=clock.now(), request=request)
        changes = {**_about(asked.quota), "person": [None, asked.person_name]}
        audit.record("limit.refused", request=request, target=asked.quota, changes=changes)


def _answer(
    asked: QuotaRequest,
    *,
    state: str,
    answer: str,
    now: dt.datetime,
    request: HttpRequest,
    given: QuotaGrant | None = None,
) -> None:
    rows = QuotaRequest.objects.filter(pk=asked.pk, state=State.OPEN, quota__removed_at=None)
    if not rows.update(state=state, answer=answer[:500], decided_by=_who(request), decided_at=now, grant=given):
        raise NotPossible("decided", _("Somebody has answered this already."))


def _subject(asked: QuotaRequest) -> UUID:
    """Whose counter a raise is for: a pool's own, else the person's."""
    if asked.quota.scope in (Scope.MEMBER, Scope.EACH):
        return asked.person
    return asked.quota.subject


def _who(request: HttpRequest) -> UUID | None:
    return request.user.uuid if isinstance(request.user, User) else None


def _gone() -> NotPossible:
    return NotPossible("gone", _("This limit has been removed."))


# --- for the trail ------------------------------------------------------------------------------------------------------


def told(quota: Quota, amount: int) -> str:
    """An amount as one types it: money in units, all else whole."""
    return money.to_text(amount) if quota.unit == Unit.COST else str(amount)


def _about(quota: Quota) -> dict[str, list[object]]:
    """Which limit it is."""
    field = {Scope.PERSON: "person", Scope.TEAM: "team", Scope.MEMBER: "team", Scope.KEY: "key_name"}.get(
        Scope(quota.scope)
    )
    about: dict[str, list[object]] = {
        "scope": [None, quota.scope],
        "unit": [None, quota.unit],
        "period": [None, quota.period],
    }
    if field:
        about[field] = [None, quota.subject_name]
    return about


def _whole(quota: Quota) -> dict[str, list[object]]:
    """All of it."""
    whole = {**_about(quota), "amount": [None, told(quota, quota.amount)], "at_limit": [None, quota.at_limit]}
    if quota.of_models:
        whole["models"] = [None, quota.of_models]
    return whole
