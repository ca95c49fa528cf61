"""Teams and who is in them: made, changed, joined, left, deleted; and which one pays for a person. Flat: no team holds another.

Decides no rights. Every change of a membership counts at the person's next request, because nothing here is cached.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, belongings, events
from accounts.models import Membership, SsoConnection, Team, User
from accounts.refusals import NotPossible

Role = Membership.Role


def listed() -> QuerySet[Team]:
    """All teams by name, each with how many active `people` and `managers` it has."""
    active = Q(memberships__user__is_active=True)
    managers = active & Q(memberships__role=Role.MANAGER)
    return Team.objects.annotate(
        people=Count("memberships", filter=active), managers=Count("memberships", filter=managers)
    )


def managed_by(user: User) -> list[Team]:
    """The teams whose members this person may see."""
    return list(Team.objects.filter(memberships__user=user, memberships__role=Role.MANAGER).order_by("name"))


def make(*, name: str, cost_centre: str, by: User, request: HttpRequest) -> Team:
    """A new team without members. Raises NotPossible when the name is taken."""
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, cost_centre=cost_centre)
            changes = {"name": (None, name), "cost_centre": (None, cost_centre)}
            audit.record("team.added", actor=by, request=request, target=team, changes=changes)
    except IntegrityError:
        raise _taken() from None
    return team


def change(team: Team, *, name: str, cost_centre: str, by: User, request: HttpRequest) -> None:
    """Another name or cost centre. Raises NotPossible when the name is taken."""
    before = {"name": team.name, "cost_centre": team.cost_centre}
    after = {"name": name, "cost_centre": cost_centre}
    if before == after:
        return
    try:
        with transaction.atomic():
            Team.objects.filter(pk=team.pk).update(**after)
            team.name, team.cost_centre = name, cost_centre
            changes = {field: (before[field], after[field]) for field in after if before[field] != after[field]}
            audit.record("team.changed", actor=by, request=request, target=team, changes=changes)
    except IntegrityError:
        raise _taken() from None


def delete(team: Team, *, by: User, request: HttpRequest) -> None:
    """Takes the team away; its people stay, and whom it paid for another of their teams pays, if there is one."""
    with transaction.atomic():
        people = list(User.objects.filter(memberships__team=team).order_by("pk"))
        names = [str(person) for person in people]
        Membership.objects.filter(team=team).delete()
        for person in people:
            _someone_pays(person)
            events.rights_changed(person)
        Team.objects.filter(pk=team.pk).delete()
        audit.record("team.deleted", actor=by, request=request, target=team, changes={"members": (names, [])})


def join(user: User, *, team_id: int, role: str = Role.MEMBER, sso: SsoConnection | None = None) -> Membership:
    """Puts a person into a team, or gives her another role there. The first team of a person pays for her."""
    pays = not Membership.objects.filter(user=user, is_primary=True).exists()
    try:
        with transaction.atomic():
            return Membership.objects.create(user=user, team_id=team_id, role=role, is_primary=pays, sso=sso)
    except IntegrityError:  # in the team already, or in two first teams at once
        found = Membership.objects.filter(user=user, team_id=team_id).first()
        if found is None:
            return Membership.objects.create(user=user, team_id=team_id, role=role, is_primary=False, sso=sso)
        Membership.objects.filter(pk=found.pk).update(role=role)
        found.role = role
        return found


def set_role(person: User, *, team: Team, role: str, by: User, request: HttpRequest) -> None:
    """Adds the person to the team, or changes the role that she has there. Raises NotPossible for a program as manager."""
    if person.is_service and role == Role.MANAGER:
        raise NotPossible("program", _("A program manages no team."))
    with transaction.atomic():
        before = Membership.objects.filter(user=person, team=team).values_list("role", flat=True).first()
        if before == role:
            return
        join(person, team_id=team.pk, role=role)
        events.rights_changed(person)
        changes = {"team": (team.name if before else None, team.name), "role": (before, role)}
        audit.record("person.team_changed", actor=by, request=request, target=person, changes=changes)


def leave(person: User, *, team: Team, by: User, request: HttpRequest) -> None:
    """Takes the person out of the team; if it paid for her, another of her teams does."""
    with transaction.atomic():
        gone, _rows = Membership.objects.filter(user=person, team=team).delete()
        if not gone:
            return
        _someone_pays(person)
        events.rights_changed(person)
        changes = {"team": (team.name, None)}
        audit.record("person.team_changed", actor=by, request=request, target=person, changes=changes)


def let_pay(person: User, *, team: Team, by: User, request: HttpRequest) -> None:
    """From now on this team of hers pays for the person's questions. Raises NotPossible when she is not in it."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        memberships = Membership.objects.filter(user=person)
        before = memberships.filter(is_primary=True).values_list("team__name", flat=True).first()
        if not memberships.filter(team=team).exists():
            raise NotPossible("not_in_team", _("This person is not in that team."))
        memberships.filter(is_primary=True).exclude(team=team).update(is_primary=False)
        if not memberships.filter(team=team, is_primary=False).update(is_primary=True):
            return
        events.rights_changed(person)
        changes = {"paid_by": (before, team.name)}
        audit.record("person.team_changed", actor=by, request=request, target=person, changes=changes)


def _someone_pays(person: User) -> None:
    memberships = Membership.objects.filter(user=person)
    if memberships.filter(is_primary=True).exists():
        return
    oldest = memberships.order_by("pk").values_list("pk", flat=True).first()
    if oldest is not None:
        Membership.objects.filter(pk=oldest).update(is_primary=True)


def _taken() -> NotPossible:
    return NotPossible("name_taken", _("There is a team with this name already."))


def _managed(person: User) -> Sequence[str]:
    return [team.name for team in managed_by(person)]


def _hand_over(person: User, heir: User | None, by: User | None) -> None:
    if heir is None:
        return
    for team in managed_by(person):
        before = Membership.objects.filter(user=heir, team=team).values_list("role", flat=True).first()
        join(heir, team_id=team.pk, role=Role.MANAGER)
        Membership.objects.filter(user=person, team=team).update(role=Role.MEMBER)
        events.rights_changed(heir)
        changes = {"team": (team.name if before else None, team.name), "role": (before, Role.MANAGER.value)}
        kind = "" if by else "command"
        audit.record("person.team_changed", actor=by, target=heir, changes=changes, actor_kind=kind)


def register() -> None:
    """Who leaves hands the teams she manages over."""
    orphaned = _("They have a manager less.")
    belongings.register(belongings.Kind("teams", _("Teams managed"), orphaned, _managed, _hand_over))
