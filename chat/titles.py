"""Titles: a cheap call on the worker once the first answer is done. Counted like any call; at most two tries; then the first words stay."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import close_old_connections, transaction

from accounts import clock, log_ids
from accounts.prepared import execute, fetch
from chat import durability, holds, rendering
from chat.models import Conversation, Message
from providers import breaker, client, endpoints, modes
from providers.failures import Failure
from usage import estimates, invocations, quotas
from usage.models import Invocation, Source
from usage.rollups import Tally

if TYPE_CHECKING:
    from chat.generation import Services
    from providers.models import ModelRoute

log = logging.getLogger(__name__)
TRIES = 2
PATIENCE_S = 60
MOST_CHARS = 80
MOST_TOKENS = 64
ASK = (
    "Write a title for this conversation: at most six words (or 14 Chinese characters), in the language of the question, "
    "without quotation marks, without a full stop. Answer with the title only."
)
State = Conversation.TitleState
_SOME = "SELECT 1 FROM chat_conversation WHERE title_state = 'pending' AND title_due_at <= %s LIMIT 1"
_TAKE = "UPDATE chat_conversation SET {then} WHERE id = %s AND title_state = 'pending' AND title_due_at = %s"
_STORE = """
UPDATE chat_conversation SET title = %s, title_state = 'made', title_due_at = NULL WHERE id = %s AND title_state = 'pending'
"""
# The first question and the first answer: other branches of the same question come after them.
_BEGINNING = "SELECT role, substr(text, 1, 600) FROM chat_message WHERE conversation_id = %s ORDER BY id LIMIT 4"


@dataclass(frozen=True)
class Wanted:
    """A title to be made: `request_id` ties its hold and its call row together."""

    conversation: Conversation
    route: ModelRoute
    question: str
    answer: str
    request_id: uuid.UUID
    terms: quotas.Terms


def claim(*, limit: int) -> list[Wanted]:
    """Takes titles that are due; each is taken by one worker, and again (once) if that worker dies."""
    now = clock.now()
    if limit <= 0 or not fetch(_SOME, now):
        return []
    due = Conversation.objects.filter(title_state=State.PENDING, title_due_at__lte=now)
    rows = list(due.select_related("user", "model").order_by("title_due_at")[:limit])
    routes = {model: breaker.route_for(model) for model in {row.model for row in rows} if model is not None}
    prepared = [(row, _prepare(row, routes=routes.get(row.model, []) if row.model else [])) for row in rows]
    with transaction.atomic():  # everything was read before: the writer's place is held for a moment only
        return [wanted for conversation, wanted in prepared if _take(conversation, wanted=wanted) and wanted]


def _take(conversation: Conversation, *, wanted: Wanted | None) -> bool:
    """Makes the title this worker's, with a hold for its call; False when another worker was first, all tries are used, or a
    limit has no room for it: then the first words stay.
    """
    mine = (conversation.pk, conversation.title_due_at)
    if conversation.title_tries < TRIES:
        try:
            with transaction.atomic():
                return _take_and_hold(mine, wanted=wanted)
        except quotas.LimitReached:
            pass
    execute(_TAKE.format(then="title_state = 'given_up', title_due_at = NULL"), *mine)
    return False


def _take_and_hold(mine: tuple[int, dt.datetime | None], *, wanted: Wanted | None) -> bool:
    now = clock.now()
    later = now + dt.timedelta(seconds=PATIENCE_S)
    if not execute(_TAKE.format(then="title_tries = title_tries + 1, title_due_at = %s"), later, *mine):
        return False
    if wanted is not None:
        quotas.reserve(_hold(wanted), under=wanted.terms, now=now)
    return True


def _prepare(conversation: Conversation, *, routes: list[ModelRoute]) -> Wanted | None:
    first: dict[str, str] = {}
    for role, text in fetch(_BEGINNING, conversation.pk):
        first.setdefault(role, text)
    question = first.get(Message.Role.USER)
    if question is None or not routes:
        return None
    answer = rendering.plain(first.get(Message.Role.ASSISTANT, ""))
    model = conversation.model.uuid if conversation.model else None
    terms = quotas.look(person=conversation.user.uuid, key=None, model=model, now=clock.now())
    return Wanted(conversation, routes[0], question, answer, uuid.uuid4(), terms)


def _hold(wanted: Wanted) -> quotas.Hold:
    prompt = estimates.tokens(ASK + wanted.question + wanted.answer)
    return quotas.Hold(
        wanted.request_id,
        Source.TITLE,
        person=wanted.conversation.user.uuid,
        team=wanted.terms.standing.team,
        key=None,
        model=wanted.terms.model,
        input=prompt + prompt // holds.MARGIN + 1,
        output=MOST_TOKENS,
        requests=0,  # a title is nobody's question: it counts with what it takes
        lease_s=2 * PATIENCE_S,
        estimate=prompt,
    )


async def make(wanted: Wanted, *, services: Services) -> None:
    """Asks for the title and stores it. A failure leaves it due for the next try."""
    loop = asyncio.get_running_loop()
    log_ids.begin(generation=wanted.request_id)
    started = time.monotonic()
    pieces: list[str] = []
    usage: client.Usage | None = None
    kind = ""
    try:
        async with asyncio.timeout(PATIENCE_S / 2):
            endpoint = await loop.run_in_executor(services.titles, endpoints.endpoint_for, wanted.route.provider)
            usage = await _ask(wanted, endpoint=endpoint, pieces=pieces)
    except (Failure, TimeoutError) as error:
        kind = error.kind.value if isinstance(error, Failure) else "deadline"
        log.info("title of %s: %s", wanted.conversation.uuid, kind)
    took_ms = round((time.monotonic() - started) * 1000)
    await loop.run_in_executor(services.titles, _store, wanted, "".join(pieces), usage, kind, took_ms)


async def _ask(wanted: Wanted, *, endpoint: client.Endpoint, pieces: list[str]) -> client.Usage | None:
    asked = f"Question:\n{wanted.question}\n\nAnswer:\n{wanted.answer}"
    model = wanted.conversation.model
    request = client.ChatRequest(
        wanted.route.upstream_name,
        [{"role": "system", "content": ASK}, {"role": "user", "content": asked}],
        MOST_TOKENS,
        extra=modes.body(model, modes.usual(model)) if model else {},
    )
    limits = client.Limits(connect_s=settings.CONNECT_S, first_byte_s=PATIENCE_S / 2, gap_s=settings.GAP_S)
    length = 0
    async with contextlib.aclosing(client.stream(endpoint, request=request, limits=limits)) as stream:
        async for event in stream:
            if isinstance(event, client.Finished):
                return event.usage
            if isinstance(event, client.Text):
                pieces.append(event.text)
                length += len(event.text)
                if length > MOST_CHARS or "\n" in event.text.strip():
                    return None  # long enough: the rest would only cost
    return None


def clean(text: str) -> str:
    """A model's answer as a title: one line, no quotation marks or Markdown, at most MOST_CHARS characters; may be empty."""
    lines = rendering.plain(text).strip().splitlines()
    line = re.sub(r"^(title|标题)\s*[:：]\s*", "", lines[0] if lines else "", flags=re.IGNORECASE)
    line = " ".join(line.split()).strip(" \"'“”‘’「」《》*#.。")
    return line if len(line) <= MOST_CHARS else line[: MOST_CHARS - 1].rstrip() + "…"


def _store(wanted: Wanted, text: str, usage: client.Usage | None, kind: str, took_ms: int) -> None:
    close_old_connections()
    durability.relax()
    conversation, now = wanted.conversation, clock.now()
    title = clean(text)
    used = usage or client.Usage(
        estimates.tokens(ASK + wanted.question + wanted.answer), estimates.tokens(text) if text else 0
    )
    user, model, provider = conversation.user, conversation.model, wanted.route.provider
    with transaction.atomic():
        if title and not kind:
            execute(_STORE, title, conversation.pk)
        call = Invocation(
            request_id=wanted.request_id, source=Source.TITLE, person=user.uuid, person_name=user.get_full_name(),
            team=wanted.terms.standing.team, team_name=wanted.terms.standing.team_name,
            provider=provider.uuid, provider_name=provider.name, model=model.uuid if model else None,
            model_name=model.name if model else "", created_at=now - dt.timedelta(milliseconds=took_ms),
            finished_at=now, duration_ms=took_ms, outcome="failed" if kind else "done", error_kind=kind, attempts=1,
            input_tokens=used.input_tokens, output_tokens=used.output_tokens, cached_tokens=used.cached_tokens,
            reasoning_tokens=used.reasoning_tokens, estimated=usage is None,
        )  # fmt: skip
        tally = Tally()
        quotas.settle([call], now=now, tally=tally)
        invocations.record([call], tally=tally)
