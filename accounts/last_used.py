"""When a credential was used last: written at most once a minute, and never a reason to refuse the request."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging

from django.db import DatabaseError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.clock import Now
from accounts.models import ApiKey, LoginSession

EVERY = dt.timedelta(minutes=1)
log = logging.getLogger(__name__)


def note(row: ApiKey | LoginSession, *, address: str | None) -> None:
    """Notes that the credential was used now, unless that was written within the last minute."""
    if row.last_used_at is not None and row.last_used_at > timezone.now() - EVERY:
        return
    # Asked again in the statement: of many requests at once only one writes.
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - EVERY)
    try:
        # Within somebody's transaction a failure must not spoil it.
        with transaction.atomic() if connection.in_atomic_block else contextlib.nullcontext():
            if isinstance(row, ApiKey):
                ApiKey.objects.filter(due, pk=row.pk).update(last_used_at=Now(), last_address=address)
            else:
                LoginSession.objects.filter(due, pk=row.pk).update(last_used_at=Now())
    except DatabaseError:
        log.warning("the last use of %s was not noted", type(row).__name__, exc_info=True)
