"""Legal holds: set on a person or a team with a reason, ended by hand, asked before anything of a person is removed. Removes nothing.

A hold covers who is in its team when it is set and who joins later, until it ends: leaving the team is no way out.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit, clock
from accounts.models import HeldPerson, LegalHold, Membership, Team, User
from accounts.refusals import NotPossible

SHORTEST_REASON = 5


def is_held(person: User) -> bool:
    """Whether nothing of this person may be removed now."""
    return held().filter(pk=person.pk).exists()


def held() -> QuerySet[User]:
    """Everybody whom a hold covers, as people that other queries can leave out."""
    covered = HeldPerson.objects.filter(hold__ended_at=None).values("person")
    in_team = Membership.objects.filter(
        team__in=LegalHold.objects.filter(ended_at=None).exclude(team=None).values("team")
    )
    return User.objects.filter(Q(pk__in=covered) | Q(pk__in=in_team.values("user")))


def open_ones() -> QuerySet[LegalHold]:
    """Holds that stand, the newest first."""
    return (
        LegalHold.objects.filter(ended_at=None)
        .select_related("team")
        .prefetch_related("people__person")
        .order_by("-pk")
    )


def set_on(
    *, person: User | None = None, team: Team | None = None, reason: str, by: User, request: HttpRequest
) -> LegalHold:
    """A hold on one person or one team. Raises NotPossible without a reason or a target, or with both."""
    reason = audit.clean(reason, most=500)
    if len(reason) < SHORTEST_REASON:
        raise NotPossible("reason", _("Write down why: whoever ends the hold one day has to know."))
    if (person is None) == (team is None):
        raise NotPossible("whom", _("Choose either a person or a team."))
    with transaction.atomic():
        hold = LegalHold.objects.create(
            team=team, team_name=team.name if team else "", reason=reason, set_by=by.uuid, set_at=clock.now()
        )
        people = [person] if person else list(User.objects.filter(memberships__team=team).order_by("pk"))
        _cover(hold, people=people)
        whom = (
            {"person": (None, str(person))}
            if person
            else {"team": (None, hold.team_name), "members": (None, list(map(str, people)))}
        )
        changes: audit.Changes = {**whom, "reason": (None, reason)}
        audit.record("hold.set", actor=by, request=request, target=hold, changes=changes, concerns=None)
    return hold


def end(hold: LegalHold, *, by: User, request: HttpRequest) -> bool:
    """From now on its people are treated like everybody else; False when somebody ended it before."""
    with transaction.atomic():
        if not LegalHold.objects.filter(pk=hold.pk, ended_at=None).update(ended_at=clock.now()):
            return False
        names = [str(row.person) for row in hold.people.select_related("person")]
        changes: audit.Changes = {
            "team": (hold.team_name or None, None),
            "people": (names, None),
            "reason": (hold.reason, None),
        }
        audit.record("hold.ended", actor=by, request=request, target=hold, changes=changes)
    return True


def cover(person: User) -> None:
    """Somebody's teams have changed: holds of those she is in now cover her from here on. In the transaction of that change."""
    teams = Membership.objects.filter(user=person).values("team")
    for hold in LegalHold.objects.filter(ended_at=None, team__in=teams).exclude(people__person=person):
        _cover(hold, people=[person])
        audit.record("hold.joined", target=person, changes={"team": (None, hold.team_name)})


def _cover(hold: LegalHold, *, people: Iterable[User]) -> None:
    HeldPerson.objects.bulk_create([HeldPerson(hold=hold, person=each) for each in people], ignore_conflicts=True)
