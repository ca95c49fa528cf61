"""Lifts the database's guard over the audit trail, the ledger and closed months: for planted faults and emptying. Tests only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection as default

if TYPE_CHECKING:  # importing it needs settings, and this module is imported before there are any
    from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "accounts_auditevent"
LEDGER = "usage_ledgerentry"
MONTH, MONTH_LINE = "usage_closedmonth", "usage_monthline"
GUARDED = (TABLE, LEDGER, MONTH, MONTH_LINE)


@contextmanager
def lifted(connection: BaseDatabaseWrapper, *, table: str = TABLE) -> Iterator[None]:
    """While it lasts, rows of the table can be changed and removed; afterwards the guard stands as before."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # What waits for the end of the transaction (foreign keys) would stand in the way of ALTER TABLE.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            again = [f"ALTER TABLE {table} ENABLE TRIGGER USER", "SET CONSTRAINTS ALL DEFERRED"]
        else:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
            found = cursor.fetchall()
            again = [sql for _, sql in found]
            for name, _ in found:
                cursor.execute(f"DROP TRIGGER {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in again:
                cursor.execute(statement, None)


def let_tests_empty_the_database() -> None:
    """A transactional test ends with an emptied database; the guard would refuse that, as it should elsewhere."""
    operations: Any = type(default.ops)
    flush = operations.execute_sql_flush

    def unguarded(self: Any, sql_list: Iterable[str]) -> None:
        with ExitStack() as free:
            for table in GUARDED:
                free.enter_context(lifted(self.connection, table=table))
            flush(self, sql_list)

    operations.execute_sql_flush = unguarded
