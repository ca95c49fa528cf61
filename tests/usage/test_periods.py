"""Windows: every moment lies in exactly one, in every zone, on the days too on which the clock is moved."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage import periods
from usage.limit_models import Period

UTC = dt.UTC
NAMED = (
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # moves by half an hour
    "Asia/Kolkata",
    "America/Sao_Paulo",  # moved at midnight, until 2019
    "Pacific/Apia",  # skipped a whole day in 2011
    "Africa/Casablanca",
    "Asia/Beirut",
)
WITH_WINDOW = [period for period in Period if period != Period.NONE]
SECOND = dt.timedelta(seconds=1)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "moment", "starts", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T10:00+00:00", "2026-03-28T23:00+00:00", 23),
        ("Europe/Berlin", "2026-10-25T10:00+00:00", "2026-10-24T22:00+00:00", 25),
        ("America/New_York", "2026-03-08T12:00+00:00", "2026-03-08T05:00+00:00", 23),
        ("America/New_York", "2026-11-01T12:00+00:00", "2026-11-01T04:00+00:00", 25),
        ("Asia/Shanghai", "2026-06-01T15:59:59+00:00", "2026-05-31T16:00+00:00", 24),
        ("Asia/Shanghai", "2026-06-01T16:00:00+00:00", "2026-06-01T16:00+00:00", 24),
        ("America/Sao_Paulo", "2018-11-04T12:00+00:00", "2018-11-04T03:00+00:00", 23),
        ("Pacific/Apia", "2011-12-30T09:59:59+00:00", "2011-12-29T10:00+00:00", 24),
        ("Pacific/Apia", "2011-12-30T10:00:00+00:00", "2011-12-30T10:00+00:00", 24),
    ],
)
def test_a_day_is_from_midnight_to_midnight_there(zone: str, moment: str, starts: str, hours: int) -> None:
    found = periods.window(Period.DAY, at(moment), tz=ZoneInfo(zone))
    assert found == periods.Window(at(starts), at(starts) + dt.timedelta(hours=hours))


def test_a_week_begins_on_monday_and_a_month_on_its_first() -> None:
    tz = ZoneInfo("Asia/Shanghai")
    sunday = at("2026-03-01T15:59:59+00:00")  # still Sunday there
    week = periods.window(Period.WEEK, sunday, tz=tz)
    assert week == periods.Window(at("2026-02-22T16:00+00:00"), at("2026-03-01T16:00+00:00"))
    assert periods.window(Period.WEEK, week.ends_at, tz=tz).starts_at == week.ends_at
    month = periods.window(Period.MONTH, sunday, tz=tz)
    assert month == periods.Window(at("2026-02-28T16:00+00:00"), at("2026-03-31T16:00+00:00"))


def test_hours_are_those_of_the_clock_there() -> None:
    moment = at("2026-06-01T10:10:10+00:00")
    found = periods.window(Period.HOUR, moment, tz=ZoneInfo("Asia/Kolkata"))
    assert found == periods.Window(at("2026-06-01T09:30+00:00"), at("2026-06-01T10:30+00:00"))
    minute = periods.window(Period.MINUTE, moment, tz=ZoneInfo("Asia/Kolkata"))
    assert minute == periods.Window(at("2026-06-01T10:10+00:00"), at("2026-06-01T10:11+00:00"))


def test_what_has_no_window_has_one_for_ever_and_an_unknown_zone_is_utc() -> None:
    assert periods.window(Period.NONE, at("2026-01-01T00:00+00:00"), tz=ZoneInfo("UTC")).ends_at == periods.END
    assert [periods.zone(name).key for name in ("", "Mars/Olympus", "../etc/passwd")] == ["UTC"] * 3


@given(
    zone=st.sampled_from(NAMED),
    period=st.sampled_from(WITH_WINDOW),
    moment=st.datetimes(dt.datetime(2005, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(UTC)),
)
def test_each_moment_lies_in_its_window_and_the_next_one_follows_without_a_gap(
    zone: str, period: Period, moment: dt.datetime
) -> None:
    tz = ZoneInfo(zone)
    found = periods.window(period, moment, tz=tz)
    assert found.starts_at <= moment < found.ends_at
    assert periods.window(period, found.starts_at, tz=tz) == found
    assert periods.window(period, found.ends_at - SECOND, tz=tz) == found
    assert periods.window(period, found.ends_at, tz=tz).starts_at == found.ends_at
    assert periods.window(period, found.starts_at - SECOND, tz=tz).ends_at == found.starts_at


@pytest.mark.parametrize("period", WITH_WINDOW)
@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("Europe/Berlin", "2026-03-29T01:00+00:00"),
        ("Europe/Berlin", "2026-10-25T01:00+00:00"),
        ("Australia/Lord_Howe", "2026-04-04T15:00+00:00"),
        ("Australia/Lord_Howe", "2026-10-03T15:30+00:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00+00:00"),
        ("America/Sao_Paulo", "2018-02-18T02:00+00:00"),
        ("Pacific/Apia", "2011-12-30T10:00+00:00"),
    ],
)
def test_where_the_clock_is_moved_windows_still_follow_each_other(period: Period, zone: str, around: str) -> None:
    tz = ZoneInfo(zone)
    moment = at(around) - dt.timedelta(hours=3)
    while moment < at(around) + dt.timedelta(hours=3):
        found = periods.window(period, moment, tz=tz)
        assert found.starts_at <= moment < found.ends_at, (moment, found)
        assert periods.window(period, found.ends_at, tz=tz).starts_at == found.ends_at, found
        moment = max(moment + dt.timedelta(minutes=7), min(found.ends_at, moment + dt.timedelta(minutes=7)))
