"""Changing a password and making the link with which somebody chooses one. Checks no strength, sends no mail."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse

from accounts.models import User


def change(user: User, *, password: str, expired: bool = False) -> None:
    """Stores a new password and ends every session, poll ticket and token of the person.

    `expired`: a one-time password, which must be changed at the next sign-in.
    """
    user.set_password(password)
    user.password_expired = expired
    user.session_version = F("session_version") + 1
    user.save(update_fields=["password", "password_expired", "session_version"])
    user.refresh_from_db(fields=["session_version"])


def absolute(path: str, *, request: HttpRequest) -> str:
    """The full address of a local path: from PUBLIC_URL when it is set, never from a forged header."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def link(user: User, *, request: HttpRequest) -> str:
    """An address that lets its bearer choose a new password for `user`, once, within three days."""
    path = reverse(
        "account_reset_password_from_key",
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )
    return absolute(path, request=request)
