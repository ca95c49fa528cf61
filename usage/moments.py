"""Moments as an administrator types and reads them, on the organisation's clock. Periods of limits stand elsewhere."""

from __future__ import annotations

import datetime as dt
import re
from zoneinfo import ZoneInfo

from django.conf import settings

from accounts.models import Organisation
from usage import periods
from usage.limit_models import Period

_TYPED = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::\d{2})?)?")


def zone(organisation: Organisation) -> ZoneInfo:
    """The organisation's time zone, else the setting's."""
    return periods.zone(organisation.time_zone or settings.TIME_ZONE)


def begin_of(day: dt.date, *, tz: ZoneInfo) -> dt.datetime:
    """When that day begins there, in UTC."""
    return periods.window(Period.DAY, dt.datetime.combine(day, dt.time(12), tzinfo=tz), tz=tz).starts_at


def read(text: str, *, tz: ZoneInfo) -> dt.datetime:
    """ "2026-12-01", "2026/12/1 9:30": in UTC, to the minute. Raises ValueError."""
    found = _TYPED.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute = (int(part or 0) for part in found.groups())
    return dt.datetime(year, month, day, hour, minute, tzinfo=tz).astimezone(dt.UTC)


def told(at: dt.datetime, *, tz: ZoneInfo) -> str:
    """The same the other way round: "2026-12-01 09:30"."""
    return at.astimezone(tz).strftime("%Y-%m-%d %H:%M")
