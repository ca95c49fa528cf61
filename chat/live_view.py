"""The poll as a plain Django view, for servers that know nothing of the ASGI side (`runserver`): same shape, never waits."""

from __future__ import annotations

import time

from django.conf import settings
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from chat import watch_queries
from chat.live import read_ticket
from chat.notes import note


@require_GET
def poll(request: HttpRequest, generation: str) -> JsonResponse:
    """One look at a generation, from the database. A repeat changes nothing."""
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    ticket = read_ticket(request.GET.get("ticket", ""), generation=generation, session_key=key)
    if ticket is None or not watch_queries.rights([(key, ticket.user_id, ticket.session_version)]):
        raise Http404
    answer = watch_queries.load(ticket.generation, user_id=ticket.user_id)
    if answer is None:
        raise Http404
    if answer.active:
        watch_queries.look_around([answer])
        answer.render_open(now=time.monotonic())
    seen = request.GET.get("seen", "")
    made = answer.payload(seen=int(seen) if seen.isdecimal() and len(seen) < 10 else 0, opened=None)
    made["note"] = note(answer.facts) if answer.facts is not None else None
    if not answer.active:
        made |= answer.last_words(title=watch_queries.title_of(answer.conversation_id), note=made["note"])
        if request.GET.get("looked") and answer.ended is not None:
            watch_queries.note_seen([answer.ended])
    response = JsonResponse(made)
    response["Cache-Control"] = "no-store"
    return response
