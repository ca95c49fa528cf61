"""Where somebody is signed in: one row for each browser (and, made by accounts.tokens, each program), listed and ended by its owner.

Ending a row deletes Django's session, which ends its pages at the next request and its held polls within a second.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import time
from typing import Any

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import F, QuerySet
from django.http import HttpRequest

from accounts import clock, devices, lockout, session_store
from accounts.models import LoginSession, User

KEY = "sign_in"
"""Where Django's session keeps the number of its row."""
METHOD = "sign_in_method"
"""Likewise how she proved who she is; on a request: said beforehand by whoever signs her in without allauth."""
EVERY_S = 60.0
KEPT = dt.timedelta(days=90)

_written: dict[str, float] = {}  # by row: when this process last wrote that it was used
_MOST_WRITTEN = 20_000


def begin(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """On sign-in: the row of this browser's session."""
    session = request.session
    if session.session_key is None:
        session.create()
    row = LoginSession.objects.create(
        user=user,
        kind=LoginSession.Kind.BROWSER,
        session_digest=_digest(session.session_key or ""),
        session_version=user.session_version,
        method=_method(request, user=user),
        address=lockout.address(request),
        device=request.META.get("HTTP_USER_AGENT", "")[:200],
        expires_at=_end(),
        sso_session=_issuers_name(request),
    )
    session[KEY], session[METHOD] = str(row.uuid), row.method
    _note(str(row.uuid))
    devices.remember(request, email=user.email)


def follow(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """After the own password was changed here: the row goes on with the session's new key and the person's new version."""
    if not (number := request.session.get(KEY)):
        return
    digest = _digest(request.session.session_key or "")
    LoginSession.objects.filter(uuid=number, user=user).update(
        session_digest=digest, session_version=user.session_version
    )


def finish(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """On sign-out."""
    if number := request.session.get(KEY):
        LoginSession.objects.filter(uuid=number, ended_at=None).update(ended_at=clock.now(), ended_because="signed_out")


def touch(request: HttpRequest) -> None:
    """Notes that this session is being used, and from where: at most one write a minute, and usually no query."""
    number = request.session.get(KEY)
    if not number or time.monotonic() - _written.get(number, -math.inf) < EVERY_S:
        return
    _note(number)
    now = clock.now()
    stale = LoginSession.objects.filter(uuid=number, last_used_at__lt=now - dt.timedelta(seconds=EVERY_S))
    stale.update(last_used_at=now, address=lockout.address(request), expires_at=_end())


def current(request: HttpRequest) -> str:
    """The number of this request's own row; empty without one."""
    return str(request.session.get(KEY, ""))


def living(user: User) -> QuerySet[LoginSession]:
    """The sign-ins that are not over, the last used first."""
    rows = LoginSession.objects.filter(user=user, ended_at=None, session_version=user.session_version)
    return rows.filter(expires_at__gt=clock.now()).order_by("-last_used_at", "-pk")


def end(row: LoginSession, *, because: str) -> bool:
    """Ends one sign-in; False when it was over already. A browser's session is gone with it, a program's tokens are refused."""
    if not LoginSession.objects.filter(pk=row.pk, ended_at=None).update(ended_at=clock.now(), ended_because=because):
        return False
    if row.session_digest:
        # Both are the digest of the key, which is kept nowhere.
        Session.objects.filter(session_key=row.session_digest[: session_store.LENGTH]).delete()
    return True


def end_all(user: User, *, because: str) -> int:
    """Ends every sign-in of the person by raising `session_version`; says how many there were."""
    User.objects.filter(pk=user.pk).update(session_version=F("session_version") + 1)
    user.refresh_from_db(fields=["session_version"])
    living_rows = LoginSession.objects.filter(user=user, ended_at=None)
    return living_rows.update(ended_at=clock.now(), ended_because=because)


def sweep() -> int:
    """Forgets browsers' sign-ins that have been over for KEPT (programs' are accounts.tokens' to forget)."""
    over = LoginSession.objects.filter(kind=LoginSession.Kind.BROWSER, expires_at__lt=clock.now() - KEPT)
    return over.delete()[0]


def _method(request: HttpRequest, *, user: User) -> str:
    """How she proved who she is: what was said beforehand, else the last of allauth's notes."""
    if said := vars(request).get(METHOD):
        return str(said)
    if arrival := vars(request).get("sso_arrival"):
        return f"sso:{arrival[0].provider}"[:32]
    records = get_authentication_records(request, user)
    last = records[-1] if records else {}
    if last.get("method") == "mfa":
        return {"webauthn": "passkey", "totp": "otp"}.get(last.get("type", ""), "recovery")
    return str(last.get("method", ""))[:32]


def _issuers_name(request: HttpRequest) -> str:
    """What the company's issuer calls this sign-in (for its back-channel logout); empty for other ways."""
    arrival = vars(request).get("sso_arrival")
    return str(arrival[1].session)[:255] if arrival else ""


def by_company(request: HttpRequest) -> bool:
    """Whether this session began at the company's own sign-in."""
    return str(request.session.get(METHOD, "")).startswith("sso:")


def _end() -> dt.datetime:
    """Django keeps a session for so long after its last change."""
    return clock.now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)


def _note(number: str) -> None:
    if len(_written) > _MOST_WRITTEN:
        _written.clear()
    _written[number] = time.monotonic()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
