"""The one funnel for credentials; so far the session of a signed-in person, read outside of a Django request.

Tokens and API keys join here in their own time. Answers who it is; what they may do is decided elsewhere.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from accounts.models import User
from accounts.sessions import KEY


@dataclass(frozen=True, slots=True)
class Principal:
    """A person who may ask: active, with a living session and a password of her own."""

    user_id: int
    uuid: uuid.UUID
    session_version: int
    language: str
    time_zone: str


def principal_for_session(session_key: str) -> Principal | None:
    """Who holds this session, or None: unknown, over, of an inactive person, or of one who must choose a password.

    Two queries. For threads that serve no Django request: the caller closes the connection.
    """
    if not session_key:
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    held = store.load()
    try:
        pk = int(held[SESSION_KEY])
    except (KeyError, ValueError):
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    if user is None or user.password_expired or held.get(KEY) != user.session_version:
        return None
    known = str(held.get(HASH_SESSION_KEY, ""))
    if not any(constant_time_compare(known, own) for own in _hashes(user)):
        return None
    return Principal(user.pk, user.uuid, user.session_version, user.language, user.time_zone)


def _hashes(user: User) -> list[str]:
    """What the session's hash may be: made with the secret key of today or one of those before."""
    return [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
