"""`manage.py opening_right EMAIL on|off`: who may open conversations with a reason, for an organisation with one administrator."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import openings
from accounts.models import User
from accounts.refusals import NotPossible


class Command(BaseCommand):
    """In the browser another administrator gives it; nobody gives it to herself there."""

    help = "Gives or takes the right to open other people's conversations with a reason. It is an event of the audit trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="An administrator or somebody of the staff.")
        parser.add_argument("right", choices=("on", "off"))

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=str(options["email"]).strip().lower()).first()
        if person is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        try:
            changed = openings.set_right(person, by=None, on=options["right"] == "on")
        except NotPossible as refused:
            raise CommandError(str(refused.message)) from None
        self.stdout.write("Done." if changed else "Nothing to change.")
