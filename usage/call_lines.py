"""Writes the lines of calls, and the row of a question that was refused, in the caller's transaction. Decides nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from accounts.prepared import Insert
from usage.line_models import CallLine
from usage.models import REFUSED, Invocation, Source

__all__ = ["REFUSED", "CallLine", "Kind", "refuse", "write"]
Kind = CallLine.Kind
_insert = Insert(CallLine)
_insert_call = Insert(Invocation, or_ignore=True)


def write(lines: Iterable[CallLine]) -> None:
    """Adds the lines with one statement; none without lines."""
    _insert.all(*lines)


def refuse(
    request_id: UUID,
    *,
    why: str,
    person: tuple[UUID, str],
    team: tuple[UUID | None, str],
    model: tuple[UUID | None, str],
    now: dt.datetime,
    source: str = Source.PAGE,
    key: UUID | None = None,
) -> None:
    """A question that was refused, under the id that its asker was told; each pair is an id and its name."""
    _insert_call(
        Invocation(
            request_id=request_id,
            source=source,
            key=key,
            person=person[0],
            person_name=person[1],
            team=team[0],
            team_name=team[1],
            model=model[0],
            model_name=model[1],
            created_at=now,
            finished_at=now,
            outcome=REFUSED,
            error_kind=why,
        )
    )
