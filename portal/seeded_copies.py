"""Copies of the calls that are there, moved back by whole days, inside the database: ten million drawn one by one take an hour.

Rows, ledger and sums are copied alike, so that the sums stay those of the rows. For measurements only.
"""

from __future__ import annotations

from django.db import connection, models, transaction

from usage.models import Invocation, LedgerEntry
from usage.rollup_models import QUARTER_S
from usage.rollups import Table, tables

QUARTERS_A_DAY = 86_400 // QUARTER_S


def add(days: int) -> None:
    """Everything once more, so many days earlier; one transaction. Doubles what is there."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL statement_timeout = 0")
        for model in (Invocation, LedgerEntry):
            cursor.execute(_rows(model, days=days))
        for table in tables():
            cursor.execute(_sums(table, days=days))


def _rows(model: type[models.Model], *, days: int) -> str:
    table, fields = model._meta.db_table, [f for f in model._meta.concrete_fields if not f.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(_moved(field, days=days) for field in fields)
    return f'INSERT INTO "{table}" ({names}) SELECT {values} FROM "{table}"'  # noqa: S608  # names of our own models


def _moved(field: models.Field[object, object], *, days: int) -> str:
    """A column's value in the copy. Ids are made of the old ones, the same in both tables."""
    name, postgres = f'"{field.column}"', connection.vendor == "postgresql"
    if field.column in ("request_id", "uuid"):
        return f"md5({name}::text || '{days}')::uuid" if postgres else f"MD5({name} || '{days}')"
    if isinstance(field, models.DateTimeField):
        if postgres:
            return f"{name} - interval '{days} days'"
        return f"date({name}, '-{days} days') || substr({name}, 11)"
    return name


def _sums(table: Table, *, days: int) -> str:
    """The table's sums once more, under keys of other days, added as every ending adds its own."""
    moved = {"bucket": f'"bucket" - {days * QUARTERS_A_DAY}', "day": f"date(\"day\", '-{days} days')"}
    if connection.vendor == "postgresql":
        moved["day"] = f'"day" - {days}'
    columns = (*table.key, *table.sums)
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(moved.get(name, f'"{name}"') for name in columns)
    source = f'SELECT {values} FROM "{table.name}" WHERE true'  # noqa: S608  # names of our own models
    return f'INSERT INTO "{table.name}" AS r ({names}) {source}{table.tail}'
