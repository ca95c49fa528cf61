"""Writes the row of a finished call. Reads nothing, prices nothing yet."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.prepared import Insert
from usage.models import Invocation

_insert = Insert(Invocation, or_ignore=True)


def record(rows: Iterable[Invocation]) -> None:
    """Adds the rows, in the caller's transaction; a request that has one already is left as it is."""
    _insert(*rows)
