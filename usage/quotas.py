"""Holds: what a call may cost at most is written before it is queued, and closed exactly once.

The only writer of Reservation. Limits are not enforced here yet: `reserve` is the place where they will refuse.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.prepared import Insert, execute, marks
from usage.models import Reservation

_insert = Insert(Reservation)
_CLOSE = "UPDATE usage_reservation SET state = %s, closed_at = %s WHERE state = 'held' AND request_id IN ({ids})"


@dataclass(frozen=True)
class Hold:
    """What a call may take at most (`tokens`: prompt and answer together), and for whom.

    A hold that no Generation owns has a life of `lease_s` seconds; after it usage.recovery settles it with `estimate` tokens.
    """

    request_id: uuid.UUID
    source: str
    person: uuid.UUID | None
    team: uuid.UUID | None
    key: uuid.UUID | None
    model: uuid.UUID | None
    tokens: int
    lease_s: float | None = None
    estimate: int = 0


def reserve(hold: Hold, *, now: dt.datetime) -> None:
    """Writes the hold; part of the caller's transaction. A second one for the same request is an IntegrityError."""
    row = Reservation(
        request_id=hold.request_id,
        source=hold.source,
        person=hold.person,
        team=hold.team,
        key=hold.key,
        model=hold.model,
        tokens=hold.tokens,
        estimate=hold.estimate,
        created_at=now,
        lease_expires_at=None if hold.lease_s is None else now + dt.timedelta(seconds=hold.lease_s),
    )
    _insert(row)


def settle(request_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> int:
    """Closes the holds of calls that reached a provider; how many were still held is returned. A repeat closes nothing."""
    return _close(request_ids, state=Reservation.State.SETTLED, now=now)


def release(request_ids: Iterable[uuid.UUID], *, now: dt.datetime) -> int:
    """Closes the holds of calls that cost nothing; a repeat closes nothing."""
    return _close(request_ids, state=Reservation.State.RELEASED, now=now)


def _close(request_ids: Iterable[uuid.UUID], *, state: str, now: dt.datetime) -> int:
    ids = list(request_ids)
    if not ids:
        return 0
    return execute(_CLOSE.format(ids=marks(ids)), state, now, *ids)
