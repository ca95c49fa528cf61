"""Sign-in through the company only: switched on by somebody who has just come in that way, so that nobody locks the company out.

While it is on passwords open nothing (accounts.backend); `manage.py rescue` still lets an administrator in.
"""

from __future__ import annotations

import time

from allauth.account.authentication import get_authentication_records
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, login_sessions
from accounts.models import LoginSession, Organisation, SsoConnection, User
from accounts.refusals import NotPossible

JUST_NOW_S = 15 * 60
BECAUSE = "sso_only"
CLOSED = _("Signing in with a password is switched off here. Use your company's sign-in.")
"""Said at every door that takes a password, whatever name was typed."""


def came_in_just_now(request: HttpRequest) -> bool:
    """Whether whoever asks signed in through a connection that is on, in this session, a moment ago."""
    if not isinstance(request.user, User):
        return False
    slugs = set(SsoConnection.objects.filter(is_enabled=True).values_list("slug", flat=True))
    now = time.time()
    return any(
        record.get("method") == "socialaccount"
        and record.get("provider") in slugs
        and now - float(record.get("at", 0)) < JUST_NOW_S
        for record in get_authentication_records(request, request.user)
    )


def left_behind() -> int:
    """How many active people have no company account connected: the only-mode keeps them out."""
    ways = SsoConnection.objects.filter(is_enabled=True).values("slug")
    connected = SocialAccount.objects.filter(provider__in=ways).values("user")
    return User.objects.filter(is_active=True, is_service=False).exclude(pk__in=connected).count()


def switch_on(request: HttpRequest) -> int:
    """Closes every door for passwords and signs out who came through one; says how many people. Raises NotPossible."""
    if not came_in_just_now(request):
        raise NotPossible(
            "not_by_company", _("Sign in through your company first, then switch this on within a quarter of an hour.")
        )
    with transaction.atomic():
        if not Organisation.objects.filter(pk=1, sso_only=False).update(sso_only=True):
            return 0
        count = _end_what_came_by_password(by=request.user.pk)
        changes = {"sso_only": (False, True), "signed_out": (None, count)}
        audit.record("sso.only_on", request=request, target=Organisation.get(), changes=changes)
    return count


def switch_off(request: HttpRequest) -> None:
    """Passwords work again."""
    with transaction.atomic():
        if Organisation.objects.filter(pk=1, sso_only=True).update(sso_only=False):
            changes = {"sso_only": (True, False)}
            audit.record("sso.only_off", request=request, target=Organisation.get(), changes=changes)


def _end_what_came_by_password(*, by: int | None) -> int:
    """Signs out everybody who signed in with a password, everywhere; of whoever switches, only those sign-ins. Says how many people."""
    rows = LoginSession.objects.filter(ended_at=None).exclude(method__startswith="sso:")
    for row in rows.filter(user=by):
        login_sessions.end(row, because=BECAUSE)
    people = User.objects.filter(pk__in=rows.exclude(user=by).values("user"))
    count = people.update(session_version=F("session_version") + 1)
    rows.exclude(user=by).update(ended_at=clock.now(), ended_because=BECAUSE)
    return count
