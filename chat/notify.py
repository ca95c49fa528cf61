"""Tells the web processes that something a reader can see was committed. SQLite needs no telling: its data_version changes."""

from __future__ import annotations

from django.db import connection


def readers() -> None:
    """Part of the caller's transaction: the word goes out with its commit, and once however often it was said."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('live', '')")
