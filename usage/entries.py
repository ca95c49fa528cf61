"""What the ledger says of a call: an entry made of its row and its hold, and how much of each unit an entry counts.

Writes nothing; usage.quotas does.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

from usage import bills
from usage.limit_models import Unit
from usage.models import Invocation, LedgerEntry

log = logging.getLogger(__name__)
# An estimate counts four plain characters as a token: four times as many tokens are more than there were bytes.
ABSURD = 4
_OF_THE_CALL = (
    "source", "person", "person_name", "team", "team_name", "key", "provider", "provider_name", "model", "model_name",
    "organisation_currency",
)  # fmt: skip
_COPIED = (
    *_OF_THE_CALL, "outcome", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "estimated", "price",
    "currency", "cost_micro", "organisation_cost_micro", "rate_micro",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as it was written, for the one who closes it or counts a try of its call."""

    id: int
    created_at: dt.datetime
    input: int
    output: int
    cost_micro: int | None
    lines: int


def settlement(call: Invocation, *, hold: Held, now: dt.datetime) -> LedgerEntry:
    """The one that ends a call. What cannot be is cut to what can, on the call's row as well, and its costs are put there."""
    clamped = _clamp(call, hold=hold)
    overrun = call.input_tokens > hold.input or call.output_tokens > hold.output
    return _of(call, kind=LedgerEntry.Kind.SETTLE, hold=hold, now=now, clamped=clamped, overrun=overrun)


def lost_try(call: Invocation, *, hold: Held, now: dt.datetime) -> LedgerEntry:
    """A try that its provider may bill, of a call that goes on: it is no question more."""
    return _of(call, kind=LedgerEntry.Kind.ATTEMPT, hold=hold, now=now, requests=0)


def _of(call: Invocation, *, kind: str, hold: Held, now: dt.datetime, **more: Any) -> LedgerEntry:
    bills.put_on(call, at=hold.created_at)
    values = {"requests": requests_of(call)} | more | {name: getattr(call, name) for name in _COPIED}
    return LedgerEntry(
        request_id=call.request_id, attempt=call.attempts, kind=kind, reserved_at=hold.created_at, at=now, **values
    )


def of_the_call(entry: LedgerEntry) -> dict[str, Any]:
    """What a correction has in common with the entry that it corrects."""
    return {name: getattr(entry, name) for name in _OF_THE_CALL}


def requests_of(call: Invocation) -> int:
    """A title is nobody's question: it counts with what it takes, not as one more."""
    return 0 if call.source == "title" else 1


def counted(entry: LedgerEntry, *, unit: str, unknown: int = 0) -> int:
    """How much of a unit an entry counts; `unknown` is what counts where a price was known once and nobody knows it any more."""
    if unit == Unit.COST:
        return unknown if entry.organisation_cost_micro is None else entry.organisation_cost_micro
    if unit == Unit.AT_ONCE:
        return 0
    return amount(unit, requests=entry.requests, input=entry.input_tokens, output=entry.output_tokens)


def amount(unit: str, *, requests: int, input: int, output: int) -> int:  # tokens that go in
    """How much of a unit that is not money these are."""
    return {
        Unit.REQUESTS: requests,
        Unit.AT_ONCE: requests,
        Unit.TOKENS: input + output,
        Unit.INPUT: input,
        Unit.OUTPUT: output,
    }.get(Unit(unit), 0)


def _clamp(call: Invocation, *, hold: Held) -> bool:
    """Cuts what cannot have been: more answer than was allowed, more prompt than there were bytes. Says whether it had to."""
    said = (call.input_tokens, call.output_tokens)
    if not hold.input and not hold.output:
        return False  # held by an earlier version, which did not tell them apart
    call.input_tokens = max(0, min(call.input_tokens, ABSURD * hold.input))
    call.output_tokens = max(0, min(call.output_tokens, hold.output))
    call.cached_tokens = max(0, min(call.cached_tokens, call.input_tokens))
    call.reasoning_tokens = max(0, min(call.reasoning_tokens, call.output_tokens))
    if call.estimated or said == (call.input_tokens, call.output_tokens):
        return False  # an estimate of ours is no claim of the provider's
    log.error("call %s: a usage that cannot be (%d in, %d out) was cut to what was held", call.request_id, *said)
    return True
