"""Registers the room "what it costs"."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UsageConfig(AppConfig):
    name = "usage"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import people_rights
        from usage import personal_own

        names = tuple(f"usage.{action}_quota" for action in ("view", "add", "change"))
        people_rights.register(people_rights.Bundle("limits", _("Set limits and answer requests for more"), names))
        people_rights.register(people_rights.Bundle("calls", _("See the log of calls"), ("usage.view_invocation",)))
        people_rights.register(people_rights.Bundle("desk", _("See the desk"), ("usage.view_rollup",)))
        seen = people_rights.Bundle("desk_people", _("See there what each person uses"), ("usage.view_personday",))
        people_rights.register(seen)
        months = ("usage.view_closedmonth", "usage.add_closedmonth")
        people_rights.register(people_rights.Bundle("months", _("See and close months, enter invoices"), months))
        personal_own.register()
