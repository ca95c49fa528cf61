"""The verbs before the queue: send, edit, regenerate, continue, retry, cancel. Everything is read first; one short transaction writes.

A repeat with the same `client_id` answers with the same rows; nothing here talks to a provider or waits for a broker.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError
from django.utils.translation import gettext as _

from accounts import clock
from accounts.models import User
from accounts.prepared import fetch
from chat import bell, endings, placing, retention
from chat.doors import PAGE, Door
from chat.models import ACTIVE, Conversation, Generation, Message
from chat.placing import Plan
from chat.refusals import Refused, counted, moved_on
from providers import access, modes
from providers.models import LanguageModel

__all__ = ["Refused", "Sent", "cancel", "continue_", "edit", "moved_on", "new_client_id", "regenerate", "retry", "send"]
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.:-]{8,64}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Sent:
    """The rows of a verb; `repeated` when an earlier request with the same `client_id` made them."""

    conversation: Conversation
    question: Message | None
    answer: Message
    generation: Generation
    repeated: bool = False


@counted
def send(
    user: User,
    *,
    text: str,
    client_id: str,
    conversation: Conversation | None = None,
    model: LanguageModel | None = None,
    version: int | None = None,
    door: Door = PAGE,
    mode: str = "",
    temporary: bool = False,
) -> Sent:
    """Asks a question, in a new conversation (a `temporary` one goes by itself after some hours) or at the leaf of one.

    `mode`: the key of one of the model's modes; without one the conversation's, else the model's first.
    `version` is the conversation's version that the sender saw: another one is refused with `moved_on`.
    """
    _check_text(text)
    asked = ["send", str(conversation.uuid) if conversation else None, text, model.slug if model else None]
    asked += ["temporary"] if temporary else []

    def plan(digest: str) -> Plan:
        chosen = _model(user, model, conversation, door)
        way = _mode(chosen, mode, conversation.mode if conversation else "")
        parent = _leaf(conversation) if conversation else None
        ends = retention.ends_of_temporary(clock.now()) if temporary and conversation is None else None
        home = conversation or Conversation(user=user, title=_first_words(text), model=chosen, expires_at=ends)
        if version is not None and conversation and conversation.version != version:
            raise moved_on()
        return _with_question(
            user, client_id, digest, chosen, way, home, parent, text, door, is_new=conversation is None
        )

    return _once(user, client_id=client_id, asked=[*asked, *_said(mode)], plan=plan, conversation=conversation)


@counted
def edit(
    user: User,
    *,
    message: Message,
    text: str,
    client_id: str,
    model: LanguageModel | None = None,
    door: Door = PAGE,
    mode: str = "",
) -> Sent:
    """Asks a question anew: a sibling of `message`, with an answer of its own. The old branch stays."""
    _check_text(text)
    if message.role != Message.Role.USER:
        raise Refused(422, "not_a_question", _("Only a question can be edited."))
    conversation = message.conversation

    def plan(digest: str) -> Plan:
        chosen = _model(user, model, conversation, door)
        way = _mode(chosen, mode, conversation.mode)
        return _with_question(
            user, client_id, digest, chosen, way, conversation, message.parent, text, door, is_new=False
        )

    asked = ["edit", str(message.uuid), text, model.slug if model else None, *_said(mode)]
    return _once(user, client_id=client_id, asked=asked, plan=plan, conversation=conversation)


@counted
def regenerate(
    user: User,
    *,
    message: Message,
    client_id: str,
    model: LanguageModel | None = None,
    door: Door = PAGE,
    mode: str = "",
) -> Sent:
    """Writes another answer to the same question, in the mode of the old one if none is named; that one stays as a sibling."""
    _check_answer(message)
    asked = ["regenerate", str(message.uuid), model.slug if model else None, *_said(mode)]
    return _beside(user, message=message, client_id=client_id, model=model, asked=asked, door=door, mode=mode)


def _beside(
    user: User,
    *,
    message: Message,
    client_id: str,
    model: LanguageModel | None,
    asked: list[str | None],
    door: Door,
    mode: str = "",
) -> Sent:
    conversation = message.conversation

    def plan(digest: str) -> Plan:
        chosen = _model(user, model, conversation, door)
        requests = Generation.objects.filter(message=message).order_by("-pk").values_list("request", flat=True)
        way = _mode(chosen, mode, _mode_of(requests.first())) if chosen.modes else _mode(chosen, mode, "")
        answer = Message(
            conversation=conversation, parent=message.parent, depth=message.depth, role=Message.Role.ASSISTANT
        )
        return Plan(
            user,
            client_id,
            digest,
            chosen,
            conversation,
            False,
            conversation.version,
            None,
            answer,
            True,
            0,
            door,
            mode=way,
        )

    return _once(user, client_id=client_id, asked=asked, plan=plan, conversation=conversation)


@counted
def continue_(user: User, *, message: Message, client_id: str, door: Door = PAGE) -> Sent:
    """Goes on writing an answer that is not finished: a further generation of the same message."""
    _check_answer(message)
    return _again(user, message=message, client_id=client_id, verb="continue", door=door)


@counted
def retry(user: User, *, message: Message, client_id: str, door: Door = PAGE) -> Sent:
    """Tries an answer again: the same message while it is empty, else another answer beside it."""
    _check_answer(message)
    if message.text:  # asked under its own name: a repeat that comes after the answer is still the same retry
        asked = ["retry", str(message.uuid)]
        return _beside(user, message=message, client_id=client_id, model=None, asked=[*asked], door=door)
    return _again(user, message=message, client_id=client_id, verb="retry", door=door)


def cancel(user: User, *, generation: Generation) -> None:
    """Stops an answer: at once while it is queued, else its worker is told. Harmless when repeated or too late."""
    now = clock.now()
    for _attempt in range(3):  # it may go to a worker, or back to the queue, between the two looks
        if endings.cancel_queued(generation.pk, now=now):
            return
        running = Generation.objects.filter(pk=generation.pk, user=user, state__in=Generation.HELD)
        if running.filter(cancel_requested_at=None).update(cancel_requested_at=now):
            bell.ring_on_commit()
            return
        if not Generation.objects.filter(pk=generation.pk, state__in=ACTIVE, cancel_requested_at=None).exists():
            return


# --- the parts of a verb ------------------------------------------------------------------------------------------------


def _check_text(text: str) -> None:
    if _UNSTORABLE.search(text):
        raise Refused(400, "bad_text", _("The text has characters that can't be stored."))
    if not text.strip():
        raise Refused(422, "empty", _("Write a question first."))
    if len(text) > settings.MAX_QUESTION_CHARS:
        raise Refused(
            413, "too_long", _("The question is too long: at most %d characters.") % settings.MAX_QUESTION_CHARS
        )


def _check_answer(message: Message) -> None:
    if message.role != Message.Role.ASSISTANT:
        raise Refused(422, "not_an_answer", _("This works on an answer only."))


def _busy(active: Generation) -> Refused:
    return Refused(
        409, "busy", _("An answer is still being written in this conversation."), {"generation_id": str(active.uuid)}
    )


def _model(user: User, model: LanguageModel | None, conversation: Conversation | None, door: Door) -> LanguageModel:
    """The model asked for, if this person may use it now; without one the conversation's, else the default."""
    if model is not None:
        now = access.model_for(user, model.slug)
        if now is None or now.pk != model.pk or not door.lets(model.slug):
            raise _no_model()
        return model
    wanted = conversation.model if conversation else None
    found = access.model_for(user, wanted.slug if wanted else None)
    if found is None:
        found = access.model_for(user, None)  # the conversation's model is gone: the default takes over
    if found is not None and not door.lets(found.slug):
        found = next((each for each in access.choices_for(user) if door.lets(each.slug)), None)
    if found is None:
        raise _no_model()
    return found


def _no_model() -> Refused:
    return Refused(422, "no_model", _("No such model is available to you."))


def _mode(model: LanguageModel, wanted: str, remembered: str) -> str:
    """The mode asked for, if the model has it now; without one the remembered one, else the model's first."""
    if wanted and modes.named(model, wanted) is None:
        text = _("This model has no such mode. Your text is kept; reload the page to see the modes that it has.")
        raise Refused(422, "no_mode", text)
    return wanted or modes.usual(model, remembered)


def _mode_of(request: object) -> str:
    """What a generation's request says of its mode."""
    return str(request.get("mode") or "") if isinstance(request, dict) else ""


def _said(mode: str) -> list[str]:
    """Part of what tells one request from another."""
    return [f"mode {mode}"] if mode else []


def _leaf(conversation: Conversation) -> Message | None:
    return conversation.leaf


def _first_words(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59].rstrip() + "…"


def _with_question(
    user: User, client_id: str, digest: str, model: LanguageModel, mode: str, home: Conversation,
    parent: Message | None, text: str, door: Door, *, is_new: bool,
) -> Plan:  # fmt: skip
    depth = parent.depth + 1 if parent else 0
    question = Message(conversation=home, parent=parent, depth=depth, role=Message.Role.USER, text=text)
    answer = Message(conversation=home, parent=question, depth=depth + 1, role=Message.Role.ASSISTANT)
    return Plan(user, client_id, digest, model, home, is_new, home.version, question, answer, True, 0, door, mode=mode)


def _again(user: User, *, message: Message, client_id: str, verb: str, door: Door) -> Sent:
    conversation = message.conversation

    def plan(digest: str) -> Plan:
        if _grown(message):
            raise moved_on()  # the last generation ended while we looked: what it wrote must not be written over
        last = Generation.objects.filter(message=message).order_by("-pk").select_related("model").first()
        same = access.model_for(user, last.model.slug) if last and last.model else None
        chosen = _model(user, same if same and door.lets(same.slug) else None, conversation, door)
        way = _mode(chosen, "", _mode_of(last.request if last else None))
        return Plan(
            user, client_id, digest, chosen, conversation, False, conversation.version, None, message, False,
            len(message.text), door, leaf_moves=False, mode=way,
        )  # fmt: skip

    return _once(user, client_id=client_id, asked=[verb, str(message.uuid)], plan=plan, conversation=conversation)


def _grown(message: Message) -> bool:
    return Message.objects.filter(pk=message.pk).exclude(text=message.text).exists()


def _once(
    user: User,
    *,
    client_id: str,
    asked: list[str | None],
    plan: Callable[[str], Plan],
    conversation: Conversation | None,
) -> Sent:
    """Carries a verb out exactly once per (person, client_id)."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise Refused(422, "bad_client_id", _("client_id must be 8 to 64 letters, digits, '-', '_', '.' or ':'."))
    digest = hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode()).hexdigest()
    for _attempt in range(5):
        if before := _repeated(user, client_id=client_id, digest=digest):
            return before
        if conversation is not None:
            _refuse_if_busy(conversation)
        try:
            return _placed(plan(digest))
        except (IntegrityError, placing.MovedError):
            # Somebody was first: the same send, another send, or a change of the leaf. Look again, decide anew.
            if conversation is not None:
                conversation.refresh_from_db()
    if conversation is not None:
        _refuse_if_busy(conversation)
    raise moved_on()


def _placed(plan: Plan) -> Sent:
    generation = placing.place(plan, now=clock.now())
    return Sent(plan.conversation, plan.question or plan.answer.parent, plan.answer, generation)


def _repeated(user: User, *, client_id: str, digest: str) -> Sent | None:
    if not fetch("SELECT 1 FROM chat_generation WHERE user_id = %s AND client_id = %s", user.pk, client_id):
        return None  # nearly always: no reason to join four tables
    mine = Generation.objects.filter(user=user, client_id=client_id)
    before = mine.select_related("conversation", "message__parent", "model").get()
    if before.request_hash != digest:
        raise Refused(422, "client_id_reused", _("This client_id was used for another text."))
    answer = before.message
    return Sent(before.conversation, answer.parent, answer, before, repeated=True)


def _refuse_if_busy(conversation: Conversation) -> None:
    active = Generation.objects.filter(conversation=conversation, lane=0, state__in=ACTIVE).first()
    if active is not None:
        raise _busy(active)


def new_client_id() -> str:
    """For callers that have no key of their own to repeat with (a form without scripts)."""
    return uuid.uuid4().hex
