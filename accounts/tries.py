"""Counts tries and says when it is enough: one row a count, one statement a try, right with any number of processes.

A count begins with its first try and ends `per` seconds later, whatever is tried meanwhile: nobody can keep it from ending.
Knows nothing about people or requests.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import F

from accounts import clock
from accounts.models import Tries

_TAKE = """
INSERT INTO accounts_tries (key, count, ends) VALUES (%s, 1, %s)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN accounts_tries.ends <= %s THEN 1 ELSE accounts_tries.count + 1 END,
    ends = CASE WHEN accounts_tries.ends <= %s THEN excluded.ends ELSE accounts_tries.ends END
RETURNING count, ends
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of `what` within `per` seconds. `what` may hold names and addresses: only its digest is stored."""

    what: str
    most: int
    per: int

    @property
    def key(self) -> str:
        return hashlib.sha256(self.what.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pace:
    """How one limit stands: `left` of `most`, anew in `resets_s` seconds. `wait`: so many seconds until it may be done; 0: now."""

    most: int
    left: int
    resets_s: int
    wait: int = 0


class _Enough(Exception):
    """Takes back what this try has counted so far."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self.pace = pace


def take(*limits: Limit) -> int:
    """Counts a try against all limits together; 0 if it may be done, else the seconds until it may, and nothing is counted."""
    return pace(*limits).wait


def pace(*limits: Limit) -> Pace:
    """The same, and how the limit stands that leaves least."""
    now = math.floor(clock.now().timestamp())
    try:
        with transaction.atomic():
            return min((_count(limit, now=now) for limit in limits), key=lambda pace: pace.left)
    except _Enough as enough:
        return enough.pace


def give_back(*limits: Limit) -> None:
    """The try was none of those that are meant: it was right."""
    for limit in limits:
        Tries.objects.filter(key=limit.key, count__gt=0).update(count=F("count") - 1)


def forget(*limits: Limit) -> int:
    """Begins to count anew."""
    return Tries.objects.filter(key__in=[limit.key for limit in limits]).delete()[0]


def sweep() -> int:
    """Deletes counts that have ended."""
    return Tries.objects.filter(ends__lte=math.floor(clock.now().timestamp())).delete()[0]


def _count(limit: Limit, *, now: int) -> Pace:
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [limit.key, now + limit.per, now, now])
        count, ends = cursor.fetchone()
    resets = max(1, ends - now)
    if count > limit.most:
        raise _Enough(Pace(limit.most, 0, resets, wait=resets))
    return Pace(limit.most, limit.most - count, resets)
