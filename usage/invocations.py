"""Writes the row of a finished call, and what it adds to the sums over calls. Reads nothing, prices nothing."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.prepared import Insert
from usage.limits import as_uuid
from usage.models import Invocation
from usage.rollups import Tally

_insert = Insert(Invocation, or_ignore=True)


def record(rows: Iterable[Invocation], *, tally: Tally | None = None) -> None:
    """Adds the rows, in the caller's transaction; a request that has one already is left as it is and counts no second time.

    `tally` holds what the same transaction has settled: it is written with them.
    """
    calls = list(rows)
    new = {as_uuid(value) for value in _insert.returning("request_id", *calls)}
    tally = tally or Tally()
    tally.calls(call for call in calls if call.request_id in new)
    tally.write()
