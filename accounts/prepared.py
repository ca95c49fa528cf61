"""Statements of the hot path, built once and run many times: building one costs Django several times what running it does.

The rows are ordinary model instances. Knows no model of its own, keeps no row.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.query import get_related_populators


def stored(value: Any) -> Any:
    """A parameter of a raw statement as this database stores it (UUIDs and moments differ)."""
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, uuid.UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value


def execute(sql: str, *values: Any) -> int:
    """Runs a statement that returns nothing; how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [stored(value) for value in values])
        return int(cursor.rowcount)


def fetch(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, as the driver gives them."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [stored(value) for value in values])
        return list(cursor.fetchall())


def marks(values: Iterable[Any]) -> str:
    """As many placeholders as there are values, for `IN (…)`."""
    return ", ".join("%s" for _ in values)


@dataclass
class _Compiled:
    sql: str
    params: list[Any]
    slots: list[tuple[int, int]]  # (place in params, which value)
    read: Callable[[list[Any]], list[Any]]


class Prepared:
    """A queryset with open places. `build` is called once per connection with `samples`; each stands in it, once or more often.

    Samples are values that nothing else in the query has, of the type that will be given later.
    """

    def __init__(self, build: Callable[..., models.QuerySet[Any, Any]], *samples: Any) -> None:
        self._build = build
        self._samples = samples

    def rows(self, *values: Any) -> list[Any]:
        """Instances (or tuples, for a `values_list`) for these values."""
        compiled = self._compiled()
        params = compiled.params.copy()
        for place, which in compiled.slots:
            params[place] = stored(values[which])
        with connection.cursor() as cursor:
            cursor.execute(compiled.sql, params)
            found = cursor.fetchall()
        return compiled.read(found) if found else []

    def first(self, *values: Any) -> Any:
        """The first row, or None."""
        return next(iter(self.rows(*values)), None)

    def _compiled(self) -> _Compiled:
        known: dict[Prepared, _Compiled] = vars(connections[DEFAULT_DB_ALIAS]).setdefault(
            "_prepared", {}
        )  # this thread's
        found = known.get(self)
        if found is None:
            found = known[self] = self._compile()
        return found

    def _compile(self) -> _Compiled:
        queryset = self._build(*self._samples)
        compiler: Any = queryset.query.get_compiler(using=connection.alias)
        sql, given = compiler.as_sql()
        params = list(given)
        places = {stored(sample): which for which, sample in enumerate(self._samples)}
        slots = [(place, places[value]) for place, value in enumerate(params) if value in places]
        assert {which for _place, which in slots} == set(places.values())
        return _Compiled(sql, params, slots, _reader(compiler))


class PreparedIn:
    """A queryset of rows with given primary keys, built once for 1, 4, 16, 64 … keys: one statement for any number of rows."""

    def __init__(self, build: Callable[[list[int]], models.QuerySet[Any, Any]]) -> None:
        self._build = build
        self._sizes: dict[int, Prepared] = {}

    def rows(self, keys: Iterable[int]) -> list[Any]:
        """The rows that there are, in no order."""
        wanted = list(keys)
        if not wanted:
            return []
        size = 1
        while size < len(wanted):
            size *= 4
        prepared = self._sizes.get(size)
        if prepared is None:
            prepared = self._sizes[size] = Prepared(lambda *keys: self._build([*keys]), *range(-size, 0))
        return prepared.rows(*wanted, *[wanted[-1]] * (size - len(wanted)))


def _reader(compiler: Any) -> Callable[[list[Any]], list[Any]]:
    """What turns the driver's rows into instances, as ModelIterable does."""
    converters = compiler.get_converters([s[0] for s in compiler.select[: compiler.col_count]])

    def converted(rows: list[Any]) -> Any:
        return compiler.apply_converters(rows, converters) if converters else rows

    info = compiler.klass_info
    if info is None:
        return lambda rows: [tuple(row) for row in converted(rows)]
    model, fields = info["model"], info["select_fields"]
    start, end = fields[0], fields[-1] + 1
    names = [s[0].target.attname for s in compiler.select[start:end]]
    related = get_related_populators(info, compiler.select, compiler.using)  # type: ignore[call-arg]  # stubs of a newer Django

    def read(rows: list[Any]) -> list[Any]:
        made = []
        for row in converted(rows):
            instance = model.from_db(compiler.using, names, row[start:end])
            for populator in related:
                populator.populate(row, instance)
            made.append(instance)
        return made

    return read


class Insert:
    """Writes new rows of one model, without signals. With `or_ignore` a row that breaks a unique rule is left out."""

    def __init__(self, model: type[models.Model], *, or_ignore: bool = False) -> None:
        self._model = model
        self._or_ignore = or_ignore
        self._fields: list[tuple[Any, type | None]] = []
        self._head = self._row = ""

    def _prepare(self) -> None:
        meta = self._model._meta
        fields = [f for f in meta.concrete_fields if not f.primary_key]
        self._fields = [(f, _plain(f)) for f in fields]
        columns = ", ".join(f'"{f.column}"' for f in fields)
        self._head = f'INSERT INTO "{meta.db_table}" ({columns}) VALUES '  # noqa: S608  # names of our own model
        self._row = f"({marks(self._fields)})"

    def __call__(self, *rows: models.Model) -> None:
        if not self._head:
            self._prepare()
        if not rows:
            return
        with connection.cursor() as cursor:
            if self._or_ignore:
                cursor.execute(f"{self._every(rows)} ON CONFLICT DO NOTHING", self._all_values(rows))
                return
            for row in rows:
                cursor.execute(f'{self._head}{self._row} RETURNING "id"', self._values(row))
                row.pk = cursor.fetchone()[0]
                row._state.adding, row._state.db = False, connection.alias

    def all(self, *rows: models.Model) -> None:
        """The same with one statement for all of them; their primary keys stay unknown."""
        if rows:
            with connection.cursor() as cursor:
                cursor.execute(self._every(rows), self._all_values(rows))

    def returning(self, column: str, *rows: models.Model) -> list[Any]:
        """The same with `or_ignore`; this column of those that are new, as the driver gives it."""
        if not rows:
            return []
        with connection.cursor() as cursor:
            cursor.execute(f'{self._every(rows)} ON CONFLICT DO NOTHING RETURNING "{column}"', self._all_values(rows))
            return [found[0] for found in cursor.fetchall()]

    def _every(self, rows: Sequence[models.Model]) -> str:
        if not self._head:
            self._prepare()
        return self._head + ", ".join([self._row] * len(rows))

    def _all_values(self, rows: Sequence[models.Model]) -> list[Any]:
        return [value for row in rows for value in self._values(row)]

    def _values(self, row: models.Model) -> list[Any]:
        return [_value(row, field, plain) for field, plain in self._fields]


_WHOLE = (
    models.IntegerField,
    models.BigIntegerField,
    models.SmallIntegerField,
    models.PositiveIntegerField,
    models.PositiveBigIntegerField,
    models.PositiveSmallIntegerField,
    models.ForeignKey,
)
_PLAIN: dict[type, type] = dict.fromkeys(_WHOLE, int) | {
    models.CharField: str,
    models.TextField: str,
    models.BooleanField: bool,
    models.DateTimeField: dt.datetime,
    models.UUIDField: uuid.UUID,
}


def _plain(field: Any) -> type | None:
    """The type whose values such a field stores as `stored` gives them; None: the field has a way of its own."""
    return (
        None if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False) else _PLAIN.get(type(field))
    )


def _value(row: models.Model, field: Any, plain: type | None) -> Any:
    """What the driver is given. Most values are stored as they are; others, and choices (types of their own), go Django's way."""
    if plain is not None:
        value = getattr(row, field.attname)
        if value is None:
            return None
        if type(value) is plain and not (isinstance(value, dt.datetime) and value.tzinfo is None):
            return stored(value)
    return field.get_db_prep_save(field.pre_save(row, True), connection=connection)
