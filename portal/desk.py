"""The desk: what waits, what happens now, and figures over time; for staff with the right, and for a manager about her team alone.

The page puts rooms together and counts nothing itself.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import clock, csv_file, teams
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import Membership, Team, User
from chat import running
from portal import desk_cards, desk_waiting, desk_words
from portal.desk_cards import Look
from providers import money
from providers.models import ProviderState
from usage import desk as figures
from usage import desk_queries, limit_words, moments, plots, sentences, spans
from usage.call_words import ANSWERS, BAD
from usage.limit_models import NOBODY, QuotaPeriod
from usage.spans import Span

MAY = "usage.view_rollup"
MAY_SEE_PEOPLE = "usage.view_personday"
_SHOWN = ("times", "tokens", "errors", "rejections", "models", "providers", "sources", "keys", "people", "matrix")


@never_cache
@require_safe
@administrator(MAY)
def desk(request: HttpRequest) -> HttpResponse:
    """The page for the whole organisation. `?range=` of usage.spans.NAMES, or `?from=` and `?to=` as dates."""
    return _page(request, team=None)


@never_cache
@require_safe
@login_required
def team_desk(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same about one team, for whoever manages it; for everybody else there is no such page."""
    return _page(request, team=managed(request, uuid))


@never_cache
@require_safe
@administrator(MAY)
def export(request: HttpRequest, what: str) -> HttpResponse:
    """One table of the desk as a file."""
    return _file(request, what, team=None)


@never_cache
@require_safe
@login_required
def team_export(request: HttpRequest, uuid: UUID, what: str) -> HttpResponse:
    """One table of a team's desk as a file."""
    return _file(request, what, team=managed(request, uuid))


def managed(request: HttpRequest, uuid: UUID) -> Team:
    """The team, if whoever asks manages it; else there is no such page."""
    assert isinstance(request.user, User)
    found = next((team for team in teams.managed_by(request.user) if team.uuid == uuid), None)
    if found is None:
        raise Http404
    return found


def _span(request: HttpRequest, *, now: dt.datetime, tz: ZoneInfo) -> tuple[Span, str]:
    """The span that was asked for, and what is wrong with the days that were typed ("": nothing)."""
    first, last = request.GET.get("from", ""), request.GET.get("to", "")
    if first or last:
        try:
            begin = moments.read(first or last, tz=tz).astimezone(tz).date()
            end = moments.read(last or first, tz=tz).astimezone(tz).date()
            return spans.of_days(begin, end, tz=tz), ""
        except (ValueError, OverflowError):
            problem = _("These are no days from one to another, at most a year. This month is shown instead.")
            return spans.of("month", now=now, tz=tz), problem
    return spans.of(request.GET.get("range", "month"), now=now, tz=tz), ""


def _look(request: HttpRequest, *, team: Team | None, span: Span, tz: ZoneInfo, now: dt.datetime) -> Look:
    scope = team.uuid if team else NOBODY
    found = figures.of(span, scope=scope, currency=organisation_of(request).currency, tz=tz)
    assert isinstance(request.user, User)
    return Look(
        found,
        currency=organisation_of(request).currency,
        links=team is None,
        persons=team is not None or request.user.has_perm(MAY_SEE_PEOPLE),
        limits=figures.team_limits(list(found.of_teams), now=now),
        states={} if team else _circuits(),
    )


def _circuits() -> dict[UUID, str]:
    """Providers that are not asked as usual, in words."""
    shut = ProviderState.objects.exclude(circuit="closed").values_list("provider__uuid", "circuit")
    return {uuid: _("being tried again") if circuit == "half_open" else _("not asked") for uuid, circuit in shut}


def _file(request: HttpRequest, what: str, *, team: Team | None) -> HttpResponse:
    now, tz = clock.now(), moments.zone(organisation_of(request))
    if what not in desk_cards.TABLES:
        raise Http404
    span, _problem = _span(request, now=now, tz=tz)
    look = _look(request, team=team, span=span, tz=tz, now=now)
    if what in desk_cards.OF_PERSONS and not look.persons:
        raise Http404
    lines = [csv_file.line(line) for line in desk_cards.lines(desk_cards.table(what, look))]
    answer = HttpResponse(csv_file.MARK + "".join(lines), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{what}-{span.starts_at.astimezone(tz):%Y-%m-%d}.csv"'
    return answer


def _page(request: HttpRequest, *, team: Team | None) -> HttpResponse:
    organisation, now = organisation_of(request), clock.now()
    tz = moments.zone(organisation)
    span, problem = _span(request, now=now, tz=tz)
    look = _look(request, team=team, span=span, tz=tz, now=now)
    shown = [what for what in _SHOWN if look.persons or what not in desk_cards.OF_PERSONS]
    tables = {what: desk_cards.table(what, look) for what in (*shown, "teams", "steps", "spending")}
    context: dict[str, Any] = {
        "team": team,
        "base": reverse("team_desk", args=[team.uuid]) if team else reverse("desk"),
        "query": _query(span),
        "span": span,
        "problem": problem,
        "typed": {name: request.GET.get(name, "")[:10] for name in ("from", "to")},
        "when": desk_words.of_span(span, tz=tz),
        "compared": desk_words.of_span(look.desk.before, tz=tz),
        "zone": tz.key,
        "ranges": _ranges(),
        "figures": _figures(look, now=now, tz=tz, team=team),
        "plots": _plots(look, tz=tz),
        "tables": tables,
        "rest": [tables[what] for what in shown],
        "near": _near(look, now=now, team=team) if look.persons else [],
        "unused": _unused(now=now, tz=tz, team=team) if look.persons else None,
        "calls": look.url(),
        "answers_url": look.url(outcome=ANSWERS),
    }
    if team is None:
        assert isinstance(request.user, User)
        context |= {
            "waiting": desk_waiting.waiting(request.user, now=now),
            "now": running.now_running(now=now),
            "last_hour": _last_hour(look, now=now, tz=tz),
        }
    return render(request, "desk/desk.html", context)


def _query(span: Span) -> str:
    """The span as an address says it."""
    if span.name in spans.NAMES:
        return f"range={span.name}"
    return f"from={span.days[0].isoformat()}&to={span.days[-1].isoformat()}"


def _ranges() -> list[tuple[str, str]]:
    names = (_("Last hour"), _("24 hours"), _("7 days"), _("This month"), _("Last month"))
    return list(zip(spans.NAMES, names, strict=True))


def _last_hour(look: Look, *, now: dt.datetime, tz: ZoneInfo) -> Any:
    """How many of the last hour's answers failed."""
    rows = desk_queries.calls(spans.of("hour", now=now, tz=tz), scope=NOBODY, steps=False)
    return desk_words.share(desk_queries.together(rows, currency=look.currency).error_rate)


def _figures(look: Look, *, now: dt.datetime, tz: ZoneInfo, team: Team | None) -> dict[str, Any]:
    """The four figures at the top."""
    desk = look.desk
    budget = figures.budgets(now=now, tz=tz, currency=look.currency, scope=team.uuid if team else NOBODY, desk=desk)
    ttft, before = desk.times["ttft"], desk.times_before["ttft"]
    return {
        "cost": money.rounded(desk.sums.cost_micro, look.currency),
        "cost_change": desk_words.change(desk.sums.cost_micro, desk.earlier.cost_micro),
        "unknown": desk.sums.unknown,
        "budget": budget,
        "amount": None if budget.amount is None else money.rounded(budget.amount, look.currency),
        "projected": None if budget.projected is None else money.rounded(budget.projected, look.currency),
        "month": money.rounded(budget.spent, look.currency),
        "answers": desk_words.number(desk.sums.answers),
        "answers_change": desk_words.change(desk.sums.answers, desk.earlier.answers, more_is="good"),
        "people": desk.people,
        "people_before": desk.people_before,
        "first": desk_words.seconds(ttft.p50),
        "first_95": desk_words.seconds(ttft.p95),
        "first_change": desk_words.change(ttft.p50 or 0, before.p50 or 0, more_is="bad"),
        "bad": desk_words.share(desk.bad_percent),
        "bad_change": desk_words.points(desk.bad_percent, desk.bad_percent_before),
        "failed": desk.sums.failed,
        "refused": desk.refused,
        "failed_url": look.url(outcome=BAD) if desk.sums.failed else "",
        "at_once": f"{desk.at_once:.1f}",
        "busiest": f"{desk.busiest:.1f}",
    }


def _plots(look: Look, *, tz: ZoneInfo) -> dict[str, Any]:
    """Money by model, and times of the first words: each for two widths."""
    desk = look.desk
    labels = [desk_words.of_step(desk.span, number, tz=tz) for number in range(len(desk.steps))]
    order = list(desk.models_by_step)
    named = order if len(order) <= plots.MOST_SERIES else order[: plots.MOST_SERIES - 1]
    series = [[sums.cost_micro for sums in desk.models_by_step[model]] for model in named]
    legend = [look.name(model, nobody="–") for model in named]
    if len(order) > len(named):
        rest = [desk.models_by_step[model] for model in order[len(named) :]]
        series.append([sum(each[n].cost_micro for each in rest) for n in range(len(labels))])
        legend.append(_("others"))
    ttft = [each["ttft"] for each in desk.times_by_step]
    lines = [[each.p50 or 0 for each in ttft], [each.p95 or 0 for each in ttft]]
    answers = [[sums.answers - sums.failed for sums in desk.steps], [sums.failed for sums in desk.steps]]

    def cost(value: float) -> str:
        return money.rounded(round(value), look.currency)

    def both(values: list[list[int]], says: Any, *, stacked: bool = True) -> list[plots.Plot]:
        return [
            plots.plot(values, frame=frame, labels=labels, says=says, stacked=stacked)
            for frame in (plots.WIDE, plots.NARROW)
        ]

    return {
        "cost": both(series, cost) if series else [],
        "legend": legend,
        "answers": both(answers, lambda value: desk_words.number(round(value))),
        "times": both(lines, lambda ms: desk_words.seconds(round(ms)), stacked=False),
    }


def _near(look: Look, *, now: dt.datetime, team: Team | None) -> list[dict[str, Any]]:
    """Who has used nearly all of a limit."""
    subjects = None
    if team is not None:
        subjects = [team.uuid, *Membership.objects.filter(team=team).values_list("user__uuid", flat=True)]
    rows = desk_queries.near_limits(now=now, subjects=subjects)
    names = figures.names(people=[row.subject for row in rows], teams=[row.subject for row in rows])
    return [_one_near(row, names=names, currency=look.currency) for row in rows]


def _one_near(row: QuotaPeriod, *, names: dict[UUID, str], currency: str) -> dict[str, Any]:
    used = min(100, (row.used + row.held) * 100 // row.cap)
    plain = [
        limit_words.plain(value, unit=row.quota.unit, currency=currency) for value in (row.used + row.held, row.cap)
    ]
    whom = names.get(row.subject) or sentences.whom(row.quota.scope, row.quota.subject_name)
    words = _("%(used)s of %(limit)s %(period)s") % {
        "used": plain[0], "limit": limit_words.amount(row.cap, unit=row.quota.unit, currency=currency),
        "period": limit_words.this_period(row.quota.period),
    }  # fmt: skip
    return {"whom": whom, "words": words, "used": used, "state": "bad" if used >= 100 else "warn"}


def _unused(*, now: dt.datetime, tz: ZoneInfo, team: Team | None) -> dict[str, Any]:
    since = now.astimezone(tz).date() - dt.timedelta(days=figures.UNUSED_DAYS)
    count, some = desk_queries.unused(since=since, team=team.uuid if team else NOBODY)
    return {"count": count, "people": some, "more": max(0, count - len(some))}
