"""Finds out by a few small calls how a provider wants to be spoken to. Believes what it sees, never a name."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.client import ChatRequest, Finished, Limits, Reasoning, Text, stream
from providers.endpoints import MAX_TOKENS_FIELDS, Dialect, Endpoint, ProbeResult
from providers.failures import Failure, Kind

FEW = 16
"""Tokens asked for at most; a provider that obeys stops in the middle of the count."""
KEPT = 80
"""Characters of the answer that are handed on, to be shown to whoever tested."""
QUESTION = "Count from 1 to 100 in digits, separated by blanks. Nothing else."
INSTRUCTION = "You answer briefly."


@dataclass(slots=True)
class _Seen:
    reasoning: bool = False
    usage: bool = False
    limited: bool = False
    text: str = ""


async def probe(
    endpoint: Endpoint, *, model: str, body: Mapping[str, Any] | None = None, total_s: float = 9.0
) -> ProbeResult:
    """Tries dialects until one is answered, with these further fields; never raises Failure, but carries the last one when none is."""
    began = time.monotonic()
    results: list[ProbeResult] = []
    limits = Limits(connect_s=3, first_byte_s=total_s, gap_s=total_s, max_total=1 << 20)
    try:
        async with asyncio.timeout(total_s):
            for dialect in _candidates(endpoint.dialect):
                result = await _try(replace(endpoint, dialect=dialect), model=model, body=body or {}, limits=limits)
                results.append(result)
                refused = result.failure is not None and result.failure.kind == Kind.BAD_REQUEST
                if result.honours_limit or not (refused or result.dialect):
                    break
    except TimeoutError:
        late = Failure(Kind.FIRST_BYTE_TIMEOUT, detail=f"no answer within {total_s:.0f} s", dispatched=True)
        results.append(ProbeResult(None, late))
    # A dialect whose limit is obeyed protects the money, so it wins over one that is merely understood.
    best = max(results, key=lambda result: (result.honours_limit, result.dialect is not None))
    return replace(best, seconds=time.monotonic() - began)


async def _try(endpoint: Endpoint, *, model: str, body: Mapping[str, Any], limits: Limits) -> ProbeResult:
    try:
        seen = await _ask(endpoint, model=model, body=body, limits=limits)
    except Failure as failure:
        return ProbeResult(None, failure)
    return ProbeResult(endpoint.dialect, None, seen.usage, seen.reasoning, seen.limited, text=seen.text[:KEPT])


def _candidates(now: Dialect) -> Iterator[Dialect]:
    """The dialect as it is first, then the other names, without the count, other roles."""
    fields = (now.max_tokens_field, *(name for name in MAX_TOKENS_FIELDS if name != now.max_tokens_field))
    for role in dict.fromkeys((now.system_role, "system", "user")):
        for usage in (True, False):
            for name in fields:
                yield replace(now, max_tokens_field=name, usage_in_stream=usage, system_role=role)


async def _ask(endpoint: Endpoint, *, model: str, body: Mapping[str, Any], limits: Limits) -> _Seen:
    messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": QUESTION}]
    request = ChatRequest(model=model, messages=messages, max_tokens=FEW, extra=body)
    seen = _Seen()
    async with contextlib.aclosing(stream(endpoint, request=request, limits=limits)) as events:
        async for event in events:
            match event:
                case Reasoning():
                    seen.reasoning = True
                case Text(text=text):
                    seen.text += text
                case Finished(reason=reason, usage=usage):
                    seen.usage = usage is not None
                    short = usage is not None and usage.output_tokens <= FEW
                    seen.limited = reason == "length" or short
    return seen
