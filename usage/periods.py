"""Calendar windows in a time zone, as half-open intervals of UTC. Pure: no database, no clock of its own.

A day is from midnight to midnight there: 23, 24 or 25 hours. Weeks begin on Monday. Windows of one kind never overlap and leave
no gap; an hour or minute that the clock shows twice is one window of two.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from usage.limit_models import Period

BEGIN = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
"""The window of what has none."""


@dataclass(frozen=True, slots=True)
class Window:
    """[starts_at, ends_at) in UTC."""

    starts_at: dt.datetime
    ends_at: dt.datetime


def zone(name: str, *, otherwise: str = "UTC") -> ZoneInfo:
    """The time zone of this name; one that nobody knows is `otherwise`."""
    try:
        return ZoneInfo(name or otherwise)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(otherwise)


def window(period: str, at: dt.datetime, *, tz: ZoneInfo) -> Window:
    """The window of this kind that holds the moment."""
    if period == Period.NONE:
        return Window(BEGIN, END)
    if period in (Period.MINUTE, Period.HOUR):
        return _short(3600 if period == Period.HOUR else 60, at, tz=tz)
    day = at.astimezone(tz).date()
    # A day may be skipped altogether (Samoa, 2011) and midnight may be: the window is found by where its ends really lie.
    first, after = _dates(period, day)
    starts, ends = _begin(first, tz=tz), _begin(after, tz=tz)
    while at < starts:
        first, after = _dates(period, first - dt.timedelta(days=1))
        starts, ends = _begin(first, tz=tz), starts
    while at >= ends:
        first, after = _dates(period, after)
        starts, ends = ends, _begin(after, tz=tz)
    return Window(starts, ends)


def _dates(period: str, day: dt.date) -> tuple[dt.date, dt.date]:
    """The first day of the window with this day, and the first day after it."""
    if period == Period.DAY:
        return day, day + dt.timedelta(days=1)
    if period == Period.WEEK:
        monday = day - dt.timedelta(days=day.weekday())
        return monday, monday + dt.timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + dt.timedelta(days=32)).replace(day=1)


def _begin(day: dt.date, *, tz: ZoneInfo) -> dt.datetime:
    """The first moment of a day there: its midnight, or what the clock shows instead of one that is skipped; of two the first."""
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=tz).astimezone(dt.UTC)
    shown = midnight.astimezone(tz)
    if shown.date() == day and (shown.hour, shown.minute, shown.second) == (0, 0, 0):
        return midnight
    return _jump(midnight - dt.timedelta(days=2), midnight + dt.timedelta(days=2), day=day, tz=tz)


def _jump(low: dt.datetime, high: dt.datetime, *, day: dt.date, tz: ZoneInfo) -> dt.datetime:
    """The first second at which the date there is `day` or later."""
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(tz).date() >= day:
            high = middle
        else:
            low = middle
    return high


def _short(seconds: int, at: dt.datetime, *, tz: ZoneInfo) -> Window:
    """Minutes and hours as the clock there shows them. Where it is moved by less than an hour, the hour is cut there."""
    length = dt.timedelta(seconds=seconds)
    shift = _shift(at, length=length, tz=tz)
    starts = at - (at - BEGIN + shift) % length
    ends = starts + length
    if _shift(starts, length=length, tz=tz) != shift:
        starts = _change(starts, at, length=length, tz=tz)
    if _shift(ends - dt.timedelta(seconds=1), length=length, tz=tz) != shift:
        ends = _change(at, ends, length=length, tz=tz)
    return Window(starts, ends)


def _shift(at: dt.datetime, *, length: dt.timedelta, tz: ZoneInfo) -> dt.timedelta:
    """How far the full hours (or minutes) there lie beside those of UTC."""
    return (at.astimezone(tz).utcoffset() or dt.timedelta()) % length


def _change(low: dt.datetime, high: dt.datetime, *, length: dt.timedelta, tz: ZoneInfo) -> dt.datetime:
    """The second at which the clock is moved, after `low` and not after `high`."""
    before = _shift(low, length=length, tz=tz)
    low, high = low.replace(microsecond=0), high.replace(microsecond=0) + dt.timedelta(seconds=1)
    while high - low > dt.timedelta(seconds=1):
        middle = (low + (high - low) // 2).replace(microsecond=0)
        if _shift(middle, length=length, tz=tz) == before:
            low = middle
        else:
            high = middle
    return high
