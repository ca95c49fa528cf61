"""Who may come in through the company, and as whom. The identity is (connection, subject); an address alone opens nothing.

An account that exists is found by its identity only; a new one is made by an invitation, or by an issuer that may make accounts
for addresses it has verified. Speaks no protocol, renders nothing, makes nobody an administrator.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from allauth.account.internal.emailkit import valid_email_or_none
from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from accounts import audit, clock, invitations, sso_staff, sso_teams
from accounts.models import Invitation, SsoConnection, User
from accounts.models.people import NO_MAIL
from accounts.refusals import NotPossible
from accounts.sso_refusals import Refusal


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whom an issuer vouches for."""

    subject: str
    name: str = ""
    email: str = ""
    email_verified: bool = False
    groups: frozenset[str] | None = None
    """None: the issuer did not say this time; teams stay as they are."""
    session: str = ""
    """What the issuer calls this sign-in."""

    def kept(self) -> dict[str, Any]:
        """The little that is stored of it, to tell one identity from another on the page."""
        return {"name": self.name[:120], "email": self.email[:254]}


@dataclass(frozen=True, slots=True)
class Way:
    """Through which connection somebody comes; `connection` is None for a provider that only the settings know."""

    provider: str
    name: str
    connection: SsoConnection | None = None


def admit(
    arrival: Arrival, *, way: Way, known: User | None, invitation: dict[str, str] | None, request: HttpRequest
) -> User:
    """The person who comes in: known, invited or new. Raises Refusal."""
    if known is not None:
        _refuse_who_may_not(known)
        with transaction.atomic():
            _arrived(known, arrival=arrival, way=way, request=request)
        return known
    if invitation is None:
        _refuse_strangers(arrival, way=way)
    try:
        with transaction.atomic():
            user = _new(arrival, way=way, invitation=invitation, request=request)
            SocialAccount.objects.create(
                user=user, provider=way.provider, uid=arrival.subject, extra_data=arrival.kept()
            )
            _arrived(user, arrival=arrival, way=way, request=request)
            return user
    except IntegrityError:  # the same person in two windows at once, or an address taken a moment ago
        raise Refusal("again") from None


def connect(arrival: Arrival, *, way: Way, known: User | None, user: User, request: HttpRequest) -> None:
    """Ties the identity to the person who is signed in. Raises Refusal: it is somebody else's, or she has another one."""
    if known is not None and known.pk != user.pk:
        raise Refusal("other")
    if known is None and SocialAccount.objects.filter(user=user, provider=way.provider).exists():
        raise Refusal("second")
    try:
        with transaction.atomic():
            if known is None:
                SocialAccount.objects.create(
                    user=user, provider=way.provider, uid=arrival.subject, extra_data=arrival.kept()
                )
                changes = {"way": (None, way.name)}
                audit.record("sso.connected", request=request, actor=user, target=user, changes=changes)
            _arrived(user, arrival=arrival, way=way, request=request)
    except IntegrityError:
        raise Refusal("again") from None


def disconnect(account: SocialAccount, *, way: Way, user: User, request: HttpRequest) -> None:
    """Unties it; memberships that it brought end. Whether another way in is left is the caller's question."""
    with transaction.atomic():
        if not SocialAccount.objects.filter(pk=account.pk, user=user).delete()[0]:
            return
        if way.connection is not None:
            sso_teams.sync(user, connection=way.connection, groups=frozenset(), request=request)
            sso_staff.sync(user, connection=way.connection, groups=frozenset(), request=request)
        if not SocialAccount.objects.filter(user=user).exists():
            User.objects.filter(pk=user.pk).update(sso_at=None)
        changes = {"way": (way.name, None)}
        audit.record("sso.disconnected", request=request, actor=user, target=user, changes=changes)


def domains_of(connection: SsoConnection) -> frozenset[str]:
    """The domains whose addresses this connection may vouch for."""
    return frozenset(line.strip().lower() for line in connection.email_domains.splitlines() if line.strip())


def _refuse_who_may_not(user: User) -> None:
    if user.awaits_approval:
        raise Refusal("waits")
    if not user.is_active or user.is_service:
        raise Refusal("inactive")


def _refuse_strangers(arrival: Arrival, *, way: Way) -> None:
    connection = way.connection
    if connection is None or not connection.makes_people:
        raise Refusal("unknown")
    if connection.kind != SsoConnection.Kind.OIDC:
        return  # their issuer knows the members of one company only
    if not arrival.email:
        raise Refusal("no_email")
    if not arrival.email_verified:
        raise Refusal("unverified")
    if arrival.email.rpartition("@")[2] not in domains_of(connection):
        raise Refusal("domain", email=arrival.email)


def _new(arrival: Arrival, *, way: Way, invitation: dict[str, str] | None, request: HttpRequest) -> User:
    """The account, inside the caller's transaction."""
    if invitation is not None:
        found = invitations.held(invitation.get("uuid"), digest=invitation.get("digest", ""))
        if found is None:
            raise Refusal("invitation_over")
        return _invited(arrival, invitation=found, request=request)
    assert way.connection is not None
    email = _address(arrival, connection=way.connection)
    if User.objects.filter(email__iexact=email).exists():
        raise Refusal("taken", email=email)
    # Who was invited and comes without the link has its team all the same: the issuer has verified the address.
    waiting = Invitation.objects.filter(
        email__iexact=email, accepted_at=None, revoked_at=None, expires_at__gt=clock.Now()
    )
    if (found := waiting.select_related("team").first()) is not None:
        return _invited(arrival, invitation=found, request=request)
    user = User.objects.create_user(email, None, name=arrival.name[:120] or arrival.subject[:120])
    changes = {"way": (None, way.name), "email": (None, email)}
    audit.record("sso.person_made", request=request, actor=user, target=user, changes=changes)
    return user


def _invited(arrival: Arrival, *, invitation: Invitation, request: HttpRequest) -> User:
    newcomer = invitations.Newcomer(
        name=(invitation.name or arrival.name)[:120],
        language=invitation.language,
        time_zone=invitation.time_zone,
        password=None,
        house_rules_read="",
    )
    try:
        return invitations.accept(invitation, newcomer=newcomer, request=request)
    except NotPossible as error:
        if error.code == "known":
            raise Refusal("taken", email=invitation.email) from None
        raise Refusal("invitation_over") from None


def _address(arrival: Arrival, *, connection: SsoConnection) -> str:
    """The person's address, if the issuer may vouch for it; else one that stands for none."""
    if arrival.email and arrival.email_verified and arrival.email.rpartition("@")[2] in domains_of(connection):
        return arrival.email
    mark = hashlib.sha256(f"{connection.uuid}:{arrival.subject}".encode()).hexdigest()[:16]
    return f"{connection.slug}.{mark}@{NO_MAIL}"


def _arrived(user: User, *, arrival: Arrival, way: Way, request: HttpRequest) -> None:
    User.objects.filter(pk=user.pk).update(sso_at=clock.Now())
    if way.connection is not None and arrival.groups is not None:
        sso_teams.sync(user, connection=way.connection, groups=arrival.groups, request=request)
        sso_staff.sync(user, connection=way.connection, groups=arrival.groups, request=request)


def clean_email(given: object) -> str:
    """An address as we keep it, "" for what is none."""
    found = valid_email_or_none(given.strip()) if isinstance(given, str) and len(given) <= 254 else None
    return found.lower() if found else ""
