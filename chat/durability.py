"""Which commits wait for the disk: a send and an ending do; what only says how far the work has come does not.

A commit that does not wait survives the death of each of our processes. A power cut, and on a server a crash of the database, may
take the last ones back, consistently (the newest first), and the work they spoke of is then done again. So on a server it is on the
disk that a call goes out, and with it the claim before it: or an answer whose claim was taken back would be paid and written twice.
"""

from __future__ import annotations

from django.db import connection


def may_be_taken_back() -> bool:
    """Whether a commit that did not wait may be undone by less than a power cut: a server can crash without its machine."""
    return connection.vendor == "postgresql"


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
