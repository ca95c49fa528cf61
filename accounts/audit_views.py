"""The audit trail in the browser: the search for whoever may see it, its files, and for everybody what concerned the own account."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import audit, audit_export, audit_search, audit_words
from accounts.administration import administrator
from accounts.models import AuditEvent, User

SEE = "accounts.view_auditevent"
FEW = 5


@require_safe
@administrator(SEE)
def overview(request: HttpRequest) -> HttpResponse:
    """Search and list, newest first. Every condition stands in the address, so a search can be kept and handed on."""
    search = audit_search.read(request.GET)
    before = audit_search.cursor(request.GET)
    page = audit_search.find(search, before=before)
    here = reverse("setup_accounts:audit")
    context = {
        "search": search,
        "days": _by_day(audit_words.lines(page.events, search_at=here)),
        "page": page,
        "older": f"?{urlencode({**search.told(), 'before': page.after})}" if page.after else "",
        "is_later": bool(before),
        "newest": f"?{urlencode(search.told())}" if search.told() else here,
        "choices": audit_words.choices(),
        "proof": audit_search.last_proof(),
    }
    return render(request, "accounts/audit.html", context)


@require_POST
@administrator(SEE)
def export(request: HttpRequest) -> HttpResponse:
    """What the search finds as a file; that it was taken is an event of its own."""
    search = audit_search.read(request.POST)
    make, kind, ending = audit_export.FORMATS.get(request.POST.get("format", ""), (None, "", ""))
    if make is None:
        raise Http404
    with transaction.atomic():
        file = make(search, before=audit_search.cursor(request.POST))
        numbers = f"{file.first}-{file.last}"
        changes: dict[str, list[Any]] = {
            "format": [None, ending],
            "events": [None, file.count],
            "numbers": [None, numbers],
        }
        if told := search.told():
            changes["filter"] = [None, told]
        audit.record("audit.exported", request=request, changes=changes)
    answer = HttpResponse(file.body, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="audit-{timezone.localdate()}-{numbers}.{ending}"'
    return answer


@require_safe
@login_required
def mine(request: HttpRequest) -> HttpResponse:
    """What was done to the own account, by whomever, and who looked at what is one's own. Nobody else's events."""
    assert isinstance(request.user, User)
    page = audit_search.about(request.user, before=audit_search.cursor(request.GET))
    lines = _for_oneself(page.events, person=request.user)
    context = {
        "days": _by_day(lines),
        "older": f"?before={page.after}" if page.after else "",
        "is_later": "before" in request.GET,
    }
    return render(request, "accounts/audit_mine.html", context)


def latest(person: User) -> list[dict[str, Any]]:
    """The newest few of the same, for the person's own page. One query."""
    page = audit_search.about(person, most=FEW)
    return _by_day(_for_oneself(page.events, person=person))


def _for_oneself(events: list[AuditEvent], *, person: User) -> list[audit_words.Line]:
    """Where a colleague sits is not told; where somebody came from who acted in one's own name, or tried to, is."""
    lines = audit_words.lines(events, reader=person.uuid)
    others = (line.event.actor not in (None, person.uuid) for line in lines)
    return [replace(line, device="", place="") if other else line for line, other in zip(lines, others, strict=True)]


def _by_day(lines: list[audit_words.Line]) -> list[dict[str, Any]]:
    """The lines under their days, on the reader's clock."""
    days: list[dict[str, Any]] = []
    for line in lines:
        day = timezone.localtime(line.event.at).date()
        if not days or days[-1]["day"] != day:
            days.append({"day": day, "lines": []})
        days[-1]["lines"].append(line)
    return days
