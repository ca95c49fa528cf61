"""Django's sessions in the database, read with a statement that is built once. What is written is Django's own."""

from __future__ import annotations

import datetime as dt

from django.contrib.sessions.backends.db import SessionStore as Django
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.prepared import Prepared

_living = Prepared(
    lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now),
    "\x01key",
    dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
)


class SessionStore(Django):
    """One query a request, as before."""

    def _get_session_from_db(self) -> Session | None:
        found: Session | None = _living.first(self.session_key, timezone.now())
        if found is None:
            self._session_key: str | None = None
        return found
