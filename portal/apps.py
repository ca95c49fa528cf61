"""Registers the room "the site" and its checks of the settings."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

ALERTS = "portal.change_alertsettings"


class PortalConfig(AppConfig):
    name = "portal"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the checks; and every process knows the Celery application, so that a bell goes to the right broker."""
        from accounts import people_rights, personal, personal_own
        from portal import celery, checks, models  # noqa: F401  # importing the first two registers them

        people_rights.register(people_rights.Bundle("alerts", _("See alerts and who is told of them"), (ALERTS,)))
        # Chosen as a reader of the month report: the row goes with the person.
        chosen = personal_own.deleting(lambda person: models.MonthReader.objects.filter(user=person))
        personal.register(personal.Part("month_letters", _("Being sent the month report"), *chosen))
