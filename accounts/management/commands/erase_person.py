"""`manage.py erase_person EMAIL-OR-NUMBER [--yes]`: says what would go; with --yes erases, and prints the receipt."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import translation

from accounts import erasing
from accounts.models import Erasure, User
from accounts.refusals import NotPossible


class Command(BaseCommand):
    """Goes on where an earlier run stopped; a repeat says that it is done."""

    help = "Erases one person: conversations, names, sign-ins, keys. The account must be switched off before. Asks for --yes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="E-mail, or the account's number (UUID) once the e-mail is gone.")
        parser.add_argument("--yes", action="store_true", help="Do it; without, only the rows are counted.")

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override("en"):
            self._handle(str(options["person"]).strip().lower(), yes=bool(options["yes"]))

    def _handle(self, named: str, *, yes: bool) -> None:
        person = _found(named)
        done = Erasure.objects.filter(person=person.uuid).exclude(finished_at=None).first()
        if done is not None:
            self.stdout.write("Erased before. The receipt:\n" + erasing.receipt(done))
            return
        try:
            if not yes:
                erasing.refuse(person, by=None)
                for line in erasing.plan(person):
                    self.stdout.write(f"{line.count:>9}  {line.title}")
                self.stdout.write("Nothing was erased. Add --yes to erase these rows; there is no way back.")
                return
            erasure = erasing.begin(person, by=None)
            while not erasing.carry_on(erasure, seconds=60):
                self.stdout.write("still erasing…")
        except NotPossible as refused:
            raise CommandError(str(refused.message)) from None
        self.stdout.write(erasing.receipt(erasure))


def _found(named: str) -> User:
    try:
        found = User.objects.filter(uuid=uuid.UUID(named)).first()
    except ValueError:
        found = User.objects.filter(email=named).first()
    if found is None:
        raise CommandError(f"Nobody has the address or number {named}.")
    return found
