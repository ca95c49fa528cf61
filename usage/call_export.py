"""The log of calls as a file. A page of the site leaves whole and is at most 1 MB, so a file ends there and says where the next begins.

Calls are read page by page: nothing larger than the file is ever in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from accounts import csv_file
from providers import money
from usage import call_search
from usage.call_search import Cursor, Search
from usage.models import Invocation

MOST_BYTES = 950_000
HEAD = [
    "asked", "ended", "request", "source", "outcome", "error", "person", "person id", "team", "team id", "key", "model",
    "model id", "provider", "provider id", "queue ms", "first text ms", "duration ms", "attempts", "tries", "input tokens",
    "cached tokens", "output tokens", "reasoning tokens", "estimated", "cost", "currency", "own cost", "own currency", "rate",
    "price",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A file in memory."""

    body: bytes
    count: int


def as_csv(search: Search, *, team: UUID | None, before: Cursor | None, tz: ZoneInfo) -> File:
    """One line a call, newest first. No cell is ever a formula."""
    parts = [(csv_file.MARK + csv_file.line(HEAD)).encode()]
    size, count, last = len(parts[0]), 0, ""
    for call in call_search.walk(search, team=team, before=before):
        part = csv_file.line(_cells(call, tz=tz)).encode()
        if count and size + len(part) > MOST_BYTES:
            parts.append(csv_file.line([cut_words(last)]).encode())
            break
        parts.append(part)
        size, count = size + len(part), count + 1
        last = str(Cursor(call.created_at, call.pk))
    return File(b"".join(parts), count)


def cut_words(last: str) -> str:
    """The clear word at the end of a file that holds not everything."""
    return gettext("The file is full. Older calls are left: export again, from %(place)s.") % {"place": last}


def _cells(call: Invocation, *, tz: ZoneInfo) -> Sequence[object]:
    return [
        call.created_at.astimezone(tz).isoformat(timespec="milliseconds"),
        call.finished_at.astimezone(tz).isoformat(timespec="milliseconds"),
        call.request_id, call.source, call.outcome, call.error_kind, call.person_name, call.person, call.team_name, call.team,
        call.key, call.model_name, call.model, call.provider_name, call.provider, call.queue_ms, call.ttft_ms,
        call.duration_ms, call.attempts, call.tries, call.input_tokens, call.cached_tokens, call.output_tokens,
        call.reasoning_tokens, int(call.estimated), _amount(call.cost_micro), call.currency,
        _amount(call.organisation_cost_micro), call.organisation_currency, _amount(call.rate_micro), call.price,
    ]  # fmt: skip


def _amount(micro: int | None) -> str:
    return "" if micro is None else money.to_text(micro)
