"""Ways in that work once: to a new password (made by an administrator) or to one sign-in (made on the server).

Only the token's SHA-256 is stored. Who may make one the views and the command say; whether its maker still may is asked again when it
is used, so that somebody who was switched off or demoted has prepared nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.urls import reverse

from accounts import clock
from accounts.models import OneTimeLink, User
from accounts.people import in_reach

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
    link = open_.filter(user__is_active=True, user__is_service=False).select_related("user", "created_by").first()
    return link if link is not None and _stands(link) else None


def _stands(link: OneTimeLink) -> bool:
    by = link.created_by
    return by is None or (by.is_active and by.has_perm("accounts.change_user") and in_reach(by, person=link.user))


def use(link: OneTimeLink) -> bool:
    """Takes the link; False when it is over or somebody else was first. Inside the transaction of what it lets do."""
    now = clock.now()
    return bool(OneTimeLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
