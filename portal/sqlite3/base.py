"""SQLite's own waiting for the writer's place sleeps up to 100 ms and lets latecomers pass: under load some wait for a second.

Here the threads of a process stand in line and only the first one asks, every millisecond. Changes nothing but the waiting.
"""

from __future__ import annotations

import threading
import time

from django.db import OperationalError
from django.db.backends.sqlite3.base import DatabaseWrapper as Django

ASK_S = 0.001
_line = threading.Lock()


class DatabaseWrapper(Django):
    """Begins writing transactions in turn; gives up after the connection's own time limit, as SQLite would."""

    def _start_transaction_under_autocommit(self) -> None:
        patience: float = self.settings_dict["OPTIONS"].get("timeout", 5)
        until = time.monotonic() + patience
        if not _line.acquire(timeout=patience):
            raise OperationalError("database is locked")
        # The bare connection: this is asked many times, and there is nothing to log or to wrap.
        raw = self.connection
        try:
            raw.execute("PRAGMA busy_timeout = 0")
            with self.wrap_database_errors:
                self._ask(until)
        finally:
            raw.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            _line.release()

    def _ask(self, until: float) -> None:
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except self.Database.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= until:
                    raise
                time.sleep(ASK_S)
            else:
                return
