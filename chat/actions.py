"""What is done: send, edit, regenerate, continue, retry, stop. Each view reads the request and calls one verb.

Programs (and our scripts) get JSON; a plain form gets the conversation, or the page again with the text kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import house_rules, maintenance
from accounts.middleware import organisation_of
from accounts.refusals import wants_json
from chat import allowance, forms, fresh, live, messages, page, queries, turned_away
from chat.models import Conversation, Message
from chat.views import refusal, signed_in, whole_page
from chat.watch import watcher
from providers import access
from providers.models import LanguageModel

Verb = Callable[[forms.Asked], messages.Sent]


@require_POST
@signed_in
def send(request: HttpRequest) -> HttpResponse:
    """Asks a question, in a new conversation or at the leaf of one."""
    user = page.person(request)
    home: list[Conversation] = []

    def verb(asked: forms.Asked) -> messages.Sent:
        home.extend([queries.conversation_for(user, asked.conversation)] if asked.conversation else [])
        return messages.send(
            user,
            text=asked.text,
            client_id=asked.client_id,
            conversation=home[0] if home else None,
            model=_model(request, asked),
            version=asked.version,
            mode=asked.mode,
            temporary=asked.temporary,
        )

    return _carried_out(request, verb, home=home)


@require_POST
@signed_in
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Asks a question anew, in other words."""
    found = queries.message_for(page.person(request), uuid)

    def verb(asked: forms.Asked) -> messages.Sent:
        return messages.edit(
            found.conversation.user,
            message=found,
            text=asked.text,
            client_id=asked.client_id,
            model=_model(request, asked),
            mode=asked.mode,
        )

    return _carried_out(request, verb, home=[found.conversation], question=found)


@require_POST
@signed_in
def regenerate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Another answer to the same question, by another model if one is named."""
    found = queries.message_for(page.person(request), uuid)

    def verb(asked: forms.Asked) -> messages.Sent:
        user, model = page.person(request), _model(request, asked)
        return messages.regenerate(user, message=found, client_id=asked.client_id, model=model, mode=asked.mode)

    return _carried_out(request, verb, home=[found.conversation])


@require_POST
@signed_in
def continue_(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Goes on writing an answer that is not finished."""
    found = queries.message_for(page.person(request), uuid)

    def verb(asked: forms.Asked) -> messages.Sent:
        return messages.continue_(page.person(request), message=found, client_id=asked.client_id)

    return _carried_out(request, verb, home=[found.conversation])


@require_POST
@signed_in
def retry(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Tries a failed answer again."""
    found = queries.message_for(page.person(request), uuid)

    def verb(asked: forms.Asked) -> messages.Sent:
        return messages.retry(page.person(request), message=found, client_id=asked.client_id)

    return _carried_out(request, verb, home=[found.conversation])


@require_POST
@signed_in
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Stops an answer; harmless when repeated or too late."""
    user = page.person(request)
    found = queries.generation_for(user, uuid)
    messages.cancel(user, generation=found)
    if wants_json(request):
        found.refresh_from_db(fields=["state"])
        return JsonResponse({"state": found.state}, status=202)
    return HttpResponseRedirect(_address(found.conversation, answer=found.message))


def _model(request: HttpRequest, asked: forms.Asked) -> LanguageModel | None:
    """The model that was named; one that is unknown or not the person's gives the same refusal."""
    if not asked.model:
        return None
    found = access.model_for(page.person(request), asked.model)
    if found is None:
        raise messages.Refused(422, "no_model", _("No such model is available to you."))
    return found


def _named(request: HttpRequest, asked: forms.Asked, *, home: list[Conversation]) -> LanguageModel | None:
    """The model that was meant: the one that was named, else the conversation's, else the first."""
    models = page.models_of(request)
    known = [
        each for each in models if each.slug == asked.model or (home and not asked.model and each == home[0].model)
    ]
    return next(iter([*known, *models]), None)


def _carried_out(
    request: HttpRequest, verb: Verb, *, home: list[Conversation], question: Message | None = None
) -> HttpResponse:
    """Reads the request, carries the verb out, answers in the caller's shape."""
    asked = forms.Asked()
    try:
        asked = forms.read(request)
        _not_in_maintenance(request)
        _read_the_rules(request)
        sent = verb(asked)
    except messages.Refused as refused:
        mine = vars(request)["request_id"]
        turned_away.note(page.person(request), refused, request_id=mine, model=asked.model)
        if wants_json(request) or request.content_type == "application/json":
            refused.extra |= allowance.told(refused, request=request, model=_named(request, asked, home=home))
            return refusal(request, refused)
        # The same key again would be the same refused send only if the words are the same: a new key is never wrong.
        return whole_page(
            request,
            conversation=home[0] if home else None,
            question=question,
            text=asked.text,
            refused=refused,
            model=_named(request, asked, home=home),
            mode=asked.mode,
        )
    if wants_json(request):
        return JsonResponse(_accepted(request, sent), status=202)
    return HttpResponseRedirect(_address(sent.conversation, answer=sent.answer), status=303)


def _not_in_maintenance(request: HttpRequest) -> None:
    """While there is maintenance nothing new begins, except what staff sends. What was sent goes on."""
    organisation = organisation_of(request)
    if maintenance.stops(page.person(request), organisation=organisation):
        seconds = maintenance.retry_after(organisation)
        raise messages.Refused(503, "maintenance", maintenance.words(organisation), {"retry_after": seconds})


def _read_the_rules(request: HttpRequest) -> None:
    """Nothing is sent before the person has agreed to the present house rules; history reads all the same."""
    if house_rules.to_read(page.person(request), organisation=organisation_of(request)):
        raise messages.Refused(
            403,
            "house_rules",
            _("Read the house rules first. Reload the page if they do not stand above the box; your text is kept."),
        )


def _accepted(request: HttpRequest, sent: messages.Sent) -> dict[str, Any]:
    """What the page needs to go on: ids, where to poll, and the turns as the full page shows them."""
    question = sent.question
    shown = [each for each in (question, sent.answer) if each is not None]
    turns = [page.turn_of(request, each, generation=sent.generation) for each in shown]
    session, user = request.session.session_key or "", page.person(request)
    if not sent.repeated:
        watcher.expect(sent.generation, right=(session, user.pk, user.session_version))
    return {
        "conversation_id": str(sent.conversation.uuid),
        "message_id": str(sent.answer.uuid),
        "generation_id": str(sent.generation.uuid),
        "poll_url": live.poll_url(sent.generation, session_key=session, user=user),
        "question_id": str(question.uuid) if question else None,
        "conversation_url": reverse("chat:conversation", args=[sent.conversation.uuid]),
        "version": sent.conversation.version,
        "html": fresh.html(request, turns),
        "row": page.row_of(sent.conversation, running=True),
    }


def _address(conversation: Conversation, *, answer: Message) -> str:
    return f"{reverse('chat:conversation', args=[conversation.uuid])}#m-{answer.uuid}"
