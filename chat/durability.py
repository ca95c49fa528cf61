"""Which commits wait for the disk: a send and an ending do; what only says how far the work has come does not.

A commit that does not wait survives the death of every process; a power cut may take the last ones back, consistently, and the
work they spoke of is then done again.
"""

from __future__ import annotations

from django.db import connection


def relax() -> None:
    """From now on this thread's commits do not wait for the disk. To be called before each unit: a new connection begins strict."""
    if connection.in_atomic_block:
        return
    connection.ensure_connection()
    raw = connection.connection
    if getattr(connection, "_relaxed", None) is raw:
        return
    with connection.cursor() as cursor:
        server = connection.vendor == "postgresql"
        cursor.execute("SET synchronous_commit = off" if server else "PRAGMA synchronous = NORMAL")
    connection._relaxed = raw  # type: ignore[attr-defined]  # kept with the connection it speaks of
