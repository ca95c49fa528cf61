"""Holds that live by a lease of their own: renewed while their calls run, moved to another provider, counted as places.

Opens and closes none; usage.quotas does. A call whose hold is not renewed is settled by usage.recovery.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Mapping

from django.db import transaction

from accounts.prepared import execute, fetch
from usage.limits import as_uuid

_RENEW = """
UPDATE usage_reservation SET lease_expires_at = %s, produced = %s WHERE request_id = %s AND state = 'held'
"""
_MOVE = "UPDATE usage_reservation SET provider = %s WHERE request_id = %s AND state = 'held'"
_PLACES = """
SELECT provider, COUNT(*) FROM usage_reservation WHERE state = 'held' AND provider IS NOT NULL GROUP BY provider
"""


def renew(produced: Mapping[uuid.UUID, int], *, until: dt.datetime) -> set[uuid.UUID]:
    """Calls that go on, each with the tokens of its answer so far. Returned are those whose hold is not theirs any more."""
    with transaction.atomic():
        return {request for request, tokens in produced.items() if not execute(_RENEW, until, tokens, request)}


def move(request_id: uuid.UUID, *, provider: uuid.UUID) -> bool:
    """The call goes to another provider; False when its hold is closed."""
    return execute(_MOVE, provider, request_id) == 1


def places() -> Counter[uuid.UUID]:
    """How many of each provider's places are taken by such holds."""
    return Counter({as_uuid(provider): count for provider, count in fetch(_PLACES)})
