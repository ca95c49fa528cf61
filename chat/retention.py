"""How long conversations are kept: whose rule counts for whom, what a rule would remove, and removing it in small steps.

A conversation's age is counted from its last message. Of the rules of a person's teams the shortest counts, be it shorter or longer
than the organisation's, which counts for everybody whose teams say nothing. Removes nothing of somebody under a legal hold and nothing
in which an answer is being written; usage stays.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Min, Q, QuerySet

from accounts import audit
from accounts.models import Membership, Organisation, Team, User
from chat import removal
from chat.models import Conversation

MOST = 500
"""So many conversations go in one run; the next run goes on."""
FOR_EVER = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """Days by team (its primary key) where it has a rule of its own, 0 being for ever; and the organisation's."""

    organisation: int
    teams: Mapping[int, int]

    @classmethod
    def present(cls) -> Rules:
        rows = Team.objects.filter(retention_days__isnull=False).values_list("pk", "retention_days")
        return cls(Organisation.get().retention_days or FOR_EVER, {pk: days or FOR_EVER for pk, days in rows})

    def shortest(self, teams: list[int]) -> tuple[int, int | None]:
        """What counts for somebody in these teams, and the team that says so (None: the organisation)."""
        own = [(self.teams[pk] or 10**9, pk) for pk in teams if pk in self.teams]
        if not own:
            return self.organisation, None
        days, pk = min(own)
        return (FOR_EVER if days == 10**9 else days), pk


@dataclass(frozen=True, slots=True)
class Preview:
    """What the rules would remove now of the people for whom one team's (or the organisation's, "") rule counts."""

    name: str
    days: int
    people: int
    conversations: int
    messages: int
    oldest: dt.datetime | None
    held: int


def days_for(person: User) -> tuple[int, str]:
    """How long this person's conversations are kept (0: for ever) and the team whose rule that is ("": the organisation's)."""
    rules = Rules.present()
    days, team = rules.shortest(list(Membership.objects.filter(user=person).values_list("team", flat=True)))
    return days, Team.objects.get(pk=team).name if team else ""


def preview(rules: Rules, *, now: dt.datetime) -> list[Preview]:
    """What would go at once if these were the rules; each person once, under the rule that counts for her."""
    names = dict(Team.objects.values_list("pk", "name"))
    found = []
    for team, people in _people(rules).items():
        days = rules.teams[team] if team else rules.organisation
        mine = Conversation.objects.filter(user__in=people)
        all_over = _over(mine, days=days, now=now)
        over = removal.unheld(all_over)
        oldest = over.aggregate(oldest=Min("updated_at"))["oldest"]
        count = over.count()
        line = Preview(
            names[team] if team else "",
            days,
            len(people),
            count,
            removal.count(over) if count else 0,
            oldest,
            all_over.count() - count,
        )
        found.append(line)
    return sorted(found, key=lambda line: (line.name != "", line.name))


def sweep(*, now: dt.datetime, most: int = MOST) -> dict[str, int]:
    """One run: what is half removed, the bin, temporary ones, what is too old. Each in steps that nobody waits for."""
    counts = {"left": removal.finish_all(), "bin": 0, "temporary": 0, "old": 0}
    over = now - dt.timedelta(days=settings.BIN_DAYS)
    counts["bin"] = _remove(Conversation.objects.filter(deleted_at__lte=over), now=now, most=most)
    counts["temporary"] = _remove(Conversation.objects.filter(expires_at__lte=now), now=now, most=most)
    rules = Rules.present()
    for team, people in _people(rules).items():
        days = rules.teams[team] if team else rules.organisation
        for some in (people[i : i + 500] for i in range(0, len(people), 500)):
            rows = _over(Conversation.objects.filter(user__in=some), days=days, now=now)
            counts["old"] += _remove(rows, now=now, most=most - counts["old"])
    if gone := sum(counts.values()):
        audit.record("retention.removed", changes={"conversations": (gone, None), "kind": (None, counts)})
    return counts


def _remove(rows: QuerySet[Conversation], *, now: dt.datetime, most: int) -> int:
    """Those that nothing holds and nobody writes in; looked at again at the moment of taking each."""
    free = removal.quiet(removal.unheld(rows.filter(going=False)))
    done = 0
    for pk in list(free.order_by("pk").values_list("pk", flat=True)[: max(0, most)]):
        if removal.take(free, pk=pk, now=now):
            removal.finish(Conversation(pk=pk), pause=removal.PAUSE_S)
            done += 1
    return done


def _over(rows: QuerySet[Conversation], *, days: int, now: dt.datetime) -> QuerySet[Conversation]:
    """Those whose time is over; temporary ones have a time of their own, those in the bin too."""
    if days == FOR_EVER:
        return rows.none()
    old = Q(updated_at__lte=now - dt.timedelta(days=days)) & (
        Q(finished_at=None) | Q(finished_at__lte=now - dt.timedelta(days=days))
    )
    return rows.filter(old, going=False, expires_at=None)


def _people(rules: Rules) -> dict[int, list[int]]:
    """Everybody by the team whose rule counts; 0 stands for the organisation's."""
    teams: dict[int, list[int]] = {}
    for user, team in Membership.objects.filter(team__in=list(rules.teams)).values_list("user", "team"):
        teams.setdefault(user, []).append(team)
    found: dict[int, list[int]] = {0: []}
    for person in User.objects.order_by("pk").values_list("pk", flat=True):
        _days, decides = rules.shortest(teams.get(person, []))
        found.setdefault(decides or 0, []).append(person)
    return found


def ends_of_temporary(now: dt.datetime) -> dt.datetime:
    """When a temporary conversation that begins now goes."""
    return now + dt.timedelta(hours=Organisation.get().temporary_hours)
