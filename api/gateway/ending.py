"""How a call ends: circuit, ledger, the call's row and its lines, in one transaction. And how it goes on with another provider.

Everything here runs in a database thread. A hold that somebody else has closed meanwhile is left as it is.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass, field
from typing import Literal

from django.conf import settings
from django.db import Error, connection, transaction

from accounts import clock
from api.gateway.holding import Call, take_way
from chat.endings import Tokens
from providers import breaker, endpoints, failures
from providers.failures import Failure, Kind
from usage import call_lines, invocations, leases, quotas
from usage.call_lines import CallLine
from usage.call_lines import Kind as LineKind
from usage.models import Invocation, Source
from usage.rollups import Tally

log = logging.getLogger(__name__)
Circuit = Literal["nothing", "how it went", "not waited for"]


@dataclass(slots=True)
class Ending:
    """How a call ended. `charged`: its provider may bill it. `circuit`: what the provider's circuit is told of it."""

    outcome: str
    kind: str = ""
    tokens: Tokens = field(default_factory=Tokens)
    charged: bool = True
    ttft_ms: int | None = None
    failure: Failure | None = None
    circuit: Circuit = "nothing"
    lines: list[CallLine] = field(default_factory=list)


def settle(call: Call, ending: Ending) -> None:
    """Writes it all down, once. Raises what the database raises: then nothing is written, and it may be tried again."""
    if ending.circuit == "how it went":
        tell_circuit(call, ending.failure)
    elif ending.circuit == "not waited for":
        tell_circuit(call, None, waited=False)
    now = clock.now()
    row = _invocation(call, ending, now=now)
    tally = Tally()
    with transaction.atomic():
        if ending.charged:
            quotas.settle([row], now=now, tally=tally)
        else:
            quotas.release([call.asked.id], now=now)
        invocations.record([row], tally=tally)
        call_lines.write(ending.lines)


def go_on(
    call: Call, failure: Failure, *, tokens: Tokens | None, lines: list[CallLine], patience_s: float
) -> float | None:
    """After a failure of which the caller has seen nothing: seconds until the next request, or None when there is none.

    The model's next provider at once, else this one again by the retry table, unless it asks for a pause beyond `patience_s`.
    `tokens`: what the failed try may have cost.
    """
    tell_circuit(call, failure)
    pause: float | None = 0.0
    way, passed = call.way, [*call.passed, call.way.provider_id]
    with transaction.atomic():
        try:
            if failure.kind not in failures.MOVES_ON:
                return None
            way = take_way(call.model, passed=passed)
        except Failure:
            tries = call.attempt
            pause = failures.retry_delay(failure.kind, tries=tries, retry_after=failure.retry_after)
            if pause is None or pause > patience_s:
                return None
            pause *= settings.RETRY_SCALE
        if not leases.move(call.asked.id, provider=way.provider.uuid):
            return None
        if tokens is not None:
            row = _invocation(call, Ending("interrupted", failure.kind.value, tokens), now=clock.now())
            quotas.count_lost(row, now=clock.now())
    moved = way.provider_id != call.way.provider_id
    kind, detail = (LineKind.FELL_BACK, call.way.provider.name) if moved else (LineKind.RETRIED, "")
    lines.append(line(call, kind, reason=failure.kind.value, detail=detail))
    call.attempt += 1
    if moved:
        call.passed, call.way = passed, way
        call.endpoint = endpoints.endpoint_for(way.provider)
    return pause


def tell_circuit(call: Call, failure: Failure | None, *, waited: bool = True) -> None:
    """The provider's circuit hears how it went, or that nobody `waited` to see; that it could not is no reason to lose an answer."""
    try:
        if not waited:
            breaker.give_back(call.way.provider_id)
        elif failure is None:
            breaker.record_success(call.way.provider_id)
        elif failure.kind not in (Kind.INTERNAL, Kind.DEADLINE):
            breaker.record_failure(call.way.provider_id, failure.kind, status=failure.status)
    except Error as error:
        log.warning("the circuit was not told: %s", type(error).__name__)
        connection.close()


def line(call: Call, kind: LineKind, *, reason: str = "", detail: str = "") -> CallLine:
    """A line of this call, of now."""
    return CallLine(
        request_id=call.asked.id, at=clock.now(), kind=kind, attempt=call.attempt, reason=reason, detail=detail[:80]
    )


def failed(call: Call, failure: Failure) -> CallLine:
    """What the provider (or we) did. Of what was said there only the status is kept: the rest could be anything."""
    detail = f"HTTP {failure.status}" if failure.status else ""
    return line(call, LineKind.FAILED, reason=failure.kind.value, detail=detail)


def _invocation(call: Call, ending: Ending, *, now: dt.datetime) -> Invocation:
    guest, provider, tokens = call.guest, call.way.provider, ending.tokens
    return Invocation(
        request_id=call.asked.id,
        source=Source.GATEWAY,
        person=guest.user.uuid,
        person_name=guest.user.get_full_name(),
        team=call.hold.team,
        team_name=call.team_name,
        key=call.hold.key,
        provider=provider.uuid,
        provider_name=provider.name,
        model=call.model.uuid,
        model_name=call.model.name,
        created_at=call.created_at,
        finished_at=now,
        ttft_ms=ending.ttft_ms,
        duration_ms=max(0, round((now - call.created_at).total_seconds() * 1000)),
        outcome=ending.outcome,
        error_kind=ending.kind,
        attempts=call.attempt,
        tries=call.attempt - 1,
        input_tokens=tokens.input,
        cached_tokens=tokens.cached,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
        estimated=tokens.estimated,
    )
