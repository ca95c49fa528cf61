"""The life of one call, put together from what is stored: its row, its lines, its hold with what that took, its entries in the ledger.

Reads only. Knows no text and no title: none is stored in this room.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from providers.models import Price
from usage import call_words, sentences
from usage.call_lines import REFUSED, Kind
from usage.models import CallLine, Invocation, LedgerEntry, Reservation, ReservationLine


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the life: when, and what happened. `tone` is "", "good", "warn" or "bad"."""

    at: dt.datetime
    words: str
    tone: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the call's hold took from one limit."""

    line: ReservationLine
    limit: str
    unit: str


@dataclass(frozen=True, slots=True)
class Life:
    """All that is known of a call. Without `call` it has not ended yet."""

    request_id: UUID
    call: Invocation | None
    hold: Reservation | None
    moments: list[Moment]
    taken: list[Taken]
    entries: list[LedgerEntry]
    price: Price | None

    @property
    def team(self) -> UUID | None:
        """Who pays for it."""
        return self.call.team if self.call else self.hold.team if self.hold else None


def of(request_id: UUID, *, currency: str) -> Life | None:
    """The call with this id; None when there was none. Six or seven queries, however long its life was."""
    call = Invocation.every.filter(request_id=request_id).first()
    hold = Reservation.objects.filter(request_id=request_id).first()
    if call is None and hold is None:
        return None
    lines = list(CallLine.objects.filter(request_id=request_id).order_by("at", "pk"))
    entries = list(LedgerEntry.objects.filter(request_id=request_id).order_by("at", "pk"))
    price = Price.objects.filter(uuid=call.price).first() if call and call.price else None
    moments = [*_beginning(call, hold=hold), *map(_told, lines), *_end(call, entries=entries)]
    return Life(
        request_id=request_id,
        call=call,
        hold=hold,
        moments=sorted(moments, key=lambda moment: moment.at),
        taken=_taken(hold, currency=currency),
        entries=entries,
        price=price,
    )


def _beginning(call: Invocation | None, *, hold: Reservation | None) -> list[Moment]:
    """What is ordinary, from the columns of the row."""
    if call is None:
        assert hold is not None
        return [Moment(hold.created_at, _("Accepted, with a hold on what it may take. It has not ended yet."))]
    if call.outcome == REFUSED:
        why = call_words.error(call.error_kind)
        return [Moment(call.created_at, _("Refused before it became a call: %(why)s.") % {"why": why}, "warn")]
    found = [Moment(call.created_at, _("Asked."))]
    if call.queue_ms is not None:
        started = call.created_at + dt.timedelta(milliseconds=call.queue_ms)
        found.append(Moment(started, _("Taken by a worker."), more=_after(call.queue_ms)))
        if call.ttft_ms is not None and call.attempts <= 1:
            first = min(call.finished_at, started + dt.timedelta(milliseconds=call.ttft_ms))
            found.append(Moment(first, _("First text."), more=_after(call.ttft_ms)))
    return found


def _told(line: CallLine) -> Moment:
    words = {
        Kind.CLAIMED: _("Taken by a worker again (attempt %(n)d)."),
        Kind.DISPATCHED: _("Sent to the provider (attempt %(n)d)."),
        Kind.FIRST_TEXT: _("First text (attempt %(n)d)."),
        Kind.FAILED: _("The provider failed: %(why)s."),
        Kind.RETRIED: _("Back to the queue, to be tried again: %(why)s."),
        Kind.FELL_BACK: _("“%(detail)s” could not be used; another one took it: %(why)s."),
        Kind.HANDED_BACK: _("Handed back by a worker that stopped: another one takes it."),
        Kind.LOST: _("Its worker was lost: the hold on it ran out."),
        Kind.WAITED: _("Let in, after it had waited for allowance that running answers held."),
    }[Kind(line.kind)]
    tone = {Kind.FAILED: "bad", Kind.RETRIED: "warn", Kind.FELL_BACK: "warn", Kind.LOST: "bad"}.get(Kind(line.kind), "")
    values = {"n": line.attempt, "why": call_words.error(line.reason), "detail": line.detail}
    return Moment(line.at, words % values, tone, "" if line.kind == Kind.FELL_BACK else line.detail)


def _end(call: Invocation | None, *, entries: list[LedgerEntry]) -> list[Moment]:
    found = []
    for entry in entries:
        if entry.kind == LedgerEntry.Kind.ATTEMPT:
            found.append(Moment(entry.at, _("Counted: a try that was lost and that the provider may bill."), "warn"))
        elif entry.kind == LedgerEntry.Kind.CORRECTION:
            found.append(Moment(entry.at, _("Corrected."), "warn", entry.reason))
    if call is None or call.outcome == REFUSED:
        return found
    words = {
        "done": _("Finished."),
        "failed": _("Failed: %(why)s."),
        "interrupted": _("Ended before it was finished: %(why)s."),
        "cancelled": _("Stopped by the person."),
    }.get(call.outcome, call.outcome)
    why = call_words.error(call.error_kind) or _("no reason is known")
    tone = call_words.TONES.get(call.outcome, "")
    return [*found, Moment(call.finished_at, words % {"why": why}, tone, _after(call.duration_ms, whole=True))]


def _after(ms: int, *, whole: bool = False) -> str:
    """“after 1.2 s”."""
    values = {"n": ms if ms < 1000 else f"{ms / 1000:.1f}"}
    text = (_("after %(n)s ms") if ms < 1000 else _("after %(n)s s")) % values
    return _("%(after)s in all") % {"after": text} if whole else text


def _taken(hold: Reservation | None, *, currency: str) -> list[Taken]:
    if hold is None or not hold.lines:
        return []
    lines = list(ReservationLine.objects.filter(reservation=hold).select_related("period__quota").order_by("pk"))
    names = sentences.names_of([line.period.quota for line in lines])
    return [
        Taken(line, sentences.of(line.period.quota, names=names, currency=currency), line.period.quota.unit)
        for line in lines
    ]
