"""The list of conversations as a person tidies it: rename, delete, the bin. Forms without scripts, JSON for the page's scripts.

Every view fetches and authorises in one call; what is changed is changed by chat.organising.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts import clock
from accounts.refusals import wants_json
from chat import forms, messages, organising, page, queries
from chat.models import Conversation
from chat.views import given, refusal, signed_in

Verb = Callable[[], object]


@require_safe
@signed_in
def organise(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The forms for one conversation, for browsers without scripts."""
    return _forms(request, queries.conversation_for(page.person(request), uuid))


@require_POST
@signed_in
def rename(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Gives it another title."""
    user = page.person(request)
    found = queries.conversation_for(user, uuid)
    typed = ""
    try:
        typed = forms.read(request).title
        title = organising.rename(user, conversation=found, title=typed)
    except messages.Refused as refused:
        if _by_script(request):
            return refusal(request, refused)
        return _forms(request, found, refused=refused, typed=typed)
    return _done(request, {"title": title}, to=reverse("chat:conversation", args=[found.uuid]))


@require_POST
@signed_in
def delete(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Moves it to the bin; the page that follows offers to undo that."""
    user = page.person(request)
    found = queries.conversation_for(user, uuid)
    organising.delete(user, conversation=found)
    to = f"{reverse('chat:new')}?deleted={found.uuid}"
    return _done(request, {"title": found.title, "url": to}, to=to)


@require_POST
@signed_in
def seen(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The page was open and visible when an answer ended."""
    user = page.person(request)
    found = queries.conversation_for(user, uuid)
    organising.see(user, conversation=found)
    return _done(request, {}, to=reverse("chat:conversation", args=[found.uuid]))


@require_safe
@signed_in
def bin_(request: HttpRequest) -> HttpResponse:
    """What was deleted and can still be brought back."""
    return _bin(request)


@require_POST
@signed_in
def empty(request: HttpRequest) -> HttpResponse:
    """Deletes everything in the bin for good."""
    return _carried_out(request, lambda: organising.empty(page.person(request)))


@require_POST
@signed_in
def restore(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Takes it out of the bin."""
    user = page.person(request)
    found = queries.binned_for(user, uuid)
    organising.restore(user, conversation=found)
    return _done(request, {"title": found.title}, to=reverse("chat:conversation", args=[found.uuid]))


@require_POST
@signed_in
def delete_for_good(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Deletes one conversation of the bin for good."""
    user = page.person(request)
    found = queries.binned_for(user, uuid)
    return _carried_out(request, lambda: organising.delete_for_good(user, conversation=found))


def _by_script(request: HttpRequest) -> bool:
    return wants_json(request) or request.content_type == "application/json"


def _done(request: HttpRequest, fields: dict[str, Any], *, to: str) -> HttpResponse:
    return JsonResponse(fields) if _by_script(request) else HttpResponseRedirect(to, status=303)


def _carried_out(request: HttpRequest, verb: Verb) -> HttpResponse:
    try:
        verb()
    except messages.Refused as refused:
        return refusal(request, refused) if _by_script(request) else _bin(request, refused=refused)
    return _done(request, {}, to=reverse("chat:bin"))


def _forms(
    request: HttpRequest, found: Conversation, *, refused: messages.Refused | None = None, typed: str = ""
) -> HttpResponse:
    context = {"conversation": found, "refused": refused, "typed": typed[: organising.MAX_TITLE] or found.title}
    return render(request, "chat/organise.html", context, status=refused.status if refused else 200)


def _bin(request: HttpRequest, *, refused: messages.Refused | None = None) -> HttpResponse:
    listing = queries.bin_list(page.person(request), cursor=given(request, "cursor", length=80))
    now = clock.now()
    rows = [(found, _days_left(found, now=now)) for found in listing.conversations]
    context = {"rows": rows, "days": settings.BIN_DAYS, "next_cursor": listing.next_cursor, "refused": refused}
    return render(request, "chat/bin.html", context, status=refused.status if refused else 200)


def _days_left(found: Conversation, *, now: dt.datetime) -> int:
    """Whole days until it is deleted for good, at least 0; begun ones count."""
    assert found.deleted_at is not None
    left = found.deleted_at + dt.timedelta(days=settings.BIN_DAYS) - now
    return max(0, -(-left // dt.timedelta(days=1)))
