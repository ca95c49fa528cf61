"""What is shown: the conversation page, its windows and fragments, the side list, an answer's details and state.

Every view fetches and authorises in one call and changes nothing but the mark that an answer was seen; what changes
something stands in chat.actions and chat.organising_views.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import house_rules, notices
from accounts.middleware import organisation_of
from accounts.refusals import wants_json
from chat import allowance, live, messages, organising, page, picker, queries, sent
from chat.models import ACTIVE, Conversation, Generation, Message
from providers.models import LanguageModel

View = Callable[..., HttpResponse]
MAX_PREFILL = 4_000


def refusal(request: HttpRequest, refused: messages.Refused) -> JsonResponse:
    """The one shape of a refusal for programs."""
    error = {"code": refused.code, "message": refused.message, "request_id": getattr(request, "request_id", "")}
    answer = JsonResponse({"error": error | refused.extra}, status=refused.status)
    if seconds := refused.extra.get("retry_after"):
        answer["Retry-After"] = str(seconds)
    return answer


def signed_in(view: View) -> View:
    """Pages send to the sign-in form and back; programs get 401."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if wants_json(request):
                return refusal(request, messages.Refused(401, "signed_out", _("Sign in first.")))
            return redirect_to_login(request.get_full_path() if request.method == "GET" else "/chat/")
        response = view(request, *args, **kwargs)
        patch_vary_headers(response, ["Accept"])
        return response

    return guarded


def given(request: HttpRequest, name: str, *, length: int) -> str:
    """A piece of the query, cut to a sane length and without what no database stores."""
    return request.GET.get(name, "")[:length].replace("\x00", "")


@require_safe
@signed_in
def new(request: HttpRequest) -> HttpResponse:
    """The page of a new conversation."""
    return whole_page(request, text=given(request, "text", length=MAX_PREFILL))


@require_safe
@signed_in
def conversation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """A conversation at its leaf, or (`?before=`) an older window of it; `?part=window` gives the turns alone."""
    found = queries.conversation_for(page.person(request), uuid)
    if "prefetch" not in request.headers.get("Sec-Purpose", ""):
        organising.see(page.person(request), conversation=found)
    start = given(request, "before", length=64)
    before = queries.message_for(page.person(request), start) if start else None
    if request.GET.get("part") == "window":
        return render(request, "chat/_window.html", window(request, found, before=before))
    edited = given(request, "edit", length=64)
    question = queries.message_for(page.person(request), edited) if edited else None
    return whole_page(request, conversation=found, before=before, question=question)


def whole_page(
    request: HttpRequest,
    *,
    conversation: Conversation | None = None,
    before: Message | None = None,
    question: Message | None = None,
    text: str = "",
    client_id: str = "",
    refused: messages.Refused | None = None,
    model: LanguageModel | None = None,
    mode: str = "",
) -> HttpResponse:
    """The page, with the box as the person left it when something was `refused`."""
    user = page.person(request)
    models = page.models_of(request)
    wanted = model or (conversation.model if conversation else None)
    chosen = next((each for each in models if wanted and each.pk == wanted.pk), models[0] if models else None)
    context: dict[str, Any] = {
        "conversation": conversation,
        "models": models,
        "chosen": chosen,
        "choices": picker.choices(models, chosen=chosen, mode=mode or (conversation.mode if conversation else "")),
        "simulated": page.is_simulated(chosen),
        "edited": question if question and question.role == Message.Role.USER else None,
        "text": text or (question.text if question else ""),
        "client_id": client_id or messages.new_client_id(),
        "refused": refused,
        "allowance": allowance.of(request, model=chosen, refused=refused),
        "rules": house_rules.to_read(user, organisation=organisation_of(request)),
        **side(request),
    }
    if conversation is None:
        context |= {
            "greeting": page.greeting(user),
            "told": notices.unread(user).exists(),
            "starters": page.starters(organisation_of(request)),
            "deleted": deleted(request),
        }
    else:
        context |= window(request, conversation, before=before)
    return render(request, "chat/page.html", context, status=refused.status if refused else 200)


def deleted(request: HttpRequest) -> Conversation | None:
    """What was deleted just now (`?deleted=`): the page offers to undo it."""
    uuid = given(request, "deleted", length=64)
    try:
        return queries.binned_for(page.person(request), uuid) if uuid else None
    except Http404:
        return None


def window(request: HttpRequest, conversation: Conversation, *, before: Message | None) -> dict[str, Any]:
    """Turns of a window, and where the window before it begins."""
    found = queries.window(conversation, before=before)
    turns = page.turns(request, found.messages, begins=queries.memory_begins(conversation))
    running = next((turn for turn in turns if turn.active), None)
    oldest = found.messages[0] if found.has_older else None
    return {
        "conversation": conversation,
        "turns": turns,
        "running": running,
        "oldest": oldest,
        "is_older": bool(before),
    }


def side(request: HttpRequest) -> dict[str, Any]:
    """A page of the side list."""
    listing = queries.conversation_list(page.person(request), cursor=given(request, "cursor", length=80))
    return {"days": page.days(listing.conversations), "next_cursor": listing.next_cursor}


@require_safe
@signed_in
def conversations(request: HttpRequest) -> HttpResponse:
    """A page of the side list alone."""
    return render(request, "chat/_list.html", side(request))


@require_safe
@signed_in
def message(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One turn alone, as the full page shows it."""
    found = queries.message_for(page.person(request), uuid)
    turn = page.turn_of(request, found)
    begins = queries.memory_begins(found.conversation) if turn.is_answer and not turn.active else None
    context: dict[str, Any] = {"turn": turn, "memory": begins}
    if given(request, "part", length=8) == "end":
        if given(request, "seen", length=1):  # the tab is looked at: it is no news in the list
            organising.see(page.person(request), conversation=found.conversation)
        context["allowance"] = allowance.of(request, model=found.conversation.model)
        context["row"] = page.row_of(found.conversation, running=turn.active)
    return render(request, "chat/_message.html", context)


@require_safe
@signed_in
def source(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The words of one turn as they were written: an answer's are Markdown."""
    found = queries.message_for(page.person(request), uuid)
    return HttpResponse(found.text, content_type="text/plain; charset=utf-8")


@never_cache
@require_safe
@signed_in
def limit(request: HttpRequest) -> HttpResponse:
    """What is left for a model (`?model=`) and whether a limit is in the way: for a page that chooses another or comes back to sight."""
    named = given(request, "model", length=200)
    model = next((each for each in page.models_of(request) if each.slug == named), None)
    return HttpResponse(allowance.html(request, model=model))


@never_cache
@require_safe
@signed_in
def token(request: HttpRequest) -> HttpResponse:
    """Who is signed in here now and a token for forms: what a page that stood open for long asks before it sends again."""
    return JsonResponse({"person": str(page.person(request).uuid), "csrf": get_token(request)})


@require_safe
@signed_in
def details(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What was sent to the model for an answer, and what it took."""
    found = queries.message_for(page.person(request), uuid)
    queries.dress([found])
    generation: Generation | None = getattr(found, "generation", None)
    read_back = sent.of(generation) if generation else None
    context = {"message": found, "generation": generation, "sent": read_back}
    alone = request.GET.get("part") == "details"
    return render(request, "chat/_details.html" if alone else "chat/details.html", context)


@require_safe
@signed_in
def state(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The cheap question of a second tab: has this conversation changed, is something being written?"""
    found = queries.conversation_for(page.person(request), uuid)
    active = Generation.objects.filter(conversation=found, state__in=ACTIVE).values_list("uuid", flat=True).first()
    return JsonResponse({"version": found.version, "title": found.title, "generation_id": active})


@require_safe
@signed_in
def generation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The state of a generation and where to poll it."""
    found = queries.generation_for(page.person(request), uuid)
    session = request.session.session_key or ""
    url = live.poll_url(found, session_key=session, user=page.person(request))
    return JsonResponse({"state": found.state, "message_id": str(found.message.uuid), "poll_url": url})
