"""The one "now" of the product: the database's clock, so that machines with wrong clocks agree.

`Now` goes into queries; `now()` asks for it; nothing here caches or converts time zones.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

__all__ = ["Now", "now"]


def now() -> dt.datetime:
    """The database's time, aware, in UTC (one query on a server; on SQLite this machine's clock is the database's)."""
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        value: dt.datetime = cursor.fetchone()[0]
    return value
