"""The audit trail as a file: CSV for people, JSON lines with every column of the chain for proofs elsewhere. Writes no event.

A page of the site leaves whole and is at most 1 MB, so a file ends there, says so in its last line, and names where the next begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from accounts import audit_words, csv_file
from accounts.audit_search import Search, walk
from accounts.models import AuditEvent

MOST_BYTES = 950_000
COLUMNS = tuple(column.name for column in AuditEvent._meta.fields if column.name != "id")


@dataclass(frozen=True, slots=True)
class File:
    """A file in memory; `more_below` is the number below which the next one begins, 0 when nothing is left."""

    body: bytes
    count: int
    first: int
    last: int
    more_below: int


def as_csv(search: Search, *, before: int = 0) -> File:
    """One line an event, with the sentence in the reader's language. No cell is ever a formula."""
    head = ["number", "at", "action", "event", "actor_kind", "actor_id", "who", "target_kind", "target_id", "whom"]
    head += ["changes", "address", "device", "request_id", "hash"]
    return _file(search, before=before, begin=csv_file.MARK + csv_file.line(head), line=_csv_line, cut=_csv_cut)


def as_json_lines(search: Search, *, before: int = 0) -> File:
    """One object an event, with every column: accounts.audit_chain computes the hash from it."""
    return _file(search, before=before, begin="", line=_json_line, cut=_json_cut)


FORMATS: dict[str, tuple[Callable[..., File], str, str]] = {
    "csv": (as_csv, "text/csv; charset=utf-8", "csv"),
    "jsonl": (as_json_lines, "application/x-ndjson; charset=utf-8", "jsonl"),
}
"""By name: what makes it, its type, how its name ends."""


def row_of(event: AuditEvent) -> dict[str, Any]:
    """Every column, as JSON."""
    row = {name: getattr(event, name) for name in COLUMNS}
    for name in ("uuid", "actor", "target", "concerns"):
        row[name] = str(row[name]) if row[name] else None
    row["at"] = event.at.isoformat(timespec="microseconds")
    return row


def _file(
    search: Search, *, before: int, begin: str, line: Callable[[AuditEvent], str], cut: Callable[[int], str]
) -> File:
    parts, size, numbers = [begin.encode()], len(begin.encode()), [0, 0]
    count = 0
    for event in walk(search, before=before):
        part = line(event).encode()
        if count and size + len(part) > MOST_BYTES:
            last = numbers[1]
            return File(b"".join([*parts, cut(last).encode()]), count, numbers[0], last, more_below=last)
        parts.append(part)
        size += len(part)
        numbers = [numbers[0] or event.number, event.number]
        count += 1
    return File(b"".join(parts), count, numbers[0], numbers[1], more_below=0)


def _csv_line(event: AuditEvent) -> str:
    told = json.dumps({**event.changes, **event.private}, ensure_ascii=False) if event.changes or event.private else ""
    sentence = audit_words.plain_sentence(event)
    at = event.at.isoformat(timespec="microseconds")
    who = [event.actor_kind, event.actor, event.actor_name, event.target_kind, event.target, event.target_name]
    where = [event.address, event.device, event.request_id, event.hash]
    return csv_file.line([event.number, at, event.action, sentence, *who, told, *where])


def _csv_cut(last: int) -> str:
    return csv_file.line(["", "", "", cut_words(last)])


def _json_line(event: AuditEvent) -> str:
    return json.dumps(row_of(event), ensure_ascii=False, separators=(",", ":")) + "\n"


def _json_cut(last: int) -> str:
    return json.dumps({"cut": True, "next_before": last}) + "\n"


def cut_words(last: int) -> str:
    """The clear word at the end of a file that holds not everything."""
    return gettext("The file is full. Older events are left: export again, older than number %(number)d.") % {
        "number": last
    }
