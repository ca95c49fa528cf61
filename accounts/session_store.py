"""Django's sessions in the database, so that a copy of the database opens none: of a key only the digest is stored, the rest is sealed.

What a session holds for a while (an app's secret before it is in use, the token of a link to a new password) would otherwise stand
there to be read. Read with a statement that is built once. Only the synchronous half of Django's interface: nothing here uses the other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as Django
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import sealing
from accounts.prepared import Prepared

PURPOSE = "session"
LENGTH = 40
"""Characters of a digest that fit the column: 160 bits."""

_living = Prepared(
    lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now),
    "\x01key",
    dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
)


def stored(key: str) -> str:
    """What the database has in the place of this key."""
    return hashlib.sha256(key.encode()).hexdigest()[:LENGTH]


class SessionStore(Django):
    """One query a request, as before. `session_key` is what the cookie holds."""

    def _get_session_from_db(self) -> Session | None:
        found: Session | None = _living.first(stored(self.session_key or ""), timezone.now())
        if found is None:
            self._session_key: str | None = None
        return found

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        row.session_key = stored(row.session_key)
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(stored(session_key))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored(key))

    def encode(self, session_dict: dict[str, Any]) -> str:
        return sealing.seal(self.serializer().dumps(session_dict).decode("latin-1"), purpose=PURPOSE)

    def decode(self, session_data: bytes | str) -> dict[str, Any]:
        """Nothing for what was sealed with a secret that is gone: whoever it was signs in again."""
        text = session_data if isinstance(session_data, str) else session_data.decode()
        try:
            opened = sealing.unseal(text, purpose=PURPOSE)
            found: dict[str, Any] = self.serializer().loads(opened.encode("latin-1"))
        except (sealing.Unreadable, ValueError):
            return {}
        return found
