"""Reads of people: the list with its search and filters, one person's page, and whom an e-mail names. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet
from django.http import Http404
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Membership, User

PAGE = 50
SUGGESTED = 100
LONGEST = 100

SHOWS: dict[str, tuple[str | Promise, Q]] = {
    "active": (_("Active"), Q(is_active=True, is_service=False)),
    "waiting": (_("Waiting for approval"), Q(awaits_approval=True)),
    "staff": (_("Administrators and staff"), Q(is_active=True) & (Q(is_superuser=True) | Q(is_staff=True))),
    "programs": (_("Programs"), Q(is_service=True)),
    "off": (_("Switched off"), Q(is_active=False, awaits_approval=False, is_service=False)),
}
"""What the list can be narrowed to; the first is shown without asking."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list; `next_cursor` is empty at its end."""

    people: Sequence[User]
    next_cursor: str


def find(*, text: str = "", show: str = "active", cursor: str = "", team: UUID | None = None) -> Listing:
    """People by e-mail. `text` is looked for in name, e-mail and the names of teams; `cursor` is the last e-mail seen."""
    rows = User.objects.filter(SHOWS[show][1])
    if words := text.strip()[:LONGEST]:
        in_team = Membership.objects.filter(user=OuterRef("pk"), team__name__icontains=words)
        rows = rows.filter(Q(email__icontains=words) | Q(name__icontains=words) | Exists(in_team))
    if team is not None:
        rows = rows.filter(Exists(Membership.objects.filter(user=OuterRef("pk"), team__uuid=team)))
    if cursor:
        rows = rows.filter(email__gt=cursor)
    found = list(with_teams(rows).order_by("email")[: PAGE + 1])
    return Listing(found[:PAGE], found[PAGE - 1].email if len(found) > PAGE else "")


def with_teams(rows: QuerySet[User]) -> QuerySet[User]:
    """The same people, each with `places`: memberships with their teams, the one that pays first."""
    memberships = Membership.objects.select_related("team", "sso").order_by("-is_primary", "team__name")
    return rows.select_related("owner").prefetch_related(Prefetch("memberships", memberships, to_attr="places"))


def person_for(uuid: UUID) -> User:
    """One person with teams and owner, or 404."""
    found = with_teams(User.objects.filter(uuid=uuid)).first()
    if found is None:
        raise Http404
    return found


def waiting() -> int:
    """How many people wait for approval."""
    return User.objects.filter(awaits_approval=True).count()


def colleague(email: str) -> User | None:
    """The active colleague with this address."""
    return User.objects.filter(email=email.strip().lower(), is_active=True, is_service=False).first()


def account(named: str) -> User | None:
    """The active colleague with this address, else the active program with this address or name."""
    found = colleague(named)
    if found is None:
        programs = User.objects.filter(is_active=True, is_service=True)
        found = programs.filter(Q(email=named.strip().lower()) | Q(name=named.strip())).order_by("pk").first()
    return found


def suggestions() -> list[tuple[str, str]]:
    """Address and name of some active colleagues, to be offered while an address is typed; all of them where there are few."""
    rows = User.objects.filter(is_active=True, is_service=False).order_by(F("email"))
    return list(rows.values_list("email", "name")[:SUGGESTED])


def members(team_pk: int, *, cursor: str = "") -> Listing:
    """People of one team, switched-off ones left out: managers first is not promised, the e-mail orders them."""
    rows = User.objects.filter(memberships__team=team_pk, is_active=True)
    if cursor:
        rows = rows.filter(email__gt=cursor)
    mine = Membership.objects.filter(team=team_pk)
    rows = rows.prefetch_related(Prefetch("memberships", mine, to_attr="places"))
    found = list(rows.order_by("email")[: PAGE + 1])
    return Listing(found[:PAGE], found[PAGE - 1].email if len(found) > PAGE else "")
