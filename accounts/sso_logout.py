"""Back-channel logout: an issuer says who is to be signed out here, and the sign-ins that came through it end at once.

The issuer is believed for its own sign-ins only; whoever signed in another way stays.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import audit, clock, login_sessions, sso_fetch, sso_metadata, sso_tokens
from accounts.models import LoginSession, SsoConnection, SsoLogout
from accounts.sso_tokens import BadToken, Logout

BECAUSE = "company"


def method_of(slug: str) -> str:
    """How a sign-in through this connection stands in LoginSession.method."""
    return f"sso:{slug}"[:32]


def obey(token: str, *, connection: SsoConnection, request: HttpRequest) -> int:
    """Ends what the token names and says how many sign-ins that were. Raises BadToken, Unanswered, BadMetadata."""
    with sso_fetch.within():
        issuer = sso_metadata.metadata(connection.server_url)
        logout = sso_tokens.logout(token, issuer=issuer, client_id=connection.client_id)
    with transaction.atomic():
        _once(logout, connection=connection, issuer=issuer.issuer)
        rows = list(_named(logout, connection=connection).select_related("user"))
        ended = [row for row in rows if login_sessions.end(row, because=BECAUSE)]
        for person in {row.user for row in ended}:
            count = sum(row.user_id == person.pk for row in ended)
            audit.record(
                "sso.signed_out",
                request=request,
                actor_kind="system",
                target=person,
                changes={"sign_ins": (count, 0), "way": (connection.name, None)},
            )
    return len(ended)


def _once(logout: Logout, *, connection: SsoConnection, issuer: str) -> None:
    """Notes the token; raises BadToken if it was obeyed before."""
    now = clock.now()
    SsoLogout.objects.filter(expires_at__lt=now).delete()
    digest = hashlib.sha256("\n".join((connection.slug, issuer, logout.jti)).encode()).hexdigest()
    ends = dt.datetime.fromtimestamp(logout.expires_at, tz=dt.UTC)
    try:
        with transaction.atomic():
            SsoLogout.objects.create(connection=connection, digest=digest, expires_at=ends)
    except IntegrityError:
        raise BadToken("replayed") from None


def _named(logout: Logout, *, connection: SsoConnection) -> QuerySet[LoginSession]:
    """The sign-ins the issuer means: this one, or all of this person. One that the issuer never named goes with its person."""
    rows = LoginSession.objects.filter(kind=LoginSession.Kind.BROWSER, method=method_of(connection.slug), ended_at=None)
    if not logout.subject:
        return rows.filter(sso_session=logout.session)
    people = SocialAccount.objects.filter(provider=connection.slug, uid=logout.subject).values("user")
    rows = rows.filter(user__in=people)
    return rows.filter(Q(sso_session=logout.session) | Q(sso_session="")) if logout.session else rows
