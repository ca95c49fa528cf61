"""Looks into other people's conversations in the browser, for holders of the right (accounts.openings). Read-only; each step is an event.

Who has no right is refused before anything is looked up; a look that is over, or another's, does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import audit, openings
from accounts.confirmation import confirmed
from accounts.middleware import organisation_of
from accounts.models import AuditEvent, Opening
from accounts.refusals import NotPossible, Refused
from chat import opened, opened_forms, page

View = Callable[..., HttpResponse]


def holder(view: View) -> View:
    """For those whom somebody gave the right, and nobody else: being an administrator is not enough."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path() if request.method == "GET" else "/setup/")
        if not openings.may(page.person(request)):
            raise Refused
        return view(request, *args, **kwargs)

    return guarded


@require_http_methods(["GET", "HEAD", "POST"])
@holder
@confirmed
def overview(request: HttpRequest) -> HttpResponse:
    """What is open, what waits for a second person, and the form that opens."""
    user = page.person(request)
    form = opened_forms.Ask(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = openings.ask(by=user, request=request, **form.terms())
        except NotPossible as refused:
            form.add_error(None, str(refused.message))
        else:
            if made.opened_at:
                return HttpResponseRedirect(reverse("opened:one", args=[made.uuid]))
            messages.success(
                request, _("Written down. A second person who holds this right has to agree; then it stands here.")
            )
            return HttpResponseRedirect(reverse("opened:overview"))
    asked = list(openings.waiting())
    context = {
        "form": form,
        "open": list(openings.living(user)),
        "mine": [each for each in asked if each.reader_id == user.pk],
        "others": [each for each in asked if each.reader_id != user.pk and each.person_id != user.pk],
        "rule": organisation_of(request),
    }
    return render(request, "setup/opened.html", context, status=422 if form.errors else 200)


@require_safe
@holder
def one(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The conversations that the look reaches. Opening it is the event."""
    opening = _living(request, uuid)
    found, after = opened.conversations(opening, before=_number(request, "before"))
    context = {"opening": opening, "conversations": found, "after": after, "is_later": "before" in request.GET}
    return render(request, "setup/opened_one.html", context)


@require_safe
@holder
def conversation(request: HttpRequest, uuid: UUID, number: UUID) -> HttpResponse:
    """One conversation to read. It is written down before it is shown."""
    opening = _living(request, uuid)
    found = opened.conversation_of(opening, number)
    with transaction.atomic():
        changes = {"conversation": [None, found.uuid]}
        openings.record_look("look.read", opening, by=page.person(request), request=request, more=changes)
    turns, after = opened.turns(opening, found, after=_number(request, "after"))
    context = {
        "opening": opening,
        "conversation": found,
        "turns": turns,
        "after": after,
        "is_later": "after" in request.GET,
    }
    return render(request, "setup/opened_conversation.html", context)


@require_POST
@holder
def end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Over before its time; a request is taken back."""
    user = page.person(request)
    found = Opening.objects.select_related("person").filter(uuid=uuid, reader=user).first()
    if found is None:
        raise Http404
    if openings.end(found, by=user, request=request):
        messages.success(request, _("Ended."))
    return HttpResponseRedirect(reverse("opened:overview"))


@require_POST
@holder
@confirmed
def agree(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The second person agrees."""
    user = page.person(request)
    found = openings.waiting().filter(uuid=uuid).exclude(person=user).first()
    if found is None:
        raise Http404
    try:
        if openings.agree(found, by=user, request=request):
            messages.success(request, _("Agreed. The other person may look now, and it is written down."))
    except NotPossible as refused:
        messages.error(request, str(refused.message))
    return HttpResponseRedirect(reverse("opened:overview"))


@require_POST
@holder
def export(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What the look reaches as a sealed file. The event stands first: without it no file."""
    opening = _living(request, uuid)
    text = request.POST.get("part", "1")
    part = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 and int(text) else 1
    sealed = opened.collect(opening, part=part)
    if not sealed.files:
        messages.error(request, _("There is nothing in this part."))
        return HttpResponseRedirect(reverse("opened:one", args=[opening.uuid]))
    with transaction.atomic():
        changes: audit.Changes = {"sha256": (None, sealed.digest), "part": (None, part)}
        number = openings.record_look("look.exported", opening, by=page.person(request), request=request, more=changes)
        body = opened.seal(sealed, event=AuditEvent.objects.get(number=number))
    answer = HttpResponse(body, content_type="application/zip")
    answer["Content-Disposition"] = f'attachment; filename="conversations-{opening.uuid}-{part}.zip"'
    return answer


def _living(request: HttpRequest, uuid: UUID) -> Opening:
    found = openings.living(page.person(request)).filter(uuid=uuid).first()
    if found is None:
        raise Http404
    return found


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
