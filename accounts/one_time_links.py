"""Ways in that work once: to a new password (made by an administrator) or to one sign-in (made on the server).

Only the token's SHA-256 is stored. Says who may make one nowhere: the views and the command do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.urls import reverse

from accounts import clock
from accounts.models import OneTimeLink, User

Purpose = OneTimeLink.Purpose
HOURS = {Purpose.PASSWORD: 24, Purpose.RESCUE: 1}


def make(user: User, *, purpose: Purpose, by: User | None = None) -> tuple[OneTimeLink, str]:
    """A new link and its local address, which is known only now; unused ones before it end."""
    token = secrets.token_urlsafe(32)
    now = clock.now()
    OneTimeLink.objects.filter(user=user, used_at=None, expires_at__gt=now).update(expires_at=now)
    ends = now + dt.timedelta(hours=HOURS[purpose])
    link = OneTimeLink.objects.create(user=user, purpose=purpose, digest=_digest(token), created_by=by, expires_at=ends)
    return link, reverse("one_time_link", args=[token])


def find(token: str) -> OneTimeLink | None:
    """The link that can still be used, of a person who may still come in."""
    open_ = OneTimeLink.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=clock.now())
    return open_.filter(user__is_active=True, user__is_service=False).select_related("user").first()


def use(link: OneTimeLink) -> bool:
    """Takes the link; False when it is over or somebody else was first. Inside the transaction of what it lets do."""
    now = clock.now()
    return bool(OneTimeLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
