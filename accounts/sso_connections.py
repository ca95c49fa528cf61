"""Deeds on a company sign-in: made, changed, switched, removed, its groups tied to teams. Each is written to the audit trail.

Keeps two promises: an issuer's people never become another issuer's, and nobody is locked out while passwords are off.
"""

from __future__ import annotations

from collections.abc import Iterable

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, login_sessions, sso_logout, sso_metadata, sso_secrets, sso_staff, sso_teams
from accounts.models import LoginSession, Membership, Organisation, SsoConnection, SsoTeam, User
from accounts.refusals import NotPossible

Kind = SsoConnection.Kind
# Stand in the address that the issuer calls back, and in the method of a sign-in (32 characters).
FIRST_SLUG = {Kind.OIDC: "company", Kind.FEISHU: "feishu", Kind.WECOM: "wecom"}
SHOWN = ("name", "server_url", "client_id", "agent_id", "scopes", "group_claim", "email_domains", "makes_people")


def free_slug(kind: str) -> str:
    """The short name of the next connection of this kind."""
    first = FIRST_SLUG[Kind(kind)]
    taken = set(SsoConnection.objects.filter(slug__startswith=first).values_list("slug", flat=True))
    # Identities of a connection that is gone are gone with it; should one be left, its name is not used again.
    taken |= set(SocialAccount.objects.filter(provider__startswith=first).values_list("provider", flat=True))
    names = (first if number == 1 else f"{first}-{number}" for number in range(1, 10_000))
    return next(name for name in names if name not in taken)


def people_of(connection: SsoConnection) -> QuerySet[User]:
    """Who is known under an account of this issuer."""
    accounts = SocialAccount.objects.filter(provider=connection.slug).values("user")
    return User.objects.filter(pk__in=accounts)


def connected_to() -> dict[str, int]:
    """How many people each connection knows, by its short name."""
    counted = SocialAccount.objects.values("provider").annotate(people=Count("user", distinct=True))
    return {row["provider"]: row["people"] for row in counted}


def fixed_fields(connection: SsoConnection) -> tuple[str, ...]:
    """What names the issuer, and so cannot change once somebody came in through it: the same subject elsewhere is somebody else."""
    if connection.pk is None or not people_of(connection).exists():
        return ()
    return ("server_url",) if connection.kind == Kind.OIDC else ("server_url", "client_id")


def save(connection: SsoConnection, *, secret: str, request: HttpRequest) -> None:
    """Stores a new connection or what was changed; an empty secret keeps the one that is there."""
    with transaction.atomic():
        before = SsoConnection.objects.filter(pk=connection.pk).first() if connection.pk else None
        if secret:
            connection.secret, connection.secret_tail = sso_secrets.encrypt(secret), sso_secrets.tail(secret)
        connection.save()
        changes = {
            name: (getattr(before, name) if before else None, getattr(connection, name))
            for name in SHOWN
            if before is None or getattr(before, name) != getattr(connection, name)
        }
        if before is None or changes:
            deed = "sso.connection_changed" if before else "sso.connection_made"
            audit.record(deed, request=request, target=connection, changes=changes)
        if before is not None and secret:
            audit.record("sso.secret_changed", request=request, target=connection)
    sso_metadata.forget()


def switch(connection: SsoConnection, *, on: bool, request: HttpRequest) -> None:
    """On, or off: nobody signs in through it; who is signed in stays. Raises NotPossible for the last one while passwords are off."""
    with transaction.atomic():
        if not on:
            _keep_one(connection)
        if SsoConnection.objects.filter(pk=connection.pk, is_enabled=not on).update(is_enabled=on):
            connection.is_enabled = on
            changes = {"is_enabled": (not on, on)}
            audit.record("sso.connection_changed", request=request, target=connection, changes=changes)


def who_loses_the_way_in(connection: SsoConnection) -> QuerySet[User]:
    """Active people who have neither a password that counts nor another connection."""
    others = SsoConnection.objects.filter(is_enabled=True).exclude(pk=connection.pk).values("slug")
    elsewhere = SocialAccount.objects.filter(provider__in=others).values("user")
    people = people_of(connection).filter(is_active=True).exclude(pk__in=elsewhere)
    if Organisation.get().sso_only:
        return people.order_by("email")
    return people.filter(password__startswith=UNUSABLE_PASSWORD_PREFIX).order_by("email")


def remove(connection: SsoConnection, *, request: HttpRequest) -> None:
    """Takes it away with its people's identities, its sign-ins and the memberships it brought. Raises NotPossible."""
    with transaction.atomic():
        _keep_one(connection)
        for person in User.objects.filter(memberships__sso=connection).distinct():
            sso_teams.end(person, memberships=list(Membership.objects.filter(user=person, sso=connection)))
        sso_staff.withdraw(connection, request=request)
        people = list(people_of(connection).values_list("pk", flat=True))
        SocialAccount.objects.filter(provider=connection.slug).delete()
        _no_longer_by_company(people)
        rows = LoginSession.objects.filter(method=sso_logout.method_of(connection.slug), ended_at=None)
        for row in rows:
            login_sessions.end(row, because=sso_logout.BECAUSE)
        changes = {"connected": (len(people), 0)}
        audit.record("sso.connection_removed", request=request, target=connection, changes=changes)
        SsoConnection.objects.filter(pk=connection.pk).delete()


def tie(connection: SsoConnection, *, groups: Iterable[tuple[str, int, str]], request: HttpRequest) -> None:
    """Which groups are which teams, in which role; counts at each person's next sign-in."""
    with transaction.atomic():
        before = _told(connection)
        SsoTeam.objects.filter(connection=connection).delete()
        rows = {(group, team): role for group, team, role in groups}
        SsoTeam.objects.bulk_create(
            SsoTeam(connection=connection, group=group, team_id=team, role=role) for (group, team), role in rows.items()
        )
        after = _told(connection)
        if before != after:
            audit.record("sso.groups_changed", request=request, target=connection, changes={"groups": (before, after)})


def pause_after(days: int, *, request: HttpRequest) -> None:
    """After so many days without a sign-in through the company the API keys of a colleague who comes that way pause."""
    with transaction.atomic():
        before = Organisation.get().sso_days
        if Organisation.objects.filter(pk=1).exclude(sso_days=days).update(sso_days=days):
            changes = {"sso_days": (before, days)}
            audit.record("organisation.changed", request=request, target=Organisation.get(), changes=changes)


def _no_longer_by_company(people: list[int]) -> None:
    """Whoever has a password and no other company account signs in by that: her keys no longer wait for the company."""
    left = User.objects.filter(pk__in=people, socialaccount=None)
    left.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).update(sso_at=None)


def _told(connection: SsoConnection) -> list[str]:
    rows = SsoTeam.objects.filter(connection=connection).select_related("team").order_by("group", "team__name")
    return [f"{row.group} → {row.team.name} ({row.role})" for row in rows]


def _keep_one(connection: SsoConnection) -> None:
    if not Organisation.objects.select_for_update().filter(sso_only=True).exists():
        return
    if connection.is_enabled and not SsoConnection.objects.filter(is_enabled=True).exclude(pk=connection.pk).exists():
        raise NotPossible(
            "last_way", _("This is the only way in while passwords are switched off. Let passwords in again first.")
        )
