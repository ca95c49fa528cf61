"""My usage: what is left of each limit, what was used by day and model, and asking for more. One's own, nobody else's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts import clock, csv_file
from accounts.middleware import organisation_of
from accounts.models import Organisation, UsageShown, User
from accounts.refusals import NotPossible
from providers import money
from providers.models import LanguageModel
from usage import charts, limit_words, limits, moments, overview, rules, spending, spent
from usage.limit_models import TIMELESS, Quota, QuotaRequest, Scope
from usage.limits import Limit, Standing
from usage.mine_forms import Asking
from usage.spending import Used

RANGES = (7, 30, 90)


@dataclass(frozen=True)
class Row:
    """A limit as its owner sees it: `used` and `held` are of 100, `words` say both and what is left."""

    limit: Limit
    title: str
    words: str
    used: int
    held: int
    returns: str
    models: str
    asked: bool

    @property
    def warns(self) -> bool:
        return self.used + self.held >= 80

    @property
    def timeless(self) -> bool:
        return self.limit.unit in TIMELESS


def me(request: HttpRequest) -> User:
    """Who asks; the views let only signed-in people through."""
    assert isinstance(request.user, User)
    return request.user


@never_cache
@require_safe
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """The page. `?days=` 7, 30 or 90."""
    organisation, person, now = organisation_of(request), me(request), clock.now()
    tz, days = moments.zone(organisation), _days(request)
    span = spending.days_back(days, now=now, tz=tz)
    used = spending.of_person(person.uuid, days=span, tz=tz, currency=organisation.currency)
    standing = spent.shown(limits.standing(person=person.uuid, now=now))
    chart, words = _chart(used, days=span, organisation=organisation)
    context = {
        "rows": rows_of(standing, person=person, shown=organisation.usage_shown, now=now),
        "keys": rows_of(
            _keys(standing, person=person, now=now), person=person, shown=organisation.usage_shown, now=now
        ),
        "days": days,
        "ranges": RANGES,
        "chart": chart,
        "top": words(chart.top),
        "bars": [(bar, words(bar.value)) for bar in chart.bars],
        "used": list(reversed(used)),
        "sums": spending.together(used),
        "shows_money": organisation.usage_shown == UsageShown.MONEY,
        "currency": organisation.currency,
        "zone": tz.key,
        "requests": QuotaRequest.objects.filter(person=person.uuid)
        .select_related("quota", "grant")
        .order_by("-created_at")[:10],
    }
    return render(request, "usage/mine.html", context)


def _days(request: HttpRequest) -> int:
    wanted = request.GET.get("days", "")
    return int(wanted) if wanted in map(str, RANGES) else RANGES[1]


def _chart(
    used: list[Used], *, days: list[dt.date], organisation: Organisation
) -> tuple[charts.Chart, Callable[[int], str]]:
    """In what the organisation shows: money, or tokens; and how its figures are told."""
    if organisation.usage_shown == UsageShown.MONEY:
        return charts.stacked(used, days=days, value=lambda row: row.cost_micro), (
            lambda value: money.rounded(value, organisation.currency)
        )
    return charts.stacked(used, days=days, value=lambda row: row.tokens), (
        lambda value: limit_words.amount(value, unit="tokens", currency="")
    )


def rows_of(standing: Standing, *, person: User, shown: str, now: dt.datetime) -> list[Row]:
    """The limits that apply, in words. As a share nobody reads an amount."""
    if not standing.limits:
        return []
    asked = set(QuotaRequest.objects.filter(person=person.uuid, state="open").values_list("quota__uuid", flat=True))
    names = _names(limit.models for limit in standing.limits)
    return [_row(limit, standing=standing, shown=shown, now=now, asked=asked, names=names) for limit in standing.limits]


def _keys(standing: Standing, *, person: User, now: dt.datetime) -> Standing:
    """The same with the limits of the person's API keys instead of her own."""
    found = overview.of_keys(person, now=now, tz=ZoneInfo(standing.time_zone))
    return replace(standing, limits=tuple(found), overridden=())


def _row(
    limit: Limit, *, standing: Standing, shown: str, now: dt.datetime, asked: set[UUID], names: dict[UUID, str]
) -> Row:
    both = limit_words.percent(limit, of=limit.used + limit.held)
    used = limit_words.percent(limit)
    title = _("%(what)s %(period)s") % {
        "what": limit_words.of_what(limit.unit),
        "period": limit_words.this_period(limit.period),
    }
    whose = "" if limit.scope in limits.PERSONAL else limit_words.whose(limit.scope)
    if limit.scope == Scope.KEY:
        whose = limit.subject_name
    return Row(
        limit,
        f"{whose} · {title.strip()}" if whose else title.strip(),
        _words(limit, standing=standing, shown=shown),
        used,
        both - used,
        limit_words.moment(limit.resets_at, zone=standing.time_zone, now=now) if limit.resets_at else "",
        ", ".join(sorted(names.get(model, "?") for model in limit.models)),
        limit.quota in asked,
    )


def _words(limit: Limit, *, standing: Standing, shown: str) -> str:
    def told(value: int) -> str:
        if shown == UsageShown.SHARE:
            return _("%(n)d %%") % {"n": limit_words.percent(limit, of=value)}
        return limit_words.plain(value, unit=limit.unit, currency=standing.currency)

    if limit.unit in TIMELESS:
        return limit_words.number(limit.cap)
    whole = told(limit.cap) if shown != UsageShown.SHARE else ""
    values = {"used": told(limit.used), "held": told(limit.held), "left": told(limit.left), "limit": whole}
    if shown == UsageShown.SHARE:
        values["left"] = _("%(n)d %%") % {"n": 100 - limit_words.percent(limit, of=limit.used + limit.held)}
        text = (
            _("%(used)s used · %(held)s held now · %(left)s left") if limit.held else _("%(used)s used · %(left)s left")
        )
        return text % values
    if limit.held:
        return _("%(used)s of %(limit)s used · %(held)s held now · %(left)s left") % values
    return _("%(used)s of %(limit)s used · %(left)s left") % values


def _names(groups: Any) -> dict[UUID, str]:
    wanted = {model for group in groups for model in group}
    return dict(LanguageModel.objects.filter(uuid__in=wanted).values_list("uuid", "name")) if wanted else {}


@never_cache
@require_safe
@login_required
def export(request: HttpRequest) -> HttpResponse:
    """The same days as a file: one line a day and model."""
    organisation, tz = organisation_of(request), moments.zone(organisation_of(request))
    span = spending.days_back(_days(request), now=clock.now(), tz=tz)
    used = spending.of_person(me(request).uuid, days=span, tz=tz, currency=organisation.currency)
    with_money = organisation.usage_shown == UsageShown.MONEY
    head = ["day", "model", "questions", "input tokens", "output tokens"]
    parts = [
        csv_file.MARK,
        csv_file.line([*head, *(["cost", "currency", "calls of unknown cost"] if with_money else [])]),
    ]
    for row in used:
        cells: list[object] = [row.day, row.model, row.requests, row.input_tokens, row.output_tokens]
        cost = [money.to_text(row.cost_micro), organisation.currency, row.unknown] if with_money else []
        parts.append(csv_file.line([*cells, *cost]))
    answer = HttpResponse("".join(parts).encode(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="usage-{timezone.localdate()}.csv"'
    return answer


def _quota(limit: Limit) -> Quota:
    return Quota.objects.get(pk=limit.id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ask(request: HttpRequest, quota: UUID) -> HttpResponse:
    """Asks for more of a limit that applies to oneself, with a reason. Others' limits do not exist."""
    organisation, person, now = organisation_of(request), me(request), clock.now()
    standing = spent.shown(limits.standing(person=person.uuid, now=now))
    keys = _keys(standing, person=person, now=now)
    every = replace(standing, limits=(*standing.limits, *keys.limits))
    rows = rows_of(every, person=person, shown=organisation.usage_shown, now=now)
    row = next((each for each in rows if each.limit.quota == quota), None)
    if row is None:
        raise Http404
    form = Asking(request.POST if request.method == "POST" else None, limit=row.limit, currency=standing.currency)
    if request.method == "POST" and form.is_valid():
        try:
            given = form.cleaned_data
            rules.ask(_quota(row.limit), person=person, reason=given["reason"], amount=given["amount"])
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
        else:
            messages.success(request, _("Asked. You see the answer here; your question in the chat is kept."))
            return HttpResponseRedirect(reverse("usage:mine"))
    context = {"row": row, "form": form, "zone": ZoneInfo(standing.time_zone).key}
    return render(request, "usage/ask.html", context, status=422 if form.errors else 200)
