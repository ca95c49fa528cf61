"""Writes the row of a finished call. Reads nothing, prices nothing yet."""

from __future__ import annotations

from collections.abc import Iterable

from usage.models import Invocation


def record(rows: Iterable[Invocation]) -> None:
    """Adds the rows in one statement, in the caller's transaction; a request that has one already is left as it is."""
    Invocation.objects.bulk_create(rows, ignore_conflicts=True)
