"""Which limits apply to a person and why, and how they stand: what an administrator asks when somebody says "it is full"."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock
from accounts.models import User
from usage import explaining, periods
from usage.explaining import Reason
from usage.limit_models import Unit
from usage.limits import Standing

WORDS = {
    "own": "her own",
    "team": "for each member of {name}",
    "each": "for each person",
    "pool": "all of {name} together; this team pays for her",
    "organisation": "everybody together",
    "key": "the API key {name}",
}
INSTEAD = {
    "own": "her own limit stands in for it",
    "team": "a team's limit stands in for it",
    "other_team": "another team pays for her",
}


class Command(BaseCommand):
    help = "Prints which limits apply to a person and why, what is used, held and left, and when each returns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the person's e-mail address")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        person = User.objects.filter(email=email.strip().lower()).first()
        if person is None:
            raise CommandError(f"Nobody has the address {email}.")
        standing, every = explaining.reasons(person=person.uuid, now=clock.now())
        self.stdout.write(
            f"{person.get_full_name()} · paid by {standing.team_name or 'no team'} · {standing.time_zone}"
        )
        if not any(reason.applies for reason in every):
            self.stdout.write("No limit applies.")
        for reason in [*every, *explaining.of_keys(person, now=clock.now(), time_zone=standing.time_zone)]:
            self.stdout.write(line(reason, standing=standing))


def line(reason: Reason, *, standing: Standing) -> str:
    """One limit in a line."""
    limit = reason.limit
    unit = f"micro-{standing.currency}" if limit.unit == Unit.COST else limit.unit
    what = f"{limit.cap:,} {unit}" + ("" if limit.resets_at is None else f" a {limit.period}")
    if limit.granted:
        what += f" ({limit.granted:,} of them for a while)"
    what += f" on {', '.join(model.name for model in reason.models) or 'models that are gone'}" if limit.models else ""
    if not reason.applies:
        return (
            f"  not: {what}, {limit.subject_name or limit.scope}: {INSTEAD.get(reason.why, 'another stands in for it')}"
        )
    why = WORDS[reason.why].format(name=limit.subject_name or "the team")
    stands = f"used {limit.used:,}, held {limit.held:,}, left {limit.left:,}"
    returns = ""
    if limit.resets_at is not None:
        returns = f"; returns {limit.resets_at.astimezone(periods.zone(standing.time_zone)):%Y-%m-%d %H:%M}"
    return f"  {what}: {why}; {stands}{returns}; at the limit: {limit.at_limit}"
