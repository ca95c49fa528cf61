"""`manage.py rescue <e-mail>`: a link for one sign-in, for somebody who has lost every other way in. Prints, sends nothing."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import audit, one_time_links
from accounts.backend import may_sign_in
from accounts.models import OneTimeLink, User


class Command(BaseCommand):
    """Works while only the company's sign-in is open, and for a lost second factor."""

    help = "Prints a link with which this person signs in once. It ends after an hour. A new password is the next page."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="Whose account.")

    def handle(self, *args: Any, **options: Any) -> None:
        email = str(options["email"]).strip().lower()
        user = User.objects.filter(email=email).first()
        if user is None:
            raise CommandError(f"Nobody has the address {email}. `manage.py createsuperuser` makes an administrator.")
        if not may_sign_in(user):
            raise CommandError(f"{email} is switched off, waits for approval or is a program: switch it on first.")
        with transaction.atomic():
            _link, path = one_time_links.make(user, purpose=OneTimeLink.Purpose.RESCUE)
            audit.record("rescue.made", target=user, actor_kind="command")
        base = settings.PUBLIC_URL or f"http://localhost:{settings.PORT}"
        self.stdout.write(f"{base}{path}")
        self.stderr.write(
            "Works once, within an hour. A second factor that was set up is removed when the link is used."
        )
