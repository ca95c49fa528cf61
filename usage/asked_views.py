"""Requests for more, all of them: what waits, what was granted or refused, by whom and until when. Answers nothing itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import clock
from accounts.administration import administrator
from accounts.middleware import organisation_of
from accounts.models import User
from usage import limit_drafts, limit_words, sentences
from usage.limit_models import QuotaRequest
from usage.limit_views import MAY

PAGE = 30
_State = QuotaRequest.State


@require_safe
@administrator(MAY)
def requests(request: HttpRequest) -> HttpResponse:
    """`?show=open|granted|refused`, `?q=` a part of a name or reason, `?page=`. Six queries, however many there are."""
    show = request.GET.get("show", "")
    show = show if show in _State.values else _State.OPEN.value
    query = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    rows = QuotaRequest.objects.filter(state=show).select_related("quota", "grant")
    # What waits longest comes first; of what was answered, the latest.
    rows = rows.order_by("created_at", "pk") if show == _State.OPEN else rows.order_by("-decided_at", "-pk")
    if query:
        rows = rows.filter(Q(person_name__icontains=query) | Q(reason__icontains=query))
    shown = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {
        "shown": shown,
        "rows": _told(list(shown), currency=organisation_of(request).currency),
        "show": show,
        "nobody": _("Somebody whose name was erased"),
        "shows": [
            (_State.OPEN, _("Waiting for an answer")),
            (_State.GRANTED, _("Granted")),
            (_State.REFUSED, _("Refused")),
        ],
        "query": query,
    }
    return render(request, "setup/limit_requests.html", context)


def _told(rows: list[QuotaRequest], *, currency: str) -> list[dict[str, Any]]:
    names = sentences.names_of([row.quota for row in rows])
    deciders = _names({row.decided_by for row in rows if row.decided_by})
    return [
        {
            "row": row,
            "limit": sentences.of(row.quota, names=names, currency=currency),
            "gone": row.quota.removed_at is not None,
            "more": _amount(limit_drafts.proposed(row), of=row, currency=currency),
            "granted": _amount(row.grant.amount, of=row, currency=currency) if row.grant else "",
            "running": row.grant is not None and row.grant.until > clock.now(),
            "by": deciders.get(row.decided_by, "") if row.decided_by else "",
        }
        for row in rows
    ]


def _amount(value: int, *, of: QuotaRequest, currency: str) -> str:
    return limit_words.amount(value, unit=of.quota.unit, currency=currency)


def _names(people: set[UUID]) -> dict[UUID, str]:
    return {person.uuid: str(person) for person in User.objects.filter(uuid__in=people)}
