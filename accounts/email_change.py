"""Another e-mail address for oneself: asked for here, confirmed from the new mailbox, and told to the old one.

The link is signed and ends with a new password, a sign-out everywhere or another change: what a thief began dies with that.
allauth keeps lists of addresses for such a change; such a list would be a second way in, so it is not used.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse

from accounts import audit, letters, login_sessions, mail, notices, passwords
from accounts.models import Mail, User

SALT = "accounts.email_change"
A_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Wish:
    """Whose address is to become which."""

    user: User
    email: str


def ask(user: User, *, email: str, request: HttpRequest) -> Mail | None:
    """Sends the link to the new address; None when no mail goes out (see accounts.mail.send)."""
    token = signing.dumps([str(user.uuid), user.session_version, user.email, email], salt=SALT)
    url = passwords.absolute(reverse("email_change", args=[token]), request=request)
    context = {"user": user, "url": url, "email": email}
    return mail.send("email_change", to=email, language=letters.language_for(user), context=context)


def read(token: str) -> Wish | None:
    """What the link asks for, if it still may."""
    try:
        uuid, version, old, new = signing.loads(token, salt=SALT, max_age=A_DAY)
    except (signing.BadSignature, ValueError):
        return None
    user = User.objects.filter(uuid=uuid, session_version=version, email=old, is_active=True).first()
    return Wish(user, new) if user else None


def confirm(wish: Wish, *, request: HttpRequest) -> bool:
    """The address is changed and every session ends; False when it is in use, or the account has changed meanwhile."""
    user, old = wish.user, wish.user.email
    mine = User.objects.filter(pk=user.pk, email=old, session_version=user.session_version, is_active=True)
    try:
        with transaction.atomic():
            if not mine.update(email=wish.email, session_version=F("session_version") + 1):
                return False
            user.refresh_from_db()
            login_sessions.end_all(user, because="email_changed")
            notices.tell_moved(user, old=old)
            changes = {"email": (old, wish.email)}
            audit.record("email.changed", actor=user, request=request, target=user, changes=changes)
    except IntegrityError:
        return False
    return True
