"""How often somebody may ask: per person over all her keys and tokens, per key, and at the door per address.

accounts.tries counts, in the database: right over any number of threads and processes, and moved by no header of a client.
A minute begins with its first request; within any 60 seconds at most twice the limit passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts import lockout, tries
from accounts.authentication import Principal
from accounts.tries import Limit, Pace
from api import errors

if TYPE_CHECKING:  # it reads the settings that name this file
    from rest_framework.views import APIView


def of(principal: Principal) -> list[Limit]:
    """The limits of a living credential: its person's, and for a key its own."""
    limits = [Limit(f"api:person:{principal.uuid}", settings.API_PER_MINUTE, 60)]
    if principal.key is not None:
        limits.append(Limit(f"api:key:{principal.key.uuid}", settings.API_KEY_PER_MINUTE, 60))
    return limits


def counted(*limits: Limit) -> Pace:
    """Counts one request against all of these together; how the one that leaves least stands then."""
    with _not_waiting_for_the_disk():
        return tries.pace(*limits)


class Paced(BaseThrottle):
    """Counts a request of a living credential against its person and, for a key, against that key."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        found = request.auth
        if isinstance(found, Principal):
            count(*of(found), request=request)
        return True


class DoorPaced(BaseThrottle):
    """Counts a request without a credential against the address it comes from (IPv6: against the /64)."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        asked: HttpRequest = request._request
        count(Limit(f"api:door:{lockout.address(asked)}", settings.API_DOOR_PER_MINUTE, 60), request=request)
        return True


def count(*limits: Limit, request: Request | None = None) -> None:
    """Counts one request against all of these together, and notes with it how they stand (`tell`).

    Raises a 429 when one of them is used up; then none is counted.
    """
    pace = counted(*limits)
    if request is not None:
        request._request.pace = pace  # type: ignore[attr-defined]  # for `tell`
    if pace.wait:
        raise errors.too_many(pace.wait)


def tell(request: Request, response: Response) -> None:
    """Says in every answer how often may still be asked: of the limit that leaves least, in requests and seconds."""
    pace: Pace | None = getattr(request._request, "pace", None)
    if pace is not None:
        response["X-RateLimit-Limit"] = str(pace.most)
        response["X-RateLimit-Remaining"] = str(pace.left)
        response["X-RateLimit-Reset"] = str(pace.resets_s)


@contextmanager
def _not_waiting_for_the_disk() -> Iterator[None]:
    """For this one commit: a counter that a power cut takes back is no loss. What the thread commits next waits again."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic():
            _say("SET LOCAL synchronous_commit = off")
            yield
    else:
        _say("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            _say("PRAGMA synchronous = FULL")


def _say(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
