"""Proves that the trail is whole: every row as it was written, none missing, the noted heads still in it. Changes no event.

What a chain cannot show by itself is that its end was cut off or that all of it was computed anew: for that each proof notes the
head outside of the database, in DATA_DIR/audit_anchors and in the log, and the next one looks for it.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import connection

from accounts import audit, audit_chain, clock
from accounts.models import AuditEvent

log = logging.getLogger(__name__)
PAGE = 500
PAUSE_S = 0.05
MOST_ANCHORS = 1_000
GUARDS = {"sqlite": {"audit_no_delete", "audit_no_update"}}
GUARDS["postgresql"] = GUARDS["sqlite"] | {"audit_no_truncate"}
_ANCHOR = re.compile(r"(?P<number>[0-9]{1,18}):(?P<hash>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of a moment. Whoever keeps this line elsewhere can prove later that nothing before it was touched."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a proof found. `number` is the first event that is wrong; 0 when it is none of them."""

    head: Head
    fault: str = ""
    number: int = 0

    def __str__(self) -> str:
        return self.fault or f"{self.head.number} events, unbroken; head {self.head}"


def prove(*, anchors: tuple[Head, ...] = (), pause: float = 0) -> Finding:
    """Walks the whole chain once, oldest first, in short reads; `pause` seconds after each page leave room for others."""
    head = Head(0, audit_chain.GENESIS)
    try:
        noted = {anchor.number: anchor.hash for anchor in (*kept(), *anchors)}
    except (OSError, ValueError) as error:
        return Finding(head, f"the heads noted in {_file()} cannot be read: {error}")
    for event in _events(pause=pause):
        if event.number != head.number + 1:
            missing = head.number + 1
            return Finding(head, f"event {missing} is missing: after {head.number} comes {event.number}", missing)
        if wrong := _wrong(event, after=head):
            return Finding(head, f"event {event.number} {wrong}", event.number)
        if noted.pop(event.number, event.hash) != event.hash:
            return Finding(
                head, f"event {event.number} is not the one that was noted: all was written anew", event.number
            )
        head = Head(event.number, event.hash)
    if noted:
        first = min(noted)
        return Finding(head, f"event {first} was noted and is gone: the trail ends at {head.number}", first)
    if unguarded := GUARDS.get(connection.vendor, set()) - _guards():
        return Finding(head, f"the database no longer guards it ({', '.join(sorted(unguarded))})")
    return Finding(head)


def check_daily() -> str:
    """The periodic check: the finding becomes an event, its head is noted; a broken trail is an alarm in the log too."""
    finding = prove(pause=PAUSE_S)
    changes: dict[str, list[object]] = {"events": [None, finding.head.number]}
    if finding.fault:
        log.error("the audit trail is broken: %s", finding.fault)
        audit.record("audit.broken", changes=changes | {"fault": [None, finding.fault]})
    else:
        note(finding.head)
        audit.record("audit.verified", changes=changes)
    return str(finding)


def read_anchor(text: str) -> Head:
    """`number:hash`. Raises ValueError."""
    found = _ANCHOR.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not number:hash")
    return Head(int(found["number"]), found["hash"])


def kept() -> list[Head]:
    """The heads noted in this DATA_DIR, oldest first."""
    path = _file()
    lines = path.read_text().splitlines() if path.exists() else []
    return [read_anchor(line.rpartition(" ")[2]) for line in lines if line.strip()]


def note(head: Head) -> None:
    """Keeps the head outside of the database. A file beside it helps against mistakes; against its owner only a copy elsewhere does."""
    if not head.number or head in kept():
        return
    path = _file()
    lines = path.read_text().splitlines() if path.exists() else []
    _write([*lines, f"{_now()} {head}"][-MOST_ANCHORS:])


def accept(head: Head) -> None:
    """Forgets every head noted here and begins with this one: after a restore, knowingly."""
    _write([f"{_now()} {head}"] if head.number else [])


def _wrong(event: AuditEvent, *, after: Head) -> str:
    """What is wrong with a row, by its digests; nothing of its content is said."""
    if event.previous != after.hash:
        return "does not follow the one before it"
    if event.salt and event.personal != audit_chain.actor_digest(event):
        return "was changed: who did it"
    if not event.salt and (event.actor_name or event.address or event.device):
        return "was changed: somebody erased was written in"
    if event.target_salt and event.target_personal != audit_chain.target_digest(event):
        return "was changed: to whom it was done"
    if event.target_personal and not event.target_salt and (event.target_name or event.private):
        return "was changed: somebody erased was written in"
    return "" if event.hash == audit_chain.event_hash(event) else "was changed"


def _events(*, pause: float) -> Iterator[AuditEvent]:
    """Every event, in pages by number: no read transaction lasts, and none is skipped while others are written."""
    last = -1
    while page := list(AuditEvent.objects.filter(number__gt=last).order_by("number")[:PAGE]):
        yield from page
        last = page[-1].number
        time.sleep(pause)


def _guards() -> set[str]:
    """The triggers that stand over the table and are on."""
    table = AuditEvent._meta.db_table
    if connection.vendor == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
    with connection.cursor() as cursor:
        cursor.execute(query, [table])
        return {name for (name,) in cursor.fetchall()}


def _file() -> Path:
    return Path(settings.DATA_DIR) / "audit_anchors"


def _write(lines: list[str]) -> None:
    """Whole or not at all."""
    path = _file()
    draft = path.with_name(f".audit_anchors.{os.getpid()}")
    draft.write_text("".join(f"{line}\n" for line in lines))
    draft.chmod(0o600)
    draft.replace(path)


def _now() -> str:
    return clock.now().astimezone(dt.UTC).isoformat(timespec="seconds")
