"""Which months there are, where one begins and ends, and whether it is closed. Reads only.

A month is one of the organisation's clock. Once it is closed it stays where it was, and its neighbours begin and end there, so that a
change of the time zone leaves no moment out and counts none twice.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db.models import Q

from usage import moments
from usage.models import ClosedMonth, LedgerEntry

SETTLED_AFTER = dt.timedelta(minutes=10)
"""So long after its end a month can be closed: what was accepted in its last moment has been written down by then."""
_NAME = re.compile(r"(\d{4})-(\d{2})")
_EARLIEST = dt.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Month:
    """[starts_at, ends_at) in UTC; `closed` is its row, or None while it is open."""

    first: dt.date
    starts_at: dt.datetime
    ends_at: dt.datetime
    closed: ClosedMonth | None = None

    @property
    def name(self) -> str:
        """As addresses and files say it: "2026-10"."""
        return f"{self.first:%Y-%m}"

    @property
    def last(self) -> dt.date:
        """Its last day."""
        return after(self.first) - dt.timedelta(days=1)

    def is_over(self, now: dt.datetime) -> bool:
        """Whether it can be closed as far as time goes."""
        return now >= self.ends_at + SETTLED_AFTER


def day_of(name: str) -> dt.date:
    """The first day of the month of this name. Raises ValueError for what is no month, or none of this portal's."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(name)
    first = dt.date(int(found[1]), int(found[2]), 1)
    if not _EARLIEST <= first < dt.date(2999, 1, 1):
        raise ValueError(name)
    return first


def after(first: dt.date) -> dt.date:
    """The first day of the next month."""
    return (first + dt.timedelta(days=32)).replace(day=1)


def before(first: dt.date) -> dt.date:
    """The first day of the month before."""
    return (first - dt.timedelta(days=1)).replace(day=1)


def of(first: dt.date, *, tz: ZoneInfo) -> Month:
    """The month that begins on this day. One query."""
    return several([first], tz=tz)[0]


def several(firsts: list[dt.date], *, tz: ZoneInfo) -> list[Month]:
    """The same of many, in their order. One query."""
    beside = {day for first in firsts for day in (before(first), first, after(first))}
    closed = {row.first: row for row in ClosedMonth.objects.filter(first__in=beside)}
    return [_placed(first, closed, tz=tz) for first in firsts]


def _placed(first: dt.date, closed: dict[dt.date, ClosedMonth], *, tz: ZoneInfo) -> Month:
    row = closed.get(first)
    if row is not None:
        return Month(first, row.starts_at, row.ends_at, row)
    earlier, later = closed.get(before(first)), closed.get(after(first))
    starts = earlier.ends_at if earlier else moments.begin_of(first, tz=tz)
    ends = later.starts_at if later else moments.begin_of(after(first), tz=tz)
    return Month(first, starts, max(ends, starts + dt.timedelta(minutes=15)))


def current(now: dt.datetime, *, tz: ZoneInfo) -> dt.date:
    """The first day of the month that runs there."""
    return now.astimezone(tz).date().replace(day=1)


def holding(at: dt.datetime, *, tz: ZoneInfo) -> dt.date:
    """The first day of the month in which this moment counts. One query."""
    row = ClosedMonth.objects.filter(starts_at__lte=at, ends_at__gt=at).first()
    return row.first if row else current(at, tz=tz)


def earliest(*, tz: ZoneInfo) -> dt.date | None:
    """The first day of the first month of which the ledger or a closed month knows; None: nothing was ever counted. Two queries."""
    at = LedgerEntry.objects.order_by("reserved_at").values_list("reserved_at", flat=True).first()
    closed = ClosedMonth.objects.order_by("first").values_list("first", flat=True).first()
    found = [current(at, tz=tz)] if at else []
    return min([*found, *([closed] if closed else [])], default=None)


def open_before(now: dt.datetime, *, tz: ZoneInfo, most: int = 36) -> list[Month]:
    """Months that are over, hold something and are not closed, the oldest first. Four queries."""
    first, running = earliest(tz=tz), current(now, tz=tz)
    firsts: list[dt.date] = []
    while first is not None and first < running and len(firsts) < most:
        firsts.append(first)
        first = after(first)
    closed = set(ClosedMonth.objects.filter(Q(first__in=firsts)).values_list("first", flat=True))
    return [month for month in several([day for day in firsts if day not in closed], tz=tz) if month.is_over(now)]
