"""The month report: which months there are, what each cost and to whom it is charged; for staff with the right, and for a manager
about her team alone. Puts rooms together and counts nothing itself.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import clock
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import Team, User
from portal import desk, month_forms, month_letters, month_tables, month_words
from portal.month_tables import Sheet
from providers import money
from providers.models import Provider
from usage import invoices, moments, month_queries, month_report, months, periods
from usage.limit_models import NOBODY
from usage.months import Month

MAY, MAY_CLOSE = "usage.view_closedmonth", "usage.add_closedmonth"
_SHOWN = ("cost-centres", "teams", "models", "people", "corrections")


@dataclass(frozen=True)
class Listed:
    """A month in the list."""

    month: Month
    title: str
    is_running: bool
    can_close: bool
    calls: int
    cost: str
    foreign: str
    corrected: str
    unknown: int
    differences: list[str]


@never_cache
@require_safe
@administrator(MAY)
def overview(request: HttpRequest) -> HttpResponse:
    """A year's months (`?year=`), the newest first, and the rules of closing and of letters."""
    return list_page(request)


def list_page(request: HttpRequest, *, form: month_forms.Rules | None = None) -> HttpResponse:
    """The same with a form that was refused."""
    context = _list(request, team=None) | {
        "form": form or month_letters.form(),
        "may_close": request.user.has_perm(MAY_CLOSE),
        "readers": month_letters.readers(),
        "close_after_days": month_letters.rules().close_after_days,
    }
    return render(request, "months/list.html", context, status=422 if form else 200)


@never_cache
@require_safe
@login_required
def team_overview(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same about one team, for whoever manages it."""
    return render(request, "months/list.html", _list(request, team=desk.managed(request, uuid)))


def _list(request: HttpRequest, *, team: Team | None) -> dict[str, Any]:
    organisation, now = organisation_of(request), clock.now()
    tz = moments.zone(organisation)
    running = months.current(now, tz=tz)
    first = months.earliest(tz=tz)
    oldest = (first or running).year
    year = _year(request, oldest=oldest, newest=running.year)
    firsts = [dt.date(year, number, 1) for number in range(12, 0, -1)]
    wanted = months.several([day for day in firsts if (first or running) <= day <= running], tz=tz)
    scope = team.uuid if team else NOBODY
    rows = month_queries.of_months(wanted, scope=scope)
    asked = {} if team else invoices.of_months(wanted)
    listed = [
        _listed(
            month,
            rows[month.first],
            asked.get(month.first, []),
            currency=organisation.currency,
            now=now,
            running=running,
        )
        for month in wanted
    ]
    return {
        "team": team,
        "months": listed,
        "nothing_yet": first is None,
        "zone": tz.key,
        "year": year,
        "years": [str(each) for each in range(running.year, oldest - 1, -1)],
    }


def _year(request: HttpRequest, *, oldest: int, newest: int) -> int:
    given = request.GET.get("year", "")
    return min(newest, max(oldest, int(given))) if given.isascii() and given.isdigit() and len(given) == 4 else newest


def _listed(
    month: Month, rows: list[month_queries.Row], asked: list[Any], *, currency: str, now: dt.datetime, running: dt.date
) -> Listed:
    currency = month.closed.currency if month.closed else currency
    sums = month_report.totals(rows, currency=currency)
    of_models = month_report.by(rows, lambda row: (row["model"], row["provider"]), currency=currency)
    balance = invoices.balance(invoices.compared(of_models, asked))
    return Listed(
        month=month,
        title=month_words.title(month.first),
        is_running=month.first == running,
        can_close=month.closed is None and month.is_over(now),
        calls=sums.calls,
        cost=money.rounded(sums.total_micro, currency),
        foreign=month_tables.several(sums.foreign).text if sums.foreign else "",
        corrected=month_tables.signed(sums.corrected_micro, currency).text if sums.corrections else "",
        unknown=sums.unknown,
        differences=[
            f"{month_tables.signed(each.difference_micro, name).text} {month_tables.percent(each.percent)}".strip()
            for name, each in balance.items()
        ],
    )


# --- one month ------------------------------------------------------------------------------------------------------------


@never_cache
@require_safe
@administrator(MAY)
def month(request: HttpRequest, month: str) -> HttpResponse:
    """The report of one month."""
    return _page(request, month, team=None)


@never_cache
@require_safe
@login_required
def team_month(request: HttpRequest, uuid: UUID, month: str) -> HttpResponse:
    """The same about one team, for whoever manages it."""
    return _page(request, month, team=desk.managed(request, uuid))


@never_cache
@require_safe
@administrator(MAY)
def export(request: HttpRequest, month: str, what: str) -> HttpResponse:
    """One table of the report as a file."""
    return _file(request, month, what, team=None)


@never_cache
@require_safe
@login_required
def team_export(request: HttpRequest, uuid: UUID, month: str, what: str) -> HttpResponse:
    """One table of a team's report as a file."""
    return _file(request, month, what, team=desk.managed(request, uuid))


def found(request: HttpRequest, name: str) -> tuple[Month, ZoneInfo]:
    """The month of this name and the clock that it is told on: its own once it is closed. 404 for none, and for one to come."""
    tz = moments.zone(organisation_of(request))
    try:
        first = months.day_of(name)
    except ValueError:
        raise Http404 from None
    if first > months.current(clock.now(), tz=tz):
        raise Http404
    there = months.of(first, tz=tz)
    return there, periods.zone(there.closed.zone) if there.closed else tz


def sheet_of(request: HttpRequest, there: Month, *, team: Team | None, tz: ZoneInfo, invoiced: bool = True) -> Sheet:
    """Everything that the month's tables need."""
    user = request.user
    assert isinstance(user, User)
    scope = team.uuid if team else NOBODY
    persons = team is not None or user.has_perm(desk.MAY_SEE_PEOPLE)
    report = month_report.of(there, currency=organisation_of(request).currency, scope=scope, persons=persons)
    corrected = list(month_queries.corrections(there, scope=scope))
    made_by = {entry.by for entry in corrected if entry.by}
    people = User.objects.filter(uuid__in=made_by or {NOBODY})
    asked = invoices.of_month(there.first) if team is None and invoiced else []
    return Sheet(
        report,
        tz=tz,
        links=team is None and user.has_perm("usage.view_invocation"),
        corrections=corrected,
        compared=invoices.compared(report.of_models, asked) if team is None else (),
        names={person.uuid: str(person) for person in people} if team is None else {},
        is_whole=team is None,
    )


def tables_of(sheet: Sheet) -> list[str]:
    """The names of the tables that this reader may have."""
    return [
        what
        for what in month_tables.TABLES
        if (sheet.report.people is not None or what not in month_tables.OF_PERSONS)
        and (sheet.is_whole or what not in month_tables.OF_ALL)
    ]


def _file(request: HttpRequest, name: str, what: str, *, team: Team | None) -> HttpResponse:
    there, tz = found(request, name)
    sheet = sheet_of(request, there, team=team, tz=tz)
    if what not in tables_of(sheet):
        raise Http404
    answer = HttpResponse(month_tables.text(what, sheet), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{there.name}-{what}.csv"'
    return answer


def _page(request: HttpRequest, name: str, *, team: Team | None) -> HttpResponse:
    there, tz = found(request, name)
    sheet = sheet_of(request, there, team=team, tz=tz)
    report, now = sheet.report, clock.now()
    may = tables_of(sheet)
    later, later_micro = month_queries.corrected_later(there, scope=report.scope)
    closer = there.closed.closed_by if there.closed else None
    balance = invoices.balance(sheet.compared)
    context: dict[str, Any] = {
        "team": team,
        "month": there,
        "title": month_words.title(there.first),
        "base": reverse("team_month", args=[team.uuid, there.name])
        if team
        else reverse("months:month", args=[there.name]),
        "sheet": sheet,
        "sums": report.sums,
        "zone": tz.key,
        "is_over": there.is_over(now),
        "figures": _figures(sheet),
        "rates": month_report.rates(there, currency=report.currency),
        "tables": [month_tables.shown(month_tables.table(what, sheet)) for what in _SHOWN if what in may],
        "files": [what for what in may if what not in _SHOWN and what != "invoices"],
        "later": later,
        "later_cost": month_tables.signed(later_micro, report.currency).text if later_micro else "",
        "closer": str(User.objects.filter(uuid=closer).first() or "") if closer else "",
        "differences": [
            (currency, month_tables.signed(each.difference_micro, currency).text, month_tables.percent(each.percent))
            for currency, each in balance.items()
        ],
        "printed_at": now,
    }
    if team is None:
        context |= {
            "may_close": request.user.has_perm(MAY_CLOSE),
            "invoices": _invoiced(sheet),
            "others": _other_providers(sheet),
        }
    return render(request, "months/month.html", context)


def _figures(sheet: Sheet) -> dict[str, Any]:
    """The figures at the top, and the money by currency."""
    sums, currency = sheet.report.sums, sheet.currency
    return {
        "total": money.rounded(sums.total_micro, currency),
        "cost": money.rounded(sums.cost_micro, currency),
        "corrected": month_tables.signed(sums.corrected_micro, currency).text,
        "foreign": month_tables.several(sums.foreign).text if sums.foreign else "",
        "money": [
            {
                "currency": own,
                "own": money.rounded(micro, own),
                "into": money.rounded(sums.in_own.get(own, 0), currency),
                "rate": _mean(sums.in_own.get(own, 0), micro) if own != currency else "",
            }
            for own, micro in sorted(sums.own.items(), key=lambda pair: -sums.in_own.get(pair[0], 0))
        ],
    }


def _mean(into_micro: int, own_micro: int) -> str:
    """At how much one unit was converted on the mean; empty where nothing was."""
    if not into_micro or not own_micro:
        return ""
    return formats.number_format(into_micro / own_micro, decimal_pos=4)


def _invoiced(sheet: Sheet) -> list[dict[str, Any]]:
    """The lines of the card of invoices."""
    cells = month_tables.invoices(sheet).rows
    return [
        {
            "provider": row[0].text,
            "model": row[1].text,
            "is_whole": each.model == NOBODY,
            "counted": row[3].text if each.counted else "–",
            "unpriced": each.unpriced,
            "asked": row[4].text if each.invoice else "",
            "difference": row[5].text if each.difference_micro else "",
            "agrees": each.difference_micro == 0,
            "percent": row[6].text if each.difference_micro and each.percent is not None else "",
            "url": reverse("months:invoice", args=[sheet.report.month.name, each.provider, each.model]),
        }
        for each, row in zip(sheet.compared, cells, strict=True)
    ]


def _other_providers(sheet: Sheet) -> list[tuple[str, str]]:
    """Providers of which nothing was used, for an invoice all the same: (name, address)."""
    there = {each.provider for each in sheet.compared}
    rows = Provider.objects.exclude(uuid__in=there).order_by("name").values_list("uuid", "name")
    return [(name, reverse("months:invoice", args=[sheet.report.month.name, uuid, NOBODY])) for uuid, name in rows[:50]]
