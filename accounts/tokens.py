"""The sign-ins of programs: a short access token and a refresh token that is exchanged exactly once.

The refresh token's row is the lock: whoever sets `used_at` first gets the next pair, everybody later gets nothing. Who comes
later as the same client and at once has only asked twice; anybody else holds a copy, and the whole sign-in is ended. Stores
digests only. Judges no password and no second factor: `issue` is called after that.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock, lockout, login_sessions
from accounts.clock import Now
from accounts.models import LoginSession, RefreshToken, User
from accounts.token_format import Access, Claims, Refresh, TokenError

GRACE_S = 10
"""Who repeats a refresh within so many seconds as the same client is told so, and the sign-in lives on."""
KEPT = dt.timedelta(days=90)
"""Ended sign-ins of programs are listed for so long."""


class TokenRefused(Exception):
    """The token gives nothing. One code and sentence for every reason that a stranger could learn from."""

    code = "invalid_token"
    message: str | Promise = _("The token is not valid, or its sign-in has ended.")


class AlreadyRotated(TokenRefused):
    """The same client asked twice: the first answer holds the next pair. Nothing is issued and nothing ended."""

    code = "already_rotated"
    message = _("This refresh token was exchanged a moment ago. Use the pair from the first answer.")


@dataclass(frozen=True, slots=True)
class Pair:
    """What a program is given; `expires_in` is the access token's life in seconds."""

    access: str
    refresh: str
    expires_in: int
    session: LoginSession


def issue(user: User, *, request: HttpRequest, method: str) -> Pair:
    """A new sign-in of a program for a person who has just proved who she is. `method`: password, otp."""
    ends = timezone.now() + dt.timedelta(days=settings.JWT_SESSION_DAYS)
    with transaction.atomic():
        session = LoginSession.objects.create(
            user=user,
            kind=LoginSession.Kind.TOKEN,
            session_version=user.session_version,
            method=method,
            address=lockout.address(request),
            device=_device(request),
            expires_at=ends,
        )
        pair = _next_pair(session, user=user, request=request)
        changes: dict[str, list[object]] = {"method": [None, method], "sign_in": [None, session.uuid]}
        audit.record("token.issued", actor=user, request=request, target=user, changes=changes)
    return pair


def rotate(refresh: str, *, request: HttpRequest) -> Pair:
    """The next pair for a refresh token, once. Raises AlreadyRotated or TokenRefused."""
    token = _read_refresh(refresh)
    with transaction.atomic():
        row = _row_of(token)
        session, user = row.session, row.session.user
        if not _alive(session) or not _belongs(token, session=session):
            raise TokenRefused
        first = RefreshToken.objects.filter(pk=row.pk, used_at__isnull=True)
        if first.update(used_at=Now(), client=_client(request)) == 1:
            LoginSession.objects.filter(pk=session.pk).update(last_used_at=Now())
            return _next_pair(session, user=user, request=request)
        row.refresh_from_db(fields=["used_at", "client"])
        asked_twice = _asked_twice(row, request=request)
        if not asked_twice:
            _end(session, because="reuse", request=request, action="token.reused")
    raise AlreadyRotated if asked_twice else TokenRefused


def revoke(refresh: str, *, request: HttpRequest) -> None:
    """Ends the sign-in that the refresh token belongs to, whether it was exchanged already or not. A repeat changes nothing."""
    token = _read_refresh(refresh)
    with transaction.atomic():
        session = _row_of(token).session
        if _belongs(token, session=session):
            _end(session, because="signed_out", request=request, action="token.revoked")


def read_access(access: str) -> LoginSession:
    """The living sign-in of an access token, with its person. One query. Raises TokenRefused."""
    try:
        token = Access(access)  # type: ignore[arg-type]  # simplejwt's annotation says Token, its code takes the text
    except TokenError:
        raise TokenRefused from None
    try:
        number = uuid.UUID(token["sid"])
    except ValueError:
        raise TokenRefused from None
    found = LoginSession.objects.select_related("user").filter(uuid=number, kind=LoginSession.Kind.TOKEN)
    session = found.first()
    if session is None or not _alive(session) or not _belongs(token, session=session):
        raise TokenRefused
    return session


def sweep(*, now: dt.datetime) -> int:
    """Deletes refresh tokens that are too old to be believed and sign-ins of programs that were over long ago."""
    over = now - dt.timedelta(days=settings.JWT_SESSION_DAYS + 1)
    gone = RefreshToken.objects.filter(created_at__lt=over).delete()[0]
    old = LoginSession.objects.filter(kind=LoginSession.Kind.TOKEN, expires_at__lt=now - KEPT)
    return gone + old.delete()[0]


def _read_refresh(refresh: str) -> Refresh:
    try:
        return Refresh(refresh)  # type: ignore[arg-type]  # simplejwt's annotation says Token, its code takes the text
    except TokenError:
        raise TokenRefused from None


def _row_of(token: Refresh) -> RefreshToken:
    found = RefreshToken.objects.select_related("session__user").filter(digest=_digest(token["jti"])).first()
    if found is None:
        raise TokenRefused
    return found


def _next_pair(session: LoginSession, *, user: User, request: HttpRequest) -> Pair:
    claims = Claims(person=str(user.uuid), session=str(session.uuid), version=session.session_version)
    access, words = Access.sign(claims, until=session.expires_at)
    refresh, token = Refresh.sign(claims, until=session.expires_at)
    RefreshToken.objects.create(session=session, digest=_digest(token["jti"]), client=_client(request))
    return Pair(access, refresh, words["exp"] - words["iat"], session)


def living(numbers: Iterable[int]) -> set[int]:
    """Of these sign-ins (primary keys) the ones that go on. One query."""
    rows = LoginSession.objects.select_related("user").filter(pk__in=list(numbers))
    return {session.pk for session in rows if _alive(session)}


def _alive(session: LoginSession) -> bool:
    """Whether the sign-in goes on: not ended, not over, of the person's present version, and the person may ask."""
    user = session.user
    return (
        session.ended_at is None
        and session.expires_at > timezone.now()
        and session.session_version == user.session_version
        and user.is_active
        and not user.is_service
    )


def _belongs(token: Access | Refresh, *, session: LoginSession) -> bool:
    """Whether the token says of itself what its session's row says."""
    mine = (str(session.user.uuid), str(session.uuid), session.session_version)
    return (token["sub"], token["sid"], token["sv"]) == mine


def _asked_twice(row: RefreshToken, *, request: HttpRequest) -> bool:
    """Whether the one who was first has only asked again: same address, same program, a moment ago."""
    used = row.used_at or dt.datetime.min.replace(tzinfo=dt.UTC)
    return row.client == _client(request) and clock.now() - used <= dt.timedelta(seconds=GRACE_S)


def _end(session: LoginSession, *, because: str, request: HttpRequest, action: str) -> None:
    """Ends the sign-in with all its tokens; told once, however many try."""
    if login_sessions.end(session, because=because):
        actor = session.user if because == "signed_out" else None
        changes = {"sign_in": [session.uuid, None]}
        kind = "" if actor else "anonymous"
        audit.record(action, actor=actor, request=request, target=session.user, changes=changes, actor_kind=kind)


def _digest(jti: str) -> str:
    return hashlib.sha256(jti.encode()).hexdigest()


def _device(request: HttpRequest) -> str:
    return audit.clean(request.META.get("HTTP_USER_AGENT", ""), most=200)


def _client(request: HttpRequest) -> str:
    """A digest of where the request comes from and of what it says it is."""
    words = f"{lockout.address(request)}|{request.META.get('HTTP_USER_AGENT', '')}"
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()
