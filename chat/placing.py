"""Puts a planned question into the queue: limits are read, then one short transaction writes all of it or nothing.

Where a limit refuses: its other model is tried if it names one; a question that fails only because running answers hold the rest
waits without a hold (chat.waiting); everything else is refused.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.prepared import Insert, execute
from chat import bell, holds, limit_words
from chat.doors import Door
from chat.models import Conversation, Generation, Message
from providers import access, modes
from providers.models import LanguageModel
from usage import metrics, quotas
from usage.models import Source

_insert_conversation = Insert(Conversation)
_insert_message = Insert(Message)
_insert_generation = Insert(Generation)
_MOVE = """
UPDATE chat_conversation SET version = %s, updated_at = %s, model_id = %s, mode = %s, leaf_id = COALESCE(%s, leaf_id)
WHERE id = %s AND version = %s AND deleted_at IS NULL
    AND EXISTS (SELECT 1 FROM accounts_user WHERE id = chat_conversation.user_id AND is_active)
"""
# So many questions of a person may wait for allowance; the next one is refused.
MOST_WAITING = 8
# Where nobody knows how long this model's answers take, those that hold the rest of a limit are over in about this (seconds).
SETTLES_S = 10.0
State = Generation.State


@dataclass
class Plan:
    """What the transaction will write; built by each verb from what it read."""

    user: User
    client_id: str
    request_hash: str
    model: LanguageModel
    conversation: Conversation
    is_new: bool
    version: int
    question: Message | None
    answer: Message
    answer_is_new: bool
    start_offset: int
    door: Door
    leaf_moves: bool = True
    # One of the model's ways to ask it; empty where it has none.
    mode: str = ""
    # The model that was asked for, where its limit names another one.
    instead_of: LanguageModel | None = None


class MovedError(Exception):
    """The conversation's version is not the one that was read."""


def place(plan: Plan, *, now: dt.datetime) -> Generation:
    """The generation as queued, or as waiting. Raises chat.refusals.Refused, MovedError, IntegrityError (somebody was first)."""
    under = quotas.look(person=plan.user.uuid, key=plan.door.key, model=plan.model.uuid, now=now)
    try:
        return _write(plan, under=under, now=now)
    except quotas.LimitReached as reached:
        refused = reached
    other = _other_model(plan, refused)
    if other is not None:
        plan = replace(plan, model=other, instead_of=plan.model, mode=modes.usual(other, plan.mode))
        under = quotas.terms(under.standing, model=other.uuid, now=now)
        try:
            return _write(plan, under=under, now=now)
        except quotas.LimitReached as again:
            refused = again
    if refused.only_held and plan.door.source == Source.PAGE and waiting_of(plan.user) < MOST_WAITING:
        return _write(plan, under=under, now=now, waits=True)
    told = limit_words.refusal(
        refused, model=plan.model, zone=under.standing.time_zone, currency=under.standing.currency
    )
    told.retry_after = returns_in(refused, model=plan.model, now=now) if told.status == 429 else None
    raise told


def returns_in(refused: quotas.LimitReached, *, model: LanguageModel, now: dt.datetime) -> int | None:
    """Seconds until it is worth asking again: until the limit's next window, or until running answers have likely settled."""
    resets = refused.limit.resets_at
    if refused.only_held:
        usual = metrics.mean_seconds([model.uuid], now=now).get(model.uuid, SETTLES_S)
        return max(1, math.ceil(usual))
    return None if resets is None else max(1, math.ceil((resets - now).total_seconds()))


def waiting_of(user: User) -> int:
    """How many questions of this person wait for allowance."""
    return Generation.objects.filter(user=user, state=State.WAITING).count()


def _other_model(plan: Plan, refused: quotas.LimitReached) -> LanguageModel | None:
    if refused.only_held or refused.switch_to is None or refused.switch_to == plan.model.uuid:
        return None
    found = access.model_for(plan.user, refused.switch_to)
    return found if found is not None and plan.door.lets(found.slug) else None


def _write(plan: Plan, *, under: quotas.Terms, now: dt.datetime, waits: bool = False) -> Generation:
    """The one transaction: question, answer, generation, the conversation's new leaf, and last the hold, which all wait for."""
    home = plan.conversation
    _stand(plan)
    size = holds.size(
        plan.answer, user_language=plan.user.language, user_zone=plan.user.time_zone, start_offset=plan.start_offset,
        model=plan.model, mode=plan.mode, standing=under.standing, now=now,
    )  # fmt: skip
    generation = _generation(plan, under=under, now=now)
    hold = holds.hold_for(generation, size=size, model=plan.model)
    generation.request["most"] = holds.most(hold)
    if waits:
        generation.state = State.WAITING
    with transaction.atomic():
        if plan.is_new:
            home.created_at = home.updated_at = now
            _insert_conversation(home)
        for message in (plan.question, plan.answer if plan.answer_is_new else None):
            if message is None:
                continue
            message.conversation, message.created_at, message.parent = home, now, message.parent
            _insert_message(message)
        generation.conversation, generation.message = home, plan.answer
        _insert_generation(generation)
        leaf = plan.answer.pk if plan.leaf_moves else None
        # Who is cut off while this is under way has sent nothing: the cut waits for the row of this send, or this sees it.
        if not execute(_MOVE, plan.version + 1, now, plan.model.pk, plan.mode, leaf, home.pk, plan.version):
            raise MovedError
        if not waits:
            given = quotas.reserve(hold, under=under, now=now)
            if given.output != hold.output:
                tell_most(generation, hold=given)
        bell.ring_on_commit()
    home.version, home.updated_at, home.model, home.mode = plan.version + 1, now, plan.model, plan.mode
    if plan.leaf_moves:
        home.leaf = plan.answer
    return generation


def _stand(plan: Plan) -> None:
    """New messages know how much stands before them."""
    if plan.question is not None:
        holds.follow(plan.question, parent=plan.question.parent)
    if plan.answer_is_new:
        holds.follow(plan.answer, parent=plan.question or plan.answer.parent)


def _generation(plan: Plan, *, under: quotas.Terms, now: dt.datetime) -> Generation:
    asked = {} if plan.instead_of is None else {"asked_model": plan.instead_of.slug}
    if plan.mode:
        asked["mode"] = plan.mode
    return Generation(
        user=plan.user,
        client_id=plan.client_id,
        request_hash=plan.request_hash,
        model=plan.model,
        source=plan.door.source,
        key=plan.door.key,
        team=under.standing.team,
        start_offset=plan.start_offset,
        request={"model": plan.model.slug, **asked},
        created_at=now,
        deadline_at=now + dt.timedelta(seconds=settings.DEADLINE_S),
    )


def tell_most(generation: Generation, *, hold: quotas.Hold) -> None:
    """Its answer has to be shorter than was asked for."""
    generation.request = {**generation.request, "most": holds.most(hold)}
    Generation.objects.filter(pk=generation.pk).update(request=generation.request)
