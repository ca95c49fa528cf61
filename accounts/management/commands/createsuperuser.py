"""Django's own command, and an event that says that an administrator was made on the server."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.db.models.signals import post_save

from accounts import audit
from accounts.models import User


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        # The command asks for minutes, perhaps, and keeps the new row to itself: no transaction may stand open around it.
        post_save.connect(_told, sender=User)
        try:
            super().handle(*args, **options)
        finally:
            post_save.disconnect(_told, sender=User)


def _told(sender: Any, instance: User, created: bool, **kwargs: Any) -> None:  # noqa: FBT001  # Django's signature
    if created:
        changes = {"role": [None, "administrator"]}
        audit.record("person.added", actor_kind="command", target=instance, changes=changes)
