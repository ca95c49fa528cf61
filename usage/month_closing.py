"""Closing a month: its figures become rows that nothing changes any more. The only writer of closed months.

The figures are read from the ledger and the calls themselves. Once no hold of the month is open and its end has passed, no entry can
come into it any more, so they are read before the transaction, which is short; of two who close at once one row stays.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts import audit, clock
from accounts.models import Erasure, Organisation, Team, User
from accounts.refusals import NotPossible
from providers.models import LanguageModel, Provider
from usage import month_queries as reads
from usage import months
from usage.limit_models import NOBODY
from usage.models import ClosedMonth, MonthLine, Reservation
from usage.month_queries import MONEY, SUMS, Row
from usage.months import Month

AT_ONCE = 500
_NAMED = ("team", "person", "model", "provider")
_HASHED = ("cost_centre", "team", "team_name", "model", "model_name", "provider", "provider_name", *MONEY, *SUMS)


def open_holds(month: Month) -> int:
    """Calls that were accepted before the month's end and are not settled. One query."""
    return Reservation.objects.filter(state=Reservation.State.HELD, created_at__lt=month.ends_at).count()


def refuse(month: Month, *, now: dt.datetime, running: int = 0) -> None:
    """Raises NotPossible while the month cannot be closed. `running`: answers of the month that are not over, as their room counts."""
    if not month.is_over(now):
        raise NotPossible("running", _("This month is not over yet: it can be closed ten minutes after its end."))
    if waiting := max(running, open_holds(month)):
        words = ngettext(
            "%(n)d answer of this month is still being written or waits. Close the month when it is over.",
            "%(n)d answers of this month are still being written or wait. Close the month when they are over.",
            waiting,
        ) % {"n": waiting}
        raise NotPossible("answering", words)


def close(
    first: dt.date, *, tz: ZoneInfo, by: User | None, running: int = 0, request: HttpRequest | None = None
) -> tuple[ClosedMonth, bool]:
    """The month's row, and whether it was closed just now: a repeat finds what there is. `by` None: by itself. Raises NotPossible."""
    month = months.of(first, tz=tz)
    if month.closed is not None:
        return month.closed, False
    refuse(month, now=clock.now(), running=running)
    rows = reads.of_rows(month, *_NAMED)
    lines = _lines(rows)
    row = ClosedMonth(
        first=first, zone=tz.key, starts_at=month.starts_at, ends_at=month.ends_at, currency=Organisation.get().currency,
        closed_at=clock.now(), closed_by=by.uuid if by else None, lines=len(lines), digest=digest(lines),
    )  # fmt: skip
    try:
        with transaction.atomic():
            _write(row, lines)
            whole = reads.together(rows)
            changes: audit.Changes = {
                "month": (None, month.name), "calls": (None, whole["calls"]), "lines": (None, row.lines),
                "lines_sha256": (None, row.digest), "currency": (None, row.currency),
                "cost_micro": (None, _in_currency(rows, row.currency, "organisation_cost_micro")),
                "corrected_micro": (None, _in_currency(rows, row.currency, "corrected_micro")),
            }  # fmt: skip
            action = "month.closed" if by else "month.closed_by_itself"
            audit.record(action, actor=by, request=request, target=row, changes=changes)
    except IntegrityError:  # somebody else closed it at the same moment
        return ClosedMonth.objects.get(first=first), False
    return row, True


def digest(lines: list[MonthLine]) -> str:
    """SHA-256 of the lines in their order, without whom they are of: it stays when a person is erased."""
    told = hashlib.sha256()
    for line in lines:
        told.update(json.dumps([_plain(getattr(line, name)) for name in _HASHED]).encode() + b"\n")
    return told.hexdigest()


def drifts() -> list[str]:
    """Closed months whose lines are not those that were closed, in words. Reads all lines."""
    found = []
    for row in ClosedMonth.objects.order_by("first"):
        lines = list(row.of.order_by("pk"))
        if not row.sealed or len(lines) != row.lines or digest(lines) != row.digest:
            found.append(f"closed month {row}: its lines are not those of the day on which it was closed")
    return found


def _write(row: ClosedMonth, lines: list[MonthLine]) -> None:
    row.save(force_insert=True)
    for line in lines:
        line.month = row
    MonthLine.objects.bulk_create(lines, batch_size=AT_ONCE)
    # Who was erased, or is being, since the figures were read: nobody's, as in the ledger.
    erased = Erasure.objects.values("person")
    MonthLine.objects.filter(month=row, person__in=erased).update(person=None, person_name="")
    ClosedMonth.objects.filter(pk=row.pk).update(sealed=True)
    row.sealed = True


def _lines(rows: list[Row]) -> list[MonthLine]:
    """The rows with the names of today; whatever is gone keeps the name under which it was used last."""
    teams = {pk: (name, centre) for pk, name, centre in Team.objects.values_list("uuid", "name", "cost_centre")}
    named: dict[UUID, str] = {pk: name for pk, (name, _centre) in teams.items()}
    for table in (LanguageModel, Provider):
        named |= dict(table.objects.values_list("uuid", "name"))
    named |= {pk: name or email for pk, name, email in User.objects.values_list("uuid", "name", "email")}

    def name(row: Row, what: str) -> str:
        return named.get(row[what]) or row[f"{what}_name"]

    lines = []
    for row in sorted(rows, key=lambda row: [str(row[name]) for name in (*_NAMED, *MONEY)]):
        person = row["person"] if row["person"] != NOBODY else None
        lines.append(
            MonthLine(
                cost_centre=teams.get(row["team"], ("", ""))[1],
                team=row["team"],
                team_name=name(row, "team"),
                person=person,
                person_name=name(row, "person") if person else "",
                model=row["model"],
                model_name=name(row, "model"),
                provider=row["provider"],
                provider_name=name(row, "provider"),
                **{column: row[column] for column in (*MONEY, *SUMS)},
            )
        )
    return lines


def _in_currency(rows: list[Row], currency: str, name: str) -> int:
    return sum(int(row[name]) for row in rows if row["organisation_currency"] == currency)


def _plain(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value
