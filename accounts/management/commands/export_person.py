"""`manage.py export_person EMAIL FILE`: everything about one person into one zip. It is an event of the audit trail."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit, taking_along
from accounts.models import User


class Command(BaseCommand):
    """For somebody who asks for her data and cannot sign in."""

    help = "Writes everything about one person (profile, conversations, usage, sign-ins, audit entries) into a zip."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Whose data.")
        parser.add_argument("file", help="The zip to write; it must not exist yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.filter(email=str(options["email"]).strip().lower()).first()
        if person is None:
            raise CommandError(f"Nobody has the address {options['email']}.")
        # First the event: what cannot be written down is not taken along.
        audit.record("person.exported", target=person, actor_kind="command", changes={"part": (None, "all")})
        try:
            count = taking_along.write(taking_along.files(person), path=str(options["file"]))
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written: {error.strerror}") from error
        self.stdout.write(f"{count} files about {person.email} stand in {options['file']}.")
