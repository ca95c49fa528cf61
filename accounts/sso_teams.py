"""An issuer's groups as teams: at each sign-in a person is in the teams that her groups name, as far as the issuer brought her there.

Touches no membership that was made by hand, and gives no rights: accounts.sso_staff does.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from accounts import audit, events, teams
from accounts.models import Membership, SsoConnection, SsoTeam, User


def wanted(connection: SsoConnection, *, groups: frozenset[str]) -> dict[int, str]:
    """The role in each team that these groups give; of two roles in one team the manager's counts."""
    roles: dict[int, str] = {}
    rows = SsoTeam.objects.filter(connection=connection, group__in=groups).values_list("team_id", "role")
    for team_id, role in rows:
        if roles.get(team_id) != Membership.Role.MANAGER:
            roles[team_id] = role
    return roles


def sync(user: User, *, connection: SsoConnection, groups: frozenset[str], request: HttpRequest) -> None:
    """Adds, changes and ends memberships, so that those which came from this issuer are those it names now."""
    with transaction.atomic():
        roles = wanted(connection, groups=groups)
        held = {row.team_id: row for row in Membership.objects.filter(user=user).select_related("team")}
        own = {team_id: row for team_id, row in held.items() if row.sso_id == connection.pk}
        gone = [row for team_id, row in own.items() if team_id not in roles]
        new = {team_id: role for team_id, role in roles.items() if team_id not in held}
        changed = {team_id: role for team_id, role in roles.items() if team_id in own and own[team_id].role != role}
        if not (gone or new or changed):
            return
        before = {row.team.name: row.role for row in own.values()}
        end(user, memberships=gone)
        for team_id, role in new.items():
            teams.join(user, team_id=team_id, role=role, sso=connection)
        for team_id, role in changed.items():
            Membership.objects.filter(pk=own[team_id].pk).update(role=role)
        events.rights_changed(user)
        left = Membership.objects.filter(user=user, sso=connection).select_related("team")
        after = {row.team.name: row.role for row in left}
        audit.record("sso.teams_followed", request=request, actor=user, target=user, changes={"teams": (before, after)})


def end(user: User, *, memberships: list[Membership]) -> None:
    """Takes these memberships away; another team of the person's pays if one of them did."""
    Membership.objects.filter(pk__in=[row.pk for row in memberships]).delete()
    rows = Membership.objects.filter(user=user)
    if rows.filter(is_primary=True).exists():
        return
    oldest = rows.order_by("pk").values_list("pk", flat=True).first()
    if oldest is not None:
        Membership.objects.filter(pk=oldest).update(is_primary=True)
