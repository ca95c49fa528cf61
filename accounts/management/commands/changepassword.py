"""`manage.py changepassword <e-mail>`: a new password typed on the server. Unlike Django's own it ends every session and token."""

from __future__ import annotations

import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import audit, lockout, passwords
from accounts.models import User

TRIES = 3


class Command(BaseCommand):
    """Stands before Django's command of the same name."""

    help = "Changes a person's password and signs her out everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="email", help="Whose password.")

    def handle(self, *args: Any, **options: Any) -> str:
        email = str(options["username"]).strip().lower()
        user = User.objects.filter(email=email, is_service=False).first()
        if user is None:
            raise CommandError(f"Nobody has the address {email}.")
        password = self._ask(user)
        with transaction.atomic():
            passwords.change(user, password=password)
            lockout.forget(user)
            audit.record("password.set", target=user, actor_kind="command")
        return f"The password of {email} has been changed; every session and token has ended."

    def _ask(self, user: User) -> str:
        for _ in range(TRIES):
            first, second = getpass.getpass("New password: "), getpass.getpass("New password, again: ")
            if first != second:
                self.stderr.write("The two differ. Again, please.")
                continue
            try:
                validate_password(first, user)
            except ValidationError as error:
                self.stderr.write("\n".join(error.messages))
                continue
            return first
        raise CommandError(f"Nothing was changed after {TRIES} tries.")
