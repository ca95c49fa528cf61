"""What a request did to the database: the rows before and after, column by column, or just the tables it wrote to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, transaction

Snapshot = dict[str, dict[Any, dict[str, Any]]]
KEPT_BY_LOOKING = frozenset({"django_session", "accounts_tries", "accounts_loginsession"})
"""Tables that any request may write to: sessions and when they were last used, and counts of tries."""
_WRITES = re.compile(r'\s*(?:INSERT(?: OR \w+)? INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A column of a row that was there before and is another now; "+" and "-" for rows that came and went."""

    table: str
    what: str
    row: str = ""

    def __str__(self) -> str:
        return f"{self.table}.{self.what} ({self.row})"


def snapshot() -> Snapshot:
    """Every row by its table and key."""
    return {
        model._meta.label: {row[model._meta.pk.attname]: row for row in model._base_manager.values()}
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
    }


def differences(before: Snapshot, after: Snapshot) -> list[Difference]:
    """What has changed, column by column."""
    found = []
    for table, old in before.items():
        new = after[table]
        found += [Difference(table, "+", str(key)) for key in new.keys() - old.keys()]
        found += [Difference(table, "-", str(key)) for key in old.keys() - new.keys()]
        for key in old.keys() & new.keys():
            found += [Difference(table, name, str(key)) for name in old[key] if old[key][name] != new[key][name]]
    return sorted(found)


@contextmanager
def undone() -> Iterator[None]:
    """What is changed inside is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def written() -> Iterator[set[str]]:
    """The tables that are written to inside, but for those that any request may write to."""
    found: set[str] = set()

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if (match := _WRITES.match(sql)) and match[1] not in KEPT_BY_LOOKING:
            found.add(match[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found
