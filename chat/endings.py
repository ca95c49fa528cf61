"""How a generation ends: one guarded transaction for state, text, usage, hold and call row, whoever ends it.

The worker, the reaper and a cancel of a queued question all end through here. A generation that somebody else has ended or
taken over is left untouched (zero rows is a normal answer).
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q

from accounts import clock
from accounts.models import Team
from accounts.prepared import execute, fetch, marks
from chat import notify, rendering, story
from chat.models import Delta, Generation
from usage import call_lines, estimates, invocations, quotas
from usage.call_lines import CallLine
from usage.models import Invocation
from usage.rollups import Tally

State = Generation.State


@dataclass(frozen=True)
class Tokens:
    """What a call took, in tokens; `estimated` when the provider did not say."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False


@dataclass
class Ending:
    """How one generation is to end. `generation` is loaded with `LOADED`; `text` is the whole message (None: leave it)."""

    generation: Generation
    state: str
    kind: str = ""
    finish_reason: str = ""
    text: str | None = None
    reasoning: str | None = None
    html: list[str] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)
    charged: bool = True
    ttft_ms: int | None = None
    last_seq: int | None = None  # of the live text, when the worker knows it
    lines: list[CallLine] = field(default_factory=list)  # what was out of the ordinary


LOST = ("worker_lost", "poisoned")
LOADED = ("user", "model", "provider", "message")


def finish(endings: Iterable[Ending], *, owner: uuid.UUID) -> set[int]:
    """Ends generations that `owner` holds, in one transaction; returns the ids that were still its own."""
    now = clock.now()

    def held(ending: Ending) -> Guard:
        if not settings.ENGINE_FENCE:
            return "true", ()
        return _FENCE, (ending.generation.attempt, owner, now)

    return _end(endings, held=held, now=now)


# The compare in compare-and-set: the rest of a WHERE, and its values.
Guard = tuple[str, tuple[Any, ...]]
_FENCE = "attempt = %s AND state IN ('running', 'streaming') AND lease_owner = %s AND lease_expires_at > %s"
_CLOSE = """
UPDATE chat_generation SET state = %s, revision = revision + %s, error_kind = %s, finish_reason = %s, input_tokens = %s,
    output_tokens = %s, cached_tokens = %s, reasoning_tokens = %s, usage_estimated = %s, lease_owner = NULL,
    lease_expires_at = NULL, next_attempt_at = NULL, finished_at = %s
WHERE id = %s AND {guard}
"""
_CUT = """
UPDATE chat_generation SET input_tokens = %s, output_tokens = %s, cached_tokens = %s, reasoning_tokens = %s WHERE id = %s
"""
_WRITE = "UPDATE chat_message SET text = %s, reasoning = %s, html = {json}, html_version = %s WHERE id = %s"
_CONVERSATIONS = """
UPDATE chat_conversation SET finished_at = %s,
    title_due_at = CASE WHEN title_state = 'none' AND id IN ({titled}) THEN %s ELSE title_due_at END,
    title_state = CASE WHEN title_state = 'none' AND id IN ({titled}) THEN 'pending' ELSE title_state END
WHERE id IN ({all})
"""


def _end(endings: Iterable[Ending], *, held: Callable[[Ending], Guard], now: dt.datetime) -> set[int]:
    taken: list[Ending] = []
    with transaction.atomic(savepoint=False):  # within a group of the writer's: all or nothing
        for ending in sorted(endings, key=lambda e: e.generation.pk):  # one order for all: no deadlocks
            if _close(ending, held=held(ending), now=now):
                taken.append(ending)
        _book(taken, now=now)
    return {ending.generation.pk for ending in taken}


def _close(ending: Ending, *, held: Guard, now: dt.datetime) -> bool:
    generation, tokens = ending.generation, ending.tokens
    last = _last_seq(generation) if ending.last_seq is None else ending.last_seq
    guard, values = held
    spent = (tokens.input, tokens.output, tokens.cached, tokens.reasoning, tokens.estimated)
    set_to = (ending.state, last + 1, ending.kind, ending.finish_reason, *spent, now)
    if not execute(_CLOSE.format(guard=guard), *set_to, generation.pk, *values):
        return False
    if ending.text is not None:
        as_json = "%s::jsonb" if connection.vendor == "postgresql" else "%s"
        html = json.dumps(ending.html)
        written = (ending.text, ending.reasoning or "", html, rendering.HTML_VERSION, generation.message_id)
        execute(_WRITE.format(json=as_json), *written)
    return True


def _last_seq(generation: Generation) -> int:
    rows = fetch("SELECT MAX(seq) FROM chat_delta WHERE generation_id = %s", generation.pk)
    return rows[0][0] or 0


def _book(taken: list[Ending], *, now: dt.datetime) -> None:
    """What follows for all that ended: live text goes, holds close, calls are counted, titles become due."""
    if not taken:
        return
    notify.readers()
    ids = [e.generation.pk for e in taken]
    execute(f"DELETE FROM chat_delta WHERE generation_id IN ({marks(ids)})", *ids)  # noqa: S608  # placeholders only
    # One active answer a conversation: nobody else ends one here at the same time, so the order of these rows is free.
    every = sorted({e.generation.conversation_id for e in taken})
    titled = sorted({e.generation.conversation_id for e in taken if e.state == State.DONE and settings.TITLES}) or [0]
    sql = _CONVERSATIONS.format(titled=marks(titled), all=marks(every))
    execute(sql, now, *titled, now, *titled, *every)
    _account(taken, now=now)


def _account(taken: list[Ending], *, now: dt.datetime) -> None:
    """Holds are closed, calls counted, the ledger written: last, because others wait for the counters of shared limits."""
    names = _team_names({e.generation.team for e in taken if e.generation.team})
    calls = {e.generation.pk: _invocation(e, teams=names, now=now) for e in taken}
    tally = Tally()
    quotas.settle([calls[e.generation.pk] for e in taken if e.charged], now=now, tally=tally)
    quotas.release([e.generation.uuid for e in taken if not e.charged], now=now)
    invocations.record(calls.values(), tally=tally)
    call_lines.write([line for e in taken for line in e.lines])
    for ending in taken:
        call, tokens = calls[ending.generation.pk], ending.tokens
        if (call.input_tokens, call.output_tokens) != (tokens.input, tokens.output):
            execute(
                _CUT,
                call.input_tokens,
                call.output_tokens,
                call.cached_tokens,
                call.reasoning_tokens,
                ending.generation.pk,
            )


def _team_names(teams: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    return dict(Team.objects.filter(uuid__in=teams).values_list("uuid", "name")) if teams else {}


def _ms(start: dt.datetime | None, end: dt.datetime | None) -> int | None:
    return None if start is None or end is None else max(0, round((end - start).total_seconds() * 1000))


def _invocation(ending: Ending, *, teams: dict[uuid.UUID, str], now: dt.datetime) -> Invocation:
    generation, tokens = ending.generation, ending.tokens
    user, model, provider = generation.user, generation.model, generation.provider
    return Invocation(
        request_id=generation.uuid,
        source=generation.source,
        person=user.uuid,
        person_name=user.get_full_name(),
        team=generation.team,
        team_name=teams.get(generation.team, "") if generation.team else "",
        key=generation.key,
        provider=provider.uuid if provider else None,
        provider_name=provider.name if provider else "",
        model=model.uuid if model else None,
        model_name=model.name if model else "",
        created_at=generation.created_at,
        finished_at=now,
        queue_ms=_ms(generation.created_at, generation.started_at),
        ttft_ms=ending.ttft_ms,
        duration_ms=_ms(generation.created_at, now) or 0,
        outcome=ending.state,
        error_kind=ending.kind,
        attempts=generation.attempt,
        tries=generation.tries,
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
        estimated=tokens.estimated,
    )


# --- ended by somebody who is not the worker -----------------------------------------------------------------------------


def cancel_queued(generation_id: int, *, now: dt.datetime) -> bool:
    """Ends a question that no worker has taken: True when it did."""
    generation = (
        Generation.objects.select_related(*LOADED).filter(pk=generation_id, state__in=("queued", "waiting")).first()
    )
    if generation is None:
        return False
    ending = Ending(generation, State.CANCELLED, charged=generation.dispatched, tokens=_spent(generation, written=""))
    return bool(_end([ending], held=lambda e: ("state IN ('queued', 'waiting')", ()), now=now))


def abandon(generation: Generation, *, state: str, kind: str, guard: Q, now: dt.datetime) -> bool:
    """Ends a generation whose worker is gone or late, keeping the live text that was written. `guard` is the compare in compare-and-set."""
    with transaction.atomic():
        # The guarded update comes first: after it nobody writes live text, so that what is read next is all there is.
        same = {"attempt": generation.attempt, "state": generation.state, "dispatched": generation.dispatched}
        locked = Generation.objects.filter(guard, pk=generation.pk, **same)
        if not locked.update(lease_expires_at=F("lease_expires_at")):
            return False
        text, reasoning = live_text(generation)
        written = text[generation.start_offset :]
        ending = Ending(
            generation,
            state,
            kind=kind,
            text=text,
            reasoning=reasoning,
            html=rendering.render(text),
            tokens=_spent(generation, written=written + reasoning),
            charged=generation.dispatched,
            lines=[story.line(generation, call_lines.Kind.LOST, at=now, reason=kind)] if kind in LOST else [],
        )
        still = "attempt = %s AND state = %s", (generation.attempt, generation.state)
        return bool(_end([ending], held=lambda e: still, now=now))


def count_lost(generation: Generation, *, now: dt.datetime) -> None:
    """A try that went out is over without an answer, and its provider may bill the prompt: part of what queues it again."""
    prompt = Tokens(input=_sent_tokens(generation), estimated=True)
    names = _team_names({generation.team} if generation.team else set())
    quotas.count_lost(_invocation(Ending(generation, State.INTERRUPTED, tokens=prompt), teams=names, now=now), now=now)


def live_text(generation: Generation) -> tuple[str, str]:
    """The message's text and reasoning as readers see them now: what is stored and the live text after it."""
    text, reasoning = [generation.message.text[: generation.start_offset]], [generation.message.reasoning]
    for kind, piece in generation.deltas.order_by("seq").values_list("kind", "text"):
        (reasoning if kind == Delta.Kind.REASONING else text).append(piece)
    return "".join(text), "".join(reasoning)


def _spent(generation: Generation, *, written: str) -> Tokens:
    """The estimate for a call of which the provider has not said what it took."""
    if not generation.dispatched:
        return Tokens()
    return Tokens(input=_sent_tokens(generation), output=estimates.tokens(written), estimated=True)


def _sent_tokens(generation: Generation) -> int:
    return int(generation.request.get("sent", {}).get("tokens", 0))
