"""One call under way: asked of its provider, passed on as it comes, ended exactly once. On the loop; nothing here waits in a thread.

The caller may leave, the provider may die, the credential may end, the process may stop: each ends the call upstream at once, settled.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace

from django.conf import settings
from django.db import Error

from api.gateway import ending, words
from api.gateway.ending import Circuit, Ending
from api.gateway.envelope import Refusal
from api.gateway.holding import Call
from api.gateway.meter import Meter
from api.gateway.out import Out, Receive
from api.gateway.passing import Passing
from api.gateway.running import Why, keeper
from api.gateway.threads import insist, work
from chat.endings import Tokens
from providers import failures
from providers.failures import Failure, Kind
from usage.call_lines import CallLine

log = logging.getLogger(__name__)
TOKENS_PER_S = 50
"""Of a plain answer nothing is seen before its end: who leaves before pays for so many tokens a second, never more than held."""
SOUND_TOKENS = 4
"""A sound is guessed to be so many times as long as its text, in tokens."""
MOST_WAIT_S = 5.0
"""A provider that asks for a longer pause is not waited for: the caller is told how long."""


class Calling:
    """`run` always comes to an end of its own; `stop` ends it from outside."""

    def __init__(self, call: Call, *, out: Out, receive: Receive) -> None:
        self.call, self.out = call, out
        self.id = call.asked.id
        self.credential = call.guest.principal.credential
        self.language = call.guest.principal.language or call.guest.organisation.language
        self.stopped: Why | None = None
        self.lines: list[CallLine] = []
        self.meter = self._new_meter()
        self._receive = receive
        self._passing: Passing | None = None
        self._inner: asyncio.Task[None] | None = None
        self._complete = False
        self._heard = False  # the circuit knows already how the last request went
        self._refusal: Refusal | None = None

    @property
    def produced(self) -> int:
        """Tokens of the answer so far, at most what is held: for usage.recovery, should this process die."""
        return min(self._tokens().output, self.call.hold.output)

    def stop(self, why: Why) -> None:
        """The first reason counts."""
        if self.stopped is None:
            self.stopped = why
            if self._inner is not None:
                self._inner.cancel()

    async def run(self) -> None:
        """From the hold to the end, whatever happens."""
        keeper.calls[self.id] = self
        leaving = asyncio.create_task(self._watch_leaving())
        failure: Failure | None = None
        try:
            self._inner = asyncio.create_task(self._ask())
            await self._inner
        except Failure as caught:
            failure = caught
        except Refusal as refusal:  # a body that cannot be written for its provider: nothing went out
            self._refusal, failure = refusal, Failure(Kind.BAD_REQUEST)
        except asyncio.CancelledError:
            self.stop("stopping")  # the server's time to drain is over; nothing when we have stopped it ourselves
            with suppress(asyncio.CancelledError, Failure, Refusal):
                await self._inner  # type: ignore[misc]  # made before anything was awaited
        except Error:
            log.exception("call %s: the database failed", self.id)
            failure = Failure(Kind.INTERNAL, dispatched=self._dispatched)
        except Exception:  # one call's fault must not take the others with it
            log.exception("call %s: a fault of ours", self.id)
            failure = Failure(Kind.INTERNAL, dispatched=self._dispatched)
        finally:
            leaving.cancel()
        task = asyncio.get_running_loop().create_task(self._end(failure))
        keeper.endings.add(task)
        task.add_done_callback(keeper.endings.discard)
        await self._tell(failure)
        await asyncio.shield(task)
        await self.out.end()

    async def _watch_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.stop("left")

    async def _ask(self) -> None:
        """Asks until an answer has begun or nobody is left to ask; then passes it on to its end."""
        try:
            async with asyncio.timeout(settings.DEADLINE_S):
                while not await self._one_request():
                    pass
        except TimeoutError:
            raise Failure(Kind.DEADLINE, dispatched=self._dispatched) from None

    async def _one_request(self) -> bool:
        """One request to one provider; False when another one is to follow. Raises the Failure that ends the call."""
        self._passing = Passing(self.call, meter=self.meter, out=self.out)
        self._heard = False
        try:
            await self._passing.run()
        except Failure as failure:
            if self.out.started or not await self._again(failure):
                raise
            return False
        self._complete = True
        return True

    async def _again(self, failure: Failure) -> bool:
        """Whether another request goes out after this failure, once its pause is over."""
        billed = self._charge(failure)
        self.lines.append(ending.failed(self.call, failure))
        going = asyncio.ensure_future(work(
            ending.go_on, self.call, failure, tokens=self._tokens() if billed else None, lines=self.lines,
            patience_s=MOST_WAIT_S,
        ))  # fmt: skip
        try:
            pause = await asyncio.shield(going)
        except asyncio.CancelledError:
            # What was begun is written to its end: whoever stops the call settles what is left of it, and nothing twice.
            if self._is_accounted(await going):
                self.call.attempt -= 1  # the request that was to follow is not made
                raise
            return False
        if not self._is_accounted(pause):
            return False
        log.info("call %s: %s, again in %.1f s", self.id, failure.kind.value, pause)
        try:
            await asyncio.sleep(pause or 0)
        except asyncio.CancelledError:
            self.call.attempt -= 1
            raise
        return True

    def _is_accounted(self, pause: float | None) -> bool:
        """Whether the failed request is behind us, its cost written down: then nothing is out until the next one."""
        if pause is None:
            self._heard = True
            self.lines.pop()
            return False
        self._passing, self.meter = None, self._new_meter()
        return True

    # --- how it ends --------------------------------------------------------------------------------------------------

    async def _end(self, failure: Failure | None) -> None:
        """Settled once; until then its lease is renewed, so that nobody else settles it."""
        try:
            await insist(ending.settle, self.call, self._ending(failure))
        except Error:
            log.exception("call %s: not settled; its lease will run out", self.id)
        except Exception:
            log.exception("call %s: could not be settled; its lease will run out", self.id)
        finally:
            keeper.calls.pop(self.id, None)

    async def _tell(self, failure: Failure | None) -> None:
        """What the caller still hears."""
        refusal = None
        if self._complete:
            return
        if self._refusal is not None:
            refusal = self._refusal
        elif self.stopped is not None:
            refusal = words.of_stop(self.stopped, language=self.language)
        elif failure is not None:
            refusal = words.of_failure(failure, key=self.call.endpoint.key, language=self.language)
        if refusal is not None:
            with suppress(asyncio.CancelledError):
                await self.out.refuse(refusal)

    def _ending(self, failure: Failure | None) -> Ending:
        outcome, kind = self._verdict(failure)
        charged = self._charge(failure) if failure is not None else self._dispatched
        if failure is not None and self.stopped is None:
            log.info("call %s: %s", self.id, failure)
            self.lines.append(ending.failed(self.call, failure))
        first = self._passing.first_at if self._passing is not None else None
        return Ending(
            outcome,
            kind=kind,
            tokens=self._tokens() if charged else Tokens(),
            charged=charged,
            ttft_ms=None if first is None or self._passing is None else round((first - self._passing.began) * 1000),
            failure=failure if self.stopped is None else None,
            circuit=self._circuit(),
            lines=self.lines,
        )

    def _verdict(self, failure: Failure | None) -> tuple[str, str]:
        """(outcome, kind) for the call's row. A whole answer is done, whoever stops it now."""
        if self.meter.whole and failure is None:
            return "done", ""
        if self.stopped in ("left", "cut"):
            return "cancelled", ""
        if self.stopped is not None:
            return "interrupted", Kind.HAND_BACK.value
        kind = failure.kind if failure is not None else Kind.CUT_OFF
        begun = self._passing is not None and self._passing.first_at is not None
        return ("interrupted" if begun else "failed"), kind.value

    def _circuit(self) -> Circuit:
        """What the provider's circuit is to be told. An answer that came proves that it works, whoever did not wait for its end."""
        passing = self._passing
        if passing is None or not passing.asked or self._heard:
            return "nothing"
        if self.stopped is None or passing.first_at is not None or self.meter.produced:
            return "how it went"
        return "not waited for"

    def _charge(self, failure: Failure) -> bool:
        return failures.charge(failure.kind, dispatched=failure.dispatched, shown=self.meter.produced > 0) != "none"

    def _tokens(self) -> Tokens:
        usage, guessed = self.meter.usage, min(self._guessed(), self.call.hold.output)
        if usage is None:
            return Tokens(self.call.wanted.input, guessed, estimated=True)
        counted = Tokens(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
        if self.meter.whole and (counted.output or not self.meter.produced):
            return counted
        # A count that came before the end (some providers send zeros with the first words) is no count of what followed.
        return replace(
            counted,
            input=counted.input or self.call.wanted.input,
            output=max(counted.output, guessed),
            estimated=True,
        )

    def _guessed(self) -> int:
        """The answer's tokens where nobody has counted them."""
        seen, passing, wanted = self.meter.produced, self._passing, self.call.wanted
        if self.call.route.raw:
            return wanted.input * SOUND_TOKENS
        if seen or wanted.stream or passing is None or not passing.dispatched:
            return seen
        return round((time.monotonic() - passing.began) * TOKENS_PER_S)

    @property
    def _dispatched(self) -> bool:
        return self._passing is not None and self._passing.dispatched

    def _new_meter(self) -> Meter:
        wanted = self.call.wanted
        return Meter(self.call.route.shape, answers=wanted.answers, wants_usage=wanted.wants_usage)
