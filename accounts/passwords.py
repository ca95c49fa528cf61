"""Changing a password, and the letter with which somebody chooses one. Checks no strength and sends nothing itself."""

from __future__ import annotations

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse

from accounts import clock, letters
from accounts.letters import Letter
from accounts.models import OneTimeLink, Organisation, User


def change(user: User, *, password: str, expired: bool = False) -> None:
    """Stores a new password and ends every session, poll ticket, token and unused one-time link of the person.

    `expired`: a one-time password, which must be changed at the next sign-in.
    """
    user.set_password(password)
    user.password_expired = expired
    user.session_version = F("session_version") + 1
    with transaction.atomic():
        user.save(update_fields=["password", "password_expired", "session_version"])
        OneTimeLink.objects.filter(user=user, used_at=None).update(expires_at=clock.now())
    user.refresh_from_db(fields=["session_version"])


def absolute(path: str, *, request: HttpRequest) -> str:
    """The full address of a local path: from PUBLIC_URL when it is set, never from a forged header."""
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path)


def letter_for(email: str, *, base: str, language: str) -> Letter | None:
    """The letter to whoever asked for a new password, in her language; None when nobody here has the address.

    Somebody who signs in through the company is told so instead of getting a link around it.
    """
    people = User.objects.filter(email=email.strip().lower(), is_active=True, is_service=False)
    user = people.first()
    if user is None:
        return None
    company = Organisation.get().sso_only or (user.sso_at is not None and not user.has_usable_password())
    url = "" if company else f"{base}{_path(user)}"
    context = {"user": user, "url": url}
    return letters.compose("password_reset", language=letters.language_for(user, otherwise=language), context=context)


def _path(user: User) -> str:
    """Lets its bearer choose a new password once, within PASSWORD_RESET_TIMEOUT, unless she signs in before."""
    key = default_token_generator.make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
