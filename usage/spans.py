"""The stretch of time that the desk looks at: an hour, a day, a week, a month, or any days, cut into steps on the organisation's clock.

Pure: no database, no clock of its own. Every end is a quarter of an hour, which is what sums are kept by.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from usage import moments
from usage.rollup_models import QUARTER_S

NAMES = ("hour", "day", "week", "month", "last")
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Span:
    """[edges[0], edges[-1]) in quarters since 1970, cut into steps; `unit` is what a step is: quarter, hour or day.

    `days`: the days there, where the span is whole days; else none.
    """

    name: str
    unit: str
    edges: tuple[int, ...]
    days: tuple[dt.date, ...] = ()

    @property
    def first(self) -> int:
        return self.edges[0]

    @property
    def end(self) -> int:
        return self.edges[-1]

    @property
    def starts_at(self) -> dt.datetime:
        return moment(self.first)

    @property
    def ends_at(self) -> dt.datetime:
        return moment(self.end)

    @property
    def seconds(self) -> int:
        return (self.end - self.first) * QUARTER_S

    def step(self, number: int) -> tuple[dt.datetime, dt.datetime]:
        """When a step begins and ends."""
        return moment(self.edges[number]), moment(self.edges[number + 1])


def moment(bucket: int) -> dt.datetime:
    """When that quarter begins."""
    return dt.datetime.fromtimestamp(bucket * QUARTER_S, dt.UTC)


def of(name: str, *, now: dt.datetime, tz: ZoneInfo) -> Span:
    """One of NAMES; what nobody knows is this month. The newest quarter is the one that is running."""
    running = int(now.timestamp()) // QUARTER_S + 1
    today = now.astimezone(tz).date()
    if name == "hour":
        return Span("hour", "quarter", tuple(range(running - 4, running + 1)))
    if name == "day":
        return Span("day", "hour", tuple(range(running - 96, running + 1, 4)))
    if name == "week":
        return of_days(today - dt.timedelta(days=6), today, tz=tz, name="week")
    first = today.replace(day=1)
    if name == "last":
        return of_days((first - dt.timedelta(days=1)).replace(day=1), first - dt.timedelta(days=1), tz=tz, name="last")
    return of_days(first, today, tz=tz, name="month")


def of_days(first: dt.date, last: dt.date, *, tz: ZoneInfo, name: str = "days") -> Span:
    """From the first moment of a day there to the end of another. Raises ValueError for none and for more than MOST_DAYS."""
    count = (last - first).days + 1
    if not 1 <= count <= MOST_DAYS:
        raise ValueError(f"{first} to {last}")
    days = [first + dt.timedelta(days=n) for n in range(count + 1)]
    edges = tuple(int(moments.begin_of(day, tz=tz).timestamp()) // QUARTER_S for day in days)
    return Span(name, "day", edges, tuple(days[:-1]))


def month(year: int, number: int, *, tz: ZoneInfo) -> Span:
    """A whole month there."""
    first = dt.date(year, number, 1)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    return of_days(first, after - dt.timedelta(days=1), tz=tz, name="days")


def before(span: Span, *, tz: ZoneInfo) -> Span:
    """What it is compared with: as many days of the month before for a month, else as long a stretch right before."""
    if not span.days:
        length = span.end - span.first
        return Span(span.name, span.unit, (span.first - length, span.first))
    first, count = span.days[0], len(span.days)
    if span.name in ("month", "last"):
        earlier = (first - dt.timedelta(days=1)).replace(day=1)
        last = first - dt.timedelta(days=1)
        if span.name == "month":
            last = min(last, earlier + dt.timedelta(days=count - 1))
        return of_days(earlier, last, tz=tz)
    return of_days(first - dt.timedelta(days=count), first - dt.timedelta(days=1), tz=tz)
