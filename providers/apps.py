"""Registers the room "who answers"."""

from __future__ import annotations

from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    name = "providers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.utils.translation import gettext_lazy as _

        from accounts import people_rights, profile
        from providers import access

        profile.offer_models(access.names_for)
        names = [
            f"providers.{action}_{row}" for row in ("provider", "languagemodel") for action in ("view", "add", "change")
        ]
        people_rights.register(people_rights.Bundle("models", _("Connect providers and choose models"), tuple(names)))
