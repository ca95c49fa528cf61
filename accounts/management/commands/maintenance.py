"""`manage.py maintenance on|off|status`: the same as the page, for whoever is on the machine (before an update, from a script)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import clock, maintenance
from accounts.models import Organisation

LONGEST_MINUTES = 7 * 24 * 60


class Command(BaseCommand):
    """Says how it stands afterwards."""

    help = "Begins or ends maintenance: nobody but staff sends anything new; what was sent before is answered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("on", "off", "status"))
        parser.add_argument("--minutes", type=int, help="how long it will probably take")
        parser.add_argument("--note", default="", help="a sentence for everybody, at most 300 characters")

    def handle(self, *args: Any, **options: Any) -> str:
        what, minutes, note = options["what"], options["minutes"], str(options["note"]).strip()
        if minutes is not None and not 0 < minutes <= LONGEST_MINUTES:
            raise CommandError(f"--minutes is between 1 and {LONGEST_MINUTES}.")
        if len(note) > 300 or not note.isprintable():
            raise CommandError("--note is one line of at most 300 characters.")
        if what != "status":
            end = clock.now() + dt.timedelta(minutes=minutes) if minutes else None
            maintenance.switch(on=what == "on", end=end, note=note, by_command=True)
        organisation = Organisation.objects.get(pk=Organisation.get().pk)
        if not maintenance.under_way(organisation):
            return "Maintenance is off."
        end = organisation.maintenance_until
        until = f" until about {end:%Y-%m-%d %H:%M} UTC" if end else ""
        return f"Maintenance is on since {organisation.maintenance_since:%Y-%m-%d %H:%M} UTC{until}."
