"""How the watcher learns that something was committed, without asking for rows: one small class per database."""

from __future__ import annotations

import time
from typing import Protocol

import psycopg
from django.conf import settings
from django.db import connection

# SQLite's data_version costs a few microseconds to read; so often it is looked at (seconds).
PEEK_S = 0.005


class Wakeup(Protocol):
    """`wait` returns when something may have been committed, at the latest after `timeout` seconds."""

    def wait(self, *, timeout: float) -> None: ...

    def close(self) -> None: ...


class DataVersion:
    """SQLite: `PRAGMA data_version` of this thread's connection changes with every commit of another one."""

    def __init__(self) -> None:
        connection.ensure_connection()
        # Bare: it is asked two hundred times a second, and there is nothing to log or to wrap.
        self._raw = connection.connection
        self._seen = self._read()

    def _read(self) -> int:
        return int(self._raw.execute("PRAGMA data_version").fetchone()[0])

    def wait(self, *, timeout: float) -> None:
        until = time.monotonic() + timeout
        while True:
            time.sleep(PEEK_S)
            version = self._read()
            if version != self._seen or time.monotonic() >= until:
                self._seen = version
                return

    def close(self) -> None:
        """The connection is the thread's own."""


class Notify:
    """PostgreSQL: LISTEN on a connection of its own (the other one asks for rows)."""

    def __init__(self) -> None:
        if settings.LISTEN_URL:
            self._connection = psycopg.connect(settings.LISTEN_URL, autocommit=True)
        else:
            given = connection.get_connection_params()
            given.pop("cursor_factory", None)
            given.pop("context", None)
            self._connection = psycopg.connect(**given, autocommit=True)
        self._connection.execute("LISTEN live")

    def wait(self, *, timeout: float) -> None:
        for _ in self._connection.notifies(timeout=max(0.001, timeout), stop_after=1):
            break

    def close(self) -> None:
        self._connection.close()


def make_wakeup() -> Wakeup:
    """The one for this installation's database."""
    return Notify() if connection.vendor == "postgresql" else DataVersion()
