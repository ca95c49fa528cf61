"""After the queue: one answer from its claim to its end, on the worker's loop. Nothing here touches the database itself:
reads go to the readers' threads, live text to the flusher, endings to the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections, connection

from accounts import clock, log_ids
from accounts.models import Organisation
from chat import claims, endings, prompts, queries, rendering, suspects
from chat.live_out import Channel, LiveOut
from chat.models import Delta, Generation
from chat.story import Story
from chat.writer import PATIENCE_S, Dispatch, Writer
from providers import breaker, client, endpoints, failures, modes
from providers.failures import Failure, Kind
from usage import estimates
from usage.call_lines import Kind as LineKind

log = logging.getLogger(__name__)
State = Generation.State
Why = Literal["cancel", "lost", "drain"]


@dataclass
class Services:
    """What an answer needs of its worker."""

    owner: uuid.UUID
    live_out: LiveOut
    writer: Writer
    noter: Writer
    readers: ThreadPoolExecutor
    titles: ThreadPoolExecutor
    suspects: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Plan:
    """One call: where, what, how long; and what is noted of it."""

    endpoint: client.Endpoint
    request: client.ChatRequest
    limits: client.Limits
    note: dict[str, Any]
    prompt_tokens: int
    seconds_left: float


@dataclass
class Written:
    """What has come so far."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finished: client.Finished | None = None
    first_at: float | None = None

    @property
    def shown(self) -> bool:
        return self.first_at is not None


def make_plan(claimed: claims.Claimed) -> Plan:
    """Reads the path, builds the prompt and resolves the provider (in a reader's thread)."""
    generation, route = claimed.generation, claimed.route
    if route is None:
        raise Failure(Kind(claimed.closed or Kind.NO_MODEL))
    model, user, now = route.model, generation.user, clock.now()
    held: dict[str, int] = generation.request.get("most", {})  # nothing goes out that is not covered
    organisation = Organisation.get()
    turns, older = queries.turns_for(generation, context_window=model.context_window)
    prompt = prompts.build(
        turns,
        asker=prompts.Asker(
            language=user.language or organisation.language,
            time_zone=user.time_zone or organisation.time_zone or settings.TIME_ZONE,
            instructions=organisation.instructions,
        ),
        now=now,
        context_window=model.context_window,
        max_output=min(model.max_output_tokens, held.get("output", model.max_output_tokens)),
        max_input=held.get("input"),
        continues=bool(generation.start_offset),
        older=older,
    )
    extra = modes.body(model, str(generation.request.get("mode") or ""))
    sent = {
        "model": route.upstream_name,
        "provider": route.provider.name,
        "system": prompt.system,
        "first": prompt.first,
        "messages": len(prompt.messages),
        "cut": prompt.cut,
        "tokens": prompt.tokens,
        "max_tokens": prompt.max_tokens,
        "continues": bool(generation.start_offset),
        "at": now.isoformat(timespec="seconds"),
        **({"body": extra} if extra else {}),
        **({"instead_of": claimed.instead_of} if claimed.instead_of else {}),
    }
    return Plan(
        endpoint=endpoints.endpoint_for(route.provider),
        request=client.ChatRequest(route.upstream_name, prompt.messages, prompt.max_tokens, extra=extra),
        limits=client.Limits(
            connect_s=settings.CONNECT_S,
            first_byte_s=model.first_byte_s or settings.FIRST_BYTE_S,
            gap_s=settings.GAP_S,
        ),
        note={**generation.request, "sent": sent},
        prompt_tokens=prompt.tokens,
        seconds_left=_seconds_left(generation),
    )


def _seconds_left(generation: Generation) -> float:
    """From the claim to the deadline, by the one reading of the clock that the claim was made with: it may have been set since."""
    assert generation.lease_expires_at is not None
    claimed_at = generation.lease_expires_at - dt.timedelta(seconds=settings.LEASE_S)
    return (generation.deadline_at - claimed_at).total_seconds()


class Answering:
    """One claimed generation at work. `stop` ends it from outside; `run` always comes to an end of its own."""

    def __init__(self, claimed: claims.Claimed, *, services: Services) -> None:
        self.claimed = claimed
        self.generation = claimed.generation
        self.services = services
        self.written = Written()
        self.story = Story(claimed.generation)
        self.dispatched = False
        self.prompt_tokens = 0
        self.stopped: Why | None = None
        self.started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._inner: asyncio.Task[None] | None = None
        self.suspect = suspects.Suspect(self.generation, owner=services.owner, lock=services.suspects, read=self._read)
        self.channel = Channel(
            self.generation.pk,
            self.generation.attempt,
            on_lost=self._lost,
        )

    def _lost(self) -> None:
        """Told by the flusher's thread."""
        self._loop.call_soon_threadsafe(self.stop, "lost")

    def stop(self, why: Why) -> None:
        """Ends the call: "cancel" (the person), "lost" (somebody else holds it now), "drain" (this worker stops)."""
        if self.stopped is None:
            self.stopped = why
            if self._inner is not None:
                self._inner.cancel()

    async def run(self) -> None:
        """From the claim to the end, whatever happens."""
        failure: Failure | None = None
        log_ids.begin(generation=self.generation.uuid, person=self.generation.user.uuid)
        try:
            if self.stopped is None:
                self._inner = asyncio.create_task(self._ask())
                await self._inner
        except Failure as caught:
            failure = caught
        except asyncio.CancelledError:
            if self.stopped is None:
                raise
        except Error:
            log.exception("answer %s: the database failed", self.generation.uuid)
            failure = Failure(Kind.INTERNAL, dispatched=self.dispatched)
        except Exception:  # one answer's fault must not take the worker's other answers with it
            log.exception("answer %s: a fault of ours", self.generation.uuid)
            failure = Failure(Kind.INTERNAL, dispatched=self.dispatched)
        try:
            await self._end(failure)
        except Error:
            log.exception("answer %s: not stored; its lease will run out", self.generation.uuid)

    async def _ask(self) -> None:
        async with self.suspect.planning():
            plan = await self._read(make_plan, self.claimed)
            self.prompt_tokens = plan.prompt_tokens
            if not await self._write(Dispatch(self.generation, plan.note)):
                self.stopped = "lost"
                return
        self.dispatched = True
        self.story.add(LineKind.DISPATCHED)
        self.generation.request = plan.note
        self.started = time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, plan.seconds_left)):
                await self._listen(plan)
        except TimeoutError:
            raise Failure(Kind.DEADLINE, dispatched=True) from None

    async def _listen(self, plan: Plan) -> None:
        put, written = self.services.live_out.put, self.written
        stream = client.stream(plan.endpoint, request=plan.request, limits=plan.limits, handling=self.suspect.handling)
        async with contextlib.aclosing(stream):
            async for event in stream:
                if isinstance(event, client.Finished):
                    written.finished = event
                    break
                if written.first_at is None:
                    written.first_at = time.monotonic()
                    self.story.add(LineKind.FIRST_TEXT)
                if isinstance(event, client.Text):
                    written.text.append(event.text)
                    put(self.channel, kind=Delta.Kind.TEXT, text=event.text)
                else:
                    written.reasoning.append(event.text)
                    put(self.channel, kind=Delta.Kind.REASONING, text=event.text)

    # --- how it ends --------------------------------------------------------------------------------------------------

    async def _end(self, failure: Failure | None) -> None:
        self.services.live_out.close(self.channel)
        if self.stopped == "lost":
            return
        if self.stopped == "drain" and not self.written.shown:
            if await self._read(_hand_back, self.generation, self.services.owner, self.dispatched, self.story):
                return
            self.stopped = "cancel"  # the person was first (or somebody else holds it, and the ending is refused)
        if failure is not None and not self.written.shown and await self._try_later(failure):
            return
        await self._write(await self._read(self._last_words, failure))

    async def _try_later(self, failure: Failure) -> bool:
        """Back to the queue: for the model's next provider at once, or by the retry table; False when this is the end."""
        tries = self.generation.tries + 1
        pause: dt.timedelta | None = None
        if self.claimed.others and failure.kind in failures.MOVES_ON:
            log.info("answer %s: %s, on to the next provider", self.generation.uuid, failure.kind.value)
        else:
            delay = failures.retry_delay(failure.kind, tries=tries, retry_after=failure.retry_after)
            if delay is None or self.claimed.route is None:
                return False
            log.info("answer %s: %s, again in %.1f s", self.generation.uuid, failure.kind.value, delay)
            pause = dt.timedelta(seconds=delay * settings.RETRY_SCALE)
        await self._tell_breaker(failure)
        billed = self._charged(failure)
        self.story.failed(failure)
        again = (self.generation, self.services.owner, failure.kind.value, pause, billed, self.story)
        if await self._read(_try_later, *again):
            return True
        self.stopped = "cancel"  # the person was first (or somebody else holds it, and the ending is refused)
        return False

    def _last_words(self, failure: Failure | None) -> endings.Ending:
        """In a reader's thread: the provider's circuit hears how it went, and the ending is made, its HTML included."""
        if self.claimed.route is not None:
            try:
                self._circuit_hears(self.claimed.route.provider_id, failure)
            except Error as error:  # the answer matters more
                log.warning("the circuit was not told: %s", type(error).__name__)
                connection.close()
        return self._ending(failure)

    def _circuit_hears(self, provider_id: int, failure: Failure | None) -> None:
        """Words that came prove that the provider works, whoever stopped them; who stopped before them leaves the trial to the next."""
        if self.stopped is None:
            _tell_breaker(provider_id, failure)
        elif self.written.shown:
            _tell_breaker(provider_id, None)
        else:
            breaker.give_back(provider_id)

    def _ending(self, failure: Failure | None) -> endings.Ending:
        written, generation = self.written, self.generation
        text = generation.message.text[: generation.start_offset] + "".join(written.text)
        reasoning = generation.message.reasoning + "".join(written.reasoning)
        state, kind, reason = self._verdict(failure)
        charged = self._charged(failure)
        return endings.Ending(
            generation,
            state,
            kind=kind,
            finish_reason=reason,
            text=text,
            reasoning=reasoning,
            html=rendering.render(text),
            tokens=self._tokens() if charged else endings.Tokens(),
            charged=charged,
            ttft_ms=None if written.first_at is None else round((written.first_at - self.started) * 1000),
            last_seq=self.channel.seq,
            lines=self.story.lines,
        )

    def _verdict(self, failure: Failure | None) -> tuple[str, str, str]:
        """(state, kind, finish_reason). Only a finish_reason from the provider makes an answer done."""
        finished = self.written.finished
        if finished is not None and failure is None:
            return State.DONE, "", finished.reason  # whoever stops it now is too late
        if self.stopped == "cancel":
            return State.CANCELLED, "", ""
        if self.stopped == "drain":
            return State.INTERRUPTED, Kind.HAND_BACK.value, ""
        if failure is not None:
            log.info("answer %s: %s", self.generation.uuid, failure)
            self.story.failed(failure)
            return (State.INTERRUPTED if self.written.shown else State.FAILED), failure.kind.value, ""
        return State.INTERRUPTED, Kind.CUT_OFF.value, ""

    def _charged(self, failure: Failure | None) -> bool:
        if failure is None:
            return self.dispatched
        return failures.charge(failure.kind, dispatched=failure.dispatched, shown=self.written.shown) != "none"

    def _tokens(self) -> endings.Tokens:
        finished = self.written.finished
        if finished is not None and finished.usage is not None:
            usage = finished.usage
            return endings.Tokens(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
        output = estimates.tokens("".join(self.written.text)) + estimates.tokens("".join(self.written.reasoning))
        return endings.Tokens(self.prompt_tokens, output, estimated=True)

    async def _tell_breaker(self, failure: Failure | None) -> None:
        route = self.claimed.route
        if route is not None and self.stopped is None:
            await self._read(_tell_breaker, route.provider_id, failure)

    # --- ways to the threads ------------------------------------------------------------------------------------------

    async def _read(self, work: Any, *given: Any) -> Any:
        """A unit of database work that may be repeated: while the database is away the answer waits, as its words and its end do."""
        until, pause = time.monotonic() + PATIENCE_S, 0.05
        while True:
            try:
                return await self._loop.run_in_executor(
                    self.services.readers, log_ids.along(_with_connection), work, *given
                )
            except (OperationalError, InterfaceError) as error:
                if time.monotonic() >= until:
                    raise
                log.warning("answer %s waits for the database: %s", self.generation.uuid, type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def _write(self, item: Dispatch | endings.Ending) -> bool:
        # An ending waits for the disk; that a call goes out does not.
        writer = self.services.noter if isinstance(item, Dispatch) else self.services.writer
        return await asyncio.wrap_future(writer.submit(item))


def _with_connection(work: Any, *given: Any) -> Any:
    """A unit of database work in a persistent thread: a connection that has died meanwhile is replaced first."""
    close_old_connections()
    return work(*given)


def _hand_back(generation: Generation, owner: uuid.UUID, billed: bool, story: Story) -> bool:  # noqa: FBT001
    return claims.hand_back(generation, owner=owner, billed=billed, lines=story.lines)


def _try_later(
    generation: Generation,
    owner: uuid.UUID,
    kind: str,
    delay: dt.timedelta | None,
    billed: bool,  # noqa: FBT001
    story: Story,
) -> bool:
    if delay is None:
        return claims.pass_on(generation, owner=owner, kind=kind, billed=billed, lines=story.lines)
    return claims.try_later(generation, owner=owner, kind=kind, delay=delay, billed=billed, lines=story.lines)


def _tell_breaker(provider_id: int, failure: Failure | None) -> None:
    if failure is None:
        breaker.record_success(provider_id)
    else:
        breaker.record_failure(provider_id, failure.kind, status=failure.status)
