"""What this room knows of a person. The ledger and the calls stay and lose her name; counters keep her number, so that they still prove.

Decides nothing; see accounts.personal.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts import clock, personal
from accounts.models import ApiKey, User
from accounts.personal_own import blanking, rows_of
from usage import rollups
from usage.models import Invocation, LedgerEntry, MonthLine, PersonDay, Quota, QuotaGrant, QuotaRequest, Reservation


def _ledger(person: User) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(person=person.uuid)


def _calls(person: User) -> QuerySet[Invocation]:
    return Invocation.objects.filter(person=person.uuid)


def _holds(person: User) -> QuerySet[Reservation]:
    return Reservation.objects.filter(person=person.uuid)


def _closed_holds(person: User) -> QuerySet[Reservation]:
    """An open hold is somebody's running call: it is closed first, and its rows are written then."""
    return _holds(person).exclude(state=Reservation.State.HELD)


def _days(person: User) -> QuerySet[PersonDay]:
    return PersonDay.objects.filter(person=person.uuid)


def _month_lines(person: User) -> QuerySet[MonthLine]:
    return MonthLine.objects.filter(person=person.uuid)


def _limits(person: User) -> QuerySet[Quota]:
    families = ApiKey.objects.filter(user=person).values("family")
    return Quota.objects.filter(Q(scope="person", subject=person.uuid) | Q(scope="key", subject__in=families)).exclude(
        subject_name=""
    )


def _requests(person: User) -> QuerySet[QuotaRequest]:
    return QuotaRequest.objects.filter(person=person.uuid).exclude(person_name="", reason="", answer="")


def _raises(person: User) -> QuerySet[QuotaGrant]:
    return QuotaGrant.objects.filter(subject=person.uuid).exclude(reason="")


def _erase_requests(person: User) -> int:
    """An open one is nobody's any more."""
    open_ones = _requests(person).filter(state=QuotaRequest.State.OPEN)
    open_ones.update(state=QuotaRequest.State.REFUSED, decided_at=clock.now())
    return _requests(person).update(person_name="", reason="", answer="")


_CALL = (
    "request_id", "created_at", "finished_at", "source", "team_name", "provider_name", "model_name", "outcome", "error_kind",
    "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "estimated", "currency", "cost_micro",
    "organisation_currency", "organisation_cost_micro",
)  # fmt: skip
_ENTRY = (
    "request_id",
    "kind",
    "reserved_at",
    "at",
    "source",
    "model_name",
    "requests",
    "input_tokens",
    "output_tokens",
    "organisation_currency",
    "organisation_cost_micro",
    "reason",
)


def register() -> None:
    """The parts of this room. Limits before keys: a key's limit is found by its key."""
    nobody: dict[str, Any] = {"person": None, "person_name": "", "key": None}
    part = personal.Part
    personal.register(
        part("calls", _("Calls: counted, without a name"), *blanking(_calls, **nobody), rows=rows_of(_calls, *_CALL))
    )
    personal.register(
        part(
            "entries",
            _("Entries of the ledger: kept, without a name"),
            *blanking(_ledger, **nobody),
            rows=rows_of(_ledger, *_ENTRY),
        )
    )
    _count, holds = blanking(_closed_holds, person=None, key=None)
    personal.register(
        part("holds", _("Holds: kept, without a number of the person"), lambda person: _holds(person).count(), holds)
    )
    personal.register(
        part(
            "days",
            _("Sums by day: counted, as nobody's"),
            lambda person: _days(person).count(),
            lambda person: rollups.forget(person.uuid),
            rows=rows_of(_days, "day", "calls", "failed", "input_tokens", "output_tokens", "organisation_cost_micro"),
        )
    )
    kept = ("month__first", "model_name", "calls", "input_tokens", "output_tokens", "organisation_cost_micro")
    personal.register(
        part(
            "months",
            _("Lines of closed months: kept, without a name"),
            *blanking(_month_lines, person=None, person_name=""),
            rows=rows_of(_month_lines, *kept),
        )
    )
    gone = {"subject_name": "", "enabled": False, "removed_at": clock.Now()}
    limits = rows_of(_limits, "scope", "unit", "period", "amount", "created_at")
    personal.register(
        part("limits", _("Limits of the person and of the keys"), *blanking(_limits, **gone), rows=limits)
    )
    told = rows_of(_requests, "reason", "amount", "state", "answer", "created_at")
    personal.register(
        part("more", _("Requests for more"), lambda person: _requests(person).count(), _erase_requests, rows=told)
    )
    personal.register(part("raises", _("Raises: kept, without a reason"), *blanking(_raises, reason="")))
