"""Limits made, changed and removed; raises for a while; requests for more and their answers. The only writer of these rows.

Each deed is one event of the audit trail with before and after. Nothing here counts: usage.quotas does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock
from accounts.models import ApiKey, Team, User
from accounts.refusals import NotPossible
from usage import quotas
from usage.ledger_models import LedgerEntry
from usage.limit_models import (
    NOBODY,
    SINGLE,
    TIMELESS,
    AtLimit,
    Period,
    Quota,
    QuotaGrant,
    QuotaRequest,
    Scope,
    Unit,
)

FIRST = (
    (Scope.ORGANISATION, Unit.REQUESTS, Period.DAY, 1_000),
    (Scope.EACH, Unit.REQUESTS, Period.DAY, 200),
)
"""What a fresh portal begins with."""
FIELDS = ("scope", "subject_name", "unit", "period", "of_models", "amount", "at_limit", "switch_to", "enabled")
MOST = 10**15
"""No amount is larger: a thousand million in money, and sums of it still are 64-bit numbers."""


def make(
    *, scope: str, unit: str, amount: int, period: str = Period.NONE, subject: User | Team | ApiKey | None = None,
    models: Iterable[uuid.UUID] = (), at_limit: str = AtLimit.BLOCK, switch_to: uuid.UUID | None = None,
    by: User | None = None, request: HttpRequest | None = None, actor_kind: str = "",
) -> Quota:  # fmt: skip
    """A new limit, from the next question on. Raises NotPossible: it makes no sense, or there is one of this kind already."""
    quota = Quota(
        scope=scope,
        subject=_subject(subject),
        subject_name=name_of(subject),
        unit=unit,
        period=period,
        amount=amount,
        at_limit=at_limit,
        switch_to=switch_to if at_limit == AtLimit.SWITCH else None,
    )
    _set_models(quota, models)
    _check(quota)
    try:
        with transaction.atomic():
            quota.save(force_insert=True)
            _record("limit.added", quota, before={}, by=by, request=request, actor_kind=actor_kind)
    except IntegrityError:
        raise _taken() from None
    return quota


def change(quota: Quota, *, by: User | None = None, request: HttpRequest | None = None, **fields: Any) -> Quota:
    """Another amount, other models, another deed at the limit, on or off. It acts on the next question; what was used stays.

    Whom it is for, its unit and its period stay: another limit counts those. Raises NotPossible.
    """
    unknown = fields.keys() - {"amount", "models", "at_limit", "switch_to", "enabled"}
    if unknown:
        raise TypeError(f"a limit's {', '.join(sorted(unknown))} cannot be changed")
    try:
        with transaction.atomic():
            row = Quota.objects.select_for_update().get(pk=quota.pk, removed_at=None)
            before = _facts(row)
            if "models" in fields:
                _set_models(row, fields.pop("models"))
            for name, value in fields.items():
                setattr(row, name, value)
            if row.at_limit != AtLimit.SWITCH:
                row.switch_to = None
            _check(row)
            if _facts(row) == before:
                return row
            row.changed_at = clock.now()
            row.save()
            _record("limit.changed", row, before=before, by=by, request=request)
    except IntegrityError:
        raise _taken() from None
    except Quota.DoesNotExist:
        raise NotPossible("gone", _("This limit was removed meanwhile.")) from None
    return row


def remove(quota: Quota, *, by: User | None = None, request: HttpRequest | None = None) -> None:
    """It refuses nobody any more. What it counted stays, for the ledger's proof. Harmless when repeated."""
    with transaction.atomic():
        if Quota.objects.filter(pk=quota.pk, removed_at=None).update(removed_at=clock.now()):
            before = _facts(quota)
            audit.record(
                "limit.removed",
                actor=by,
                request=request,
                target=quota,
                changes={k: [v, None] for k, v in before.items()},
            )
            QuotaRequest.objects.filter(quota=quota, state="open").update(state="refused", decided_at=clock.now())


def first_limits() -> list[Quota]:
    """What a fresh portal begins with; nothing where anybody has ever made or removed a limit."""
    if Quota.objects.exists():
        return []
    return [
        make(scope=scope, unit=unit, period=period, amount=amount, actor_kind="command")
        for scope, unit, period, amount in FIRST
    ]


# --- more for a while ---------------------------------------------------------------------------------------------------


def grant(
    quota: Quota, *, amount: int, until: dt.datetime, subject: uuid.UUID = NOBODY, reason: str = "",
    by: User | None = None, request: HttpRequest | None = None,
) -> QuotaGrant:  # fmt: skip
    """So much on top of the limit until then, for this person, team or key (nobody: the organisation). It ends by itself."""
    now = clock.now()
    if not 0 < amount <= MOST or until <= now:
        raise NotPossible("grant", _("A raise is more than nothing, and ends later than now."))
    with transaction.atomic():
        row = QuotaGrant.objects.create(
            quota=quota, subject=subject, amount=amount, starts_at=now, until=until, reason=reason[:500],
            granted_by=by.uuid if by else None,
        )  # fmt: skip
        changes: audit.Changes = {"more": [None, amount], "until": [None, until.isoformat(timespec="minutes")]}
        concerned = User.objects.filter(uuid=subject).first()
        audit.record("limit.raised", actor=by, request=request, target=quota, changes=changes, concerns=concerned)
    return row


def ask(quota: Quota, *, person: User, reason: str, amount: int | None = None) -> QuotaRequest:
    """Asks for more; one open request for each limit. Raises NotPossible."""
    reason = reason.strip()[:500]
    if not reason:
        raise NotPossible("reason", _("Say what you need it for."))
    if amount is not None and not 0 < amount <= MOST:
        raise NotPossible("amount", _("Ask for more than nothing."))
    try:
        with transaction.atomic():
            made = QuotaRequest.objects.create(
                quota=quota, person=person.uuid, person_name=person.get_full_name(), reason=reason, amount=amount
            )
            changes: audit.Changes = {"more": [None, amount]}
            audit.record("limit.asked", actor=person, target=quota, changes=changes, concerns=person)
    except IntegrityError:
        raise NotPossible("asked", _("You have asked already. Somebody will look at it.")) from None
    return made


def decide(
    asked: QuotaRequest, *, by: User, amount: int | None = None, until: dt.datetime | None = None, answer: str = "",
    request: HttpRequest | None = None,
) -> QuotaGrant | None:  # fmt: skip
    """Answers a request: with `amount` and `until` it is granted, without it is refused. The first answer stands.

    Raises NotPossible when somebody has answered before.
    """
    with transaction.atomic():
        row = QuotaRequest.objects.select_for_update().select_related("quota").get(pk=asked.pk)
        if row.state != QuotaRequest.State.OPEN:
            raise NotPossible("answered", _("Somebody has answered this already."))
        given = None
        if amount is not None and until is not None:
            subject = row.person if row.quota.scope in (Scope.MEMBER, Scope.PERSON, Scope.EACH) else row.quota.subject
            given = grant(
                row.quota, amount=amount, until=until, subject=subject, reason=row.reason, by=by, request=request
            )
        else:
            concerned = User.objects.filter(uuid=row.person).first()
            audit.record("limit.refused", actor=by, request=request, target=row.quota, concerns=concerned)
        row.grant, row.answer, row.decided_by, row.decided_at = given, answer[:500], by.uuid, clock.now()
        row.state = QuotaRequest.State.GRANTED if given else QuotaRequest.State.REFUSED
        row.save()
    return given


def correct(
    call: uuid.UUID, *, tokens: tuple[int, int] = (0, 0), cost_micro: int = 0, requests: int = 0, reason: str,
    by: User, request: HttpRequest | None = None,
) -> LedgerEntry:  # fmt: skip
    """A further entry for a call in the ledger, with a reason: nothing that stands there is ever changed. Raises NotPossible."""
    reason = reason.strip()[:500]
    if not reason:
        raise NotPossible("reason", _("Say why."))
    try:
        with transaction.atomic():
            entry = quotas.correct(
                call,
                tokens=tokens,
                cost_micro=cost_micro,
                requests=requests,
                reason=reason,
                by=by.uuid,
                now=clock.now(),
            )
            changes: audit.Changes = {
                "call": [None, call], "input_tokens": [None, tokens[0]], "output_tokens": [None, tokens[1]],
                "cost_micro": [None, cost_micro], "requests": [None, requests], "reason": [None, reason],
            }  # fmt: skip
            concerned = User.objects.filter(uuid=entry.person).first() if entry.person else None
            audit.record(
                "ledger.corrected", actor=by, request=request, target=entry, changes=changes, concerns=concerned
            )
    except LookupError:
        raise NotPossible("gone", _("The ledger has no such call.")) from None
    except ValueError:
        raise NotPossible("amount", _("A correction cannot take more back than was counted.")) from None
    return entry


# --- the parts ----------------------------------------------------------------------------------------------------------


def name_of(whom: User | Team | ApiKey | None) -> str:
    """How whom it is for is called; a key with its owner, because many are called the same."""
    if isinstance(whom, ApiKey):
        return f"{whom.name} ({whom.user})"
    return audit.name_of(whom) if whom else ""


def _subject(whom: User | Team | ApiKey | None) -> uuid.UUID:
    if whom is None:
        return NOBODY
    return whom.family if isinstance(whom, ApiKey) else whom.uuid


def _concerned(quota: Quota) -> User | None:
    """In whose own trail it stands as well."""
    if quota.scope == Scope.KEY:
        return User.objects.filter(api_keys__family=quota.subject).first()
    return User.objects.filter(uuid=quota.subject).first() if quota.scope == Scope.PERSON else None


def _set_models(quota: Quota, models: Iterable[uuid.UUID]) -> None:
    names = sorted(str(model) for model in set(models))
    quota.of_models = names
    quota.models_key = hashlib.sha256("".join(names).encode()).hexdigest() if names else ""


def _check(quota: Quota) -> None:
    """What the database would refuse, in words."""
    if not 0 <= quota.amount <= MOST:
        raise NotPossible("amount", _("An amount is a number from 0 on."))
    if (quota.scope in SINGLE) == (quota.subject == NOBODY):
        raise NotPossible("scope", _("Choose whom the limit is for."))
    if (quota.unit in TIMELESS) != (quota.period == Period.NONE):
        raise NotPossible("period", _("Choose the period that this is counted in."))
    if quota.at_limit == AtLimit.SWITCH and quota.switch_to is None:
        raise NotPossible("switch_to", _("Choose the model that answers instead."))


def _taken() -> NotPossible:
    return NotPossible("taken", _("There is a limit of this kind already: change that one."))


def _facts(quota: Quota) -> dict[str, Any]:
    return {name: getattr(quota, name) for name in FIELDS}


def _record(
    action: str,
    quota: Quota,
    *,
    before: dict[str, Any],
    by: User | None,
    request: HttpRequest | None,
    actor_kind: str = "",
) -> None:
    after = _facts(quota)
    changes = {name: [before.get(name), after[name]] for name in FIELDS if before.get(name) != after[name]}
    audit.record(
        action,
        actor=by,
        request=request,
        target=quota,
        changes=changes,
        actor_kind=actor_kind,
        concerns=_concerned(quota),
    )
