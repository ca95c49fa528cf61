"""Holds and the ledger: what a call may take at most is written before it is queued, and settled exactly once.

The only writer of counters, reservations, their lines and the ledger, which it adds to the sums (usage.rollups). `look` reads before
the transaction; all else is part of the caller's. Nothing here reads a cache, a clock or a conversation.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from django.db import connection

from accounts.prepared import Insert, fetch, marks
from usage import counters, entries, limits, tariffs
from usage.counters import Taking
from usage.entries import Held
from usage.limit_models import Unit
from usage.limits import Limit, Standing
from usage.models import Invocation, LedgerEntry, Reservation, ReservationLine
from usage.rollups import Tally
from usage.tariffs import Tariff

_insert = Insert(Reservation)
_insert_lines = Insert(ReservationLine)
_insert_entries = Insert(LedgerEntry)
_CLOSE = """
UPDATE usage_reservation SET state = %s, closed_at = %s WHERE state = 'held' AND request_id IN ({ids})
RETURNING id, request_id, created_at, input_tokens, output_tokens, cost_micro, lines
"""
_HELD = """
SELECT id, created_at, input_tokens, output_tokens, cost_micro, lines FROM usage_reservation
WHERE state = 'held' AND request_id = %s {locked}
"""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call may take at most, in tokens: its prompt (`input`) and its answer (`output`), and for whom.

    Where there is not enough left the answer may be made shorter, but not below `least_output`. `requests` is 0 for what is
    nobody's question (a title). A hold that no Generation owns has a life of `lease_s` seconds; after it usage.recovery
    settles it with `estimate` tokens. One that names a `provider` takes one of its places.
    """

    request_id: uuid.UUID
    source: str
    person: uuid.UUID | None
    team: uuid.UUID | None
    key: uuid.UUID | None
    model: uuid.UUID | None
    input: int
    output: int
    least_output: int | None = None
    requests: int = 1
    lease_s: float | None = None
    estimate: int = 0
    provider: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a model may be asked: read before the transaction, measured within it."""

    standing: Standing
    model: uuid.UUID | None
    limits: tuple[Limit, ...]
    tariff: Tariff | None = None

    @property
    def most_output(self) -> int | None:
        """The longest answer that is allowed; None: no limit says."""
        caps = [limit.cap for limit in self.limits if limit.unit == Unit.ANSWER and not limit.soft(self.model)]
        return min(caps) if caps else None


@dataclass
class LimitReached(Exception):
    """A call that may not go out: nothing was written. `limit` is as it stands now, `needs` is what the call would have taken.

    `only_held`: what is used leaves room, only running calls hold it. `unpriced`: money is limited and nobody knows the price.
    """

    limit: Limit
    needs: int
    only_held: bool = False
    unpriced: bool = False
    # The model that its limit names for this case.
    switch_to: uuid.UUID | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.limit.scope} {self.limit.unit}: needs {self.needs}, has {self.limit.left}"


def look(*, person: uuid.UUID | None, key: uuid.UUID | None, model: uuid.UUID | None, now: dt.datetime) -> Terms:
    """What applies to this person and model now, in one statement; with the prices where a limit in money applies."""
    standing = limits.standing(person=person, key=key, model=model, now=now)
    return Terms(standing, model, standing.for_model(model), standing.tariff)


def terms(standing: Standing, *, model: uuid.UUID | None, now: dt.datetime) -> Terms:
    """The same for another model, without reading the limits again."""
    mine = standing.for_model(model)
    money = any(limit.unit == Unit.COST for limit in mine)
    return Terms(standing, model, mine, tariffs.of(model, at=now) if money else None)


# --- before the call ----------------------------------------------------------------------------------------------------


def reserve(hold: Hold, *, under: Terms, now: dt.datetime) -> Hold:
    """Writes the hold, all its limits at once, or raises LimitReached; part of the caller's transaction, best as its last step.

    Returns the hold as written: its answer may be shorter. A second one for the same request is an IntegrityError.
    """
    hold = _within_sizes(hold, under=under)
    takings = counters.opened(_takings(hold, under=under))
    if not counters.take(takings):
        hold, takings = _smaller(hold, takings, under=under)
        if not counters.take(takings):
            raise _refusal(takings, only_held=True)
    _write(hold, takings, now=now)
    return hold


def _write(hold: Hold, takings: list[Taking], *, now: dt.datetime) -> None:
    row = Reservation(
        request_id=hold.request_id,
        source=hold.source,
        person=hold.person,
        team=hold.team,
        key=hold.key,
        model=hold.model,
        tokens=hold.input + hold.output,
        input_tokens=hold.input,
        output_tokens=hold.output,
        cost_micro=next((taking.amount for taking in takings if taking.limit.unit == Unit.COST), None),
        lines=len(takings),
        estimate=hold.estimate,
        provider=hold.provider,
        created_at=now,
        lease_expires_at=None if hold.lease_s is None else now + dt.timedelta(seconds=hold.lease_s),
    )
    _insert(row)
    _insert_lines.all(*[ReservationLine(reservation=row, period_id=t.period, amount=t.amount) for t in takings])


def _within_sizes(hold: Hold, *, under: Terms) -> Hold:
    """Limits on the size of one prompt and one answer: the first refuses, the second makes the answer shorter."""
    for limit in under.limits:
        if limit.unit == Unit.PROMPT and hold.input > limit.cap and not limit.soft(hold.model):
            raise LimitReached(limit, hold.input, switch_to=limit.switch_to)
        if limit.unit == Unit.ANSWER and limit.cap < 1 and not limit.soft(hold.model):
            raise LimitReached(limit, 1, switch_to=limit.switch_to)
    most = under.most_output
    if most is None or hold.output <= most:
        return hold
    return replace(hold, output=most, least_output=None if hold.least_output is None else min(hold.least_output, most))


def _takings(hold: Hold, *, under: Terms) -> list[Taking]:
    """What the hold takes of each limit. What takes nothing (a free model of money) is not in its way."""
    found = []
    for limit in under.limits:
        amount = _amount(limit, hold, tariff=under.tariff)
        if amount:
            found.append(Taking(limit, amount, soft=limit.soft(hold.model)))
    return found


def _amount(limit: Limit, hold: Hold, *, tariff: Tariff | None) -> int:
    if limit.unit == Unit.COST:
        if tariff is None or not tariff.known:
            if limit.soft(hold.model):
                return 0
            raise LimitReached(limit, 0, unpriced=True, switch_to=limit.switch_to)
        return tariff.most(input=hold.input, output=hold.output)
    return entries.amount(limit.unit, requests=hold.requests, input=hold.input, output=hold.output)


def _smaller(hold: Hold, takings: list[Taking], *, under: Terms) -> tuple[Hold, list[Taking]]:
    """The hold with a shorter answer, where that is allowed and is what it lacks; else LimitReached."""
    now = _as_they_are(takings)
    lacking = [t for t in now if not t.soft and t.limit.used + t.amount > t.limit.cap]
    if not lacking:
        raise _refusal(now, only_held=True)
    if hold.least_output is None or hold.least_output >= hold.output:
        raise _refusal(lacking)
    output = hold.output
    for taking in lacking:
        output = min(output, _longest(hold, taking, tariff=under.tariff))
    if output < hold.least_output:
        raise _refusal(lacking)
    shorter = replace(hold, output=output)
    rows = {taking.limit.id: taking for taking in now}
    again = [
        replace(rows[limit.id], amount=_amount(limit, shorter, tariff=under.tariff))
        for limit in under.limits
        if limit.id in rows
    ]
    return shorter, [taking for taking in again if taking.amount]


def _longest(hold: Hold, taking: Taking, *, tariff: Tariff | None) -> int:
    """The longest answer with which this hold fits into what is not used yet; below 0 when none does."""
    room = taking.limit.cap - taking.limit.used
    if taking.limit.unit == Unit.TOKENS:
        return room - hold.input
    if taking.limit.unit == Unit.OUTPUT:
        return room
    if taking.limit.unit != Unit.COST or tariff is None:
        return -1
    low, high = -1, hold.output
    while low < high:
        middle = (low + high + 1) // 2
        if tariff.most(input=hold.input, output=middle) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _as_they_are(takings: list[Taking]) -> list[Taking]:
    found = limits.again(taking.limit for taking in takings)
    return [replace(t, limit=found[t.period]) for t in takings if t.period in found]


def _refusal(takings: list[Taking], *, only_held: bool = False) -> LimitReached:
    """Of several limits that refuse, the one that lasts longest."""
    full = [t for t in takings if not t.soft and t.limit.used + t.limit.held * only_held + t.amount > t.limit.cap]
    chosen = max(full or takings, key=lambda t: t.limit.ends_at)
    return LimitReached(chosen.limit, chosen.amount, only_held=only_held, switch_to=chosen.limit.switch_to)


# --- after it -----------------------------------------------------------------------------------------------------------


def settle(calls: Iterable[Invocation], *, now: dt.datetime, tally: Tally | None = None) -> set[uuid.UUID]:
    """Closes the holds of calls that reached a provider and writes the ledger; which of them were still held is returned.

    Costs are put on the rows, and what cannot be is cut to what can. A repeat settles nothing. With `tally` the sums over calls
    are the caller's to write, later in the same transaction; else they are written here.
    """
    every = {call.request_id: call for call in calls}
    closed = _close(every, state=Reservation.State.SETTLED, now=now)
    by_id = {hold.id: (hold, every[request]) for request, hold in closed.items()}
    written = {pk: entries.settlement(call, hold=hold, now=now) for pk, (hold, call) in by_id.items()}
    _insert_entries.all(*written.values())
    if any(hold.lines for hold in closed.values()):
        # A price was known when the call was accepted. Should nobody know it any more, what was held counts.
        counters.give(
            {
                line: entries.counted(written[line.reservation], unit=line.unit, unknown=line.amount)
                for line in counters.lines(by_id)
            },
            now=now,
        )
    _add(written.values(), tally=tally)
    return set(closed)


def _add(written: Iterable[LedgerEntry], *, tally: Tally | None = None) -> None:
    """Into the sums: after all counters, so that everybody locks in the same order."""
    sums = tally or Tally()
    sums.entries(written)
    if tally is None:
        sums.write()


def release(request_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> set[uuid.UUID]:
    """Closes the holds of calls that never reached a provider or cost nothing there; a repeat releases nothing."""
    closed = _close(request_ids, state=Reservation.State.RELEASED, now=now)
    if any(hold.lines for hold in closed.values()):
        counters.give(dict.fromkeys(counters.lines(hold.id for hold in closed.values()), 0), now=now)
    return set(closed)


def count_lost(call: Invocation, *, now: dt.datetime) -> bool:
    """Counts a try that its provider may bill though nothing came of it, of a call that goes on and keeps its whole hold.

    Part of the transaction that gives the call back. It takes room of its own beside the hold; where there is none it is an
    overrun, flagged: what may be billed is written down all the same. A repeat, or a call whose hold is closed: False.
    """
    hold = _held(call.request_id)
    tries = LedgerEntry.objects.filter(request_id=call.request_id, kind=LedgerEntry.Kind.ATTEMPT)
    if hold is None or tries.filter(attempt=call.attempts).exists():
        return False
    entry = entries.lost_try(call, hold=hold, now=now)
    found = counters.lines([hold.id]) if hold.lines else []
    more = {line: entries.counted(entry, unit=line.unit, unknown=line.amount) for line in found}
    counters.count(more, now=now)
    entry.overrun = counters.passed((line.period for line, amount in more.items() if amount), model=call.model)
    _insert_entries(entry)
    _add([entry])
    return True


def _held(request_id: uuid.UUID) -> Held | None:
    """The open hold, kept from whoever would close it or count the same try meanwhile."""
    locked = "FOR UPDATE" if connection.vendor == "postgresql" else ""  # SQLite: one writer at a time
    rows = fetch(_HELD.format(locked=locked), request_id)
    return Held(rows[0][0], limits.as_moment(rows[0][1]), *rows[0][2:]) if rows else None


def _close(request_ids: Iterable[uuid.UUID], *, state: str, now: dt.datetime) -> dict[uuid.UUID, Held]:
    ids = list(request_ids)
    if not ids:
        return {}
    rows = fetch(_CLOSE.format(ids=marks(ids)), state, now, *ids)
    return {limits.as_uuid(request): Held(pk, limits.as_moment(at), *rest) for pk, request, at, *rest in rows}


def correct(
    request_id: uuid.UUID, *, tokens: tuple[int, int] = (0, 0), cost_micro: int = 0, requests: int = 0, reason: str,
    by: uuid.UUID | None, now: dt.datetime,
) -> LedgerEntry:  # fmt: skip
    """A further entry for a settled call: more or (negative) less input and output, money of the organisation's, requests.

    Part of the caller's transaction. Raises LookupError for a call without a settlement, ValueError for less than nothing.
    """
    settled = Reservation.objects.select_for_update().filter(request_id=request_id, state=Reservation.State.SETTLED)
    row = settled.first()
    if row is None:
        raise LookupError(request_id)
    so_far = list(LedgerEntry.objects.filter(request_id=request_id).order_by("pk"))
    first = next(entry for entry in so_far if entry.kind == LedgerEntry.Kind.SETTLE)
    entry = LedgerEntry(
        request_id=request_id,
        attempt=sum(e.kind == LedgerEntry.Kind.CORRECTION for e in so_far) + 1,
        kind=LedgerEntry.Kind.CORRECTION,
        reserved_at=first.reserved_at,
        at=now,
        requests=requests,
        reason=reason,
        by=by,
        **entries.of_the_call(first),
    )
    entry.input_tokens, entry.output_tokens = tokens
    entry.organisation_cost_micro = cost_micro if first.organisation_cost_micro is not None else None
    every = [*so_far, entry]
    sums = {name: sum(getattr(e, name) or 0 for e in every) for name in ("requests", *_WHOLE)}
    if min(sums.values()) < 0:
        raise ValueError("a correction cannot take more back than was counted")
    _insert_entries(entry)
    counters.count({line: entries.counted(entry, unit=line.unit) for line in counters.lines([row.pk])}, now=now)
    _add([entry])
    return entry


_WHOLE = ("input_tokens", "output_tokens", "organisation_cost_micro")
