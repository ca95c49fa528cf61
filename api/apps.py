"""Registers the room "for programs"."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import AppConfig

UNUSED = ("requests", "django.contrib.postgres")
"""What REST framework loads when it finds it, for test clients and fields that we have not: 15 MB in each web process."""


class ApiConfig(AppConfig):
    name = "api"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Lets REST framework look for what it could use while that is out of sight; says what is known of a person here."""
        modules: dict[str, Any] = sys.modules
        hidden = [name for name in UNUSED if name not in modules]
        modules |= dict.fromkeys(hidden)  # None: as if it were not installed
        try:
            import rest_framework.compat  # noqa: F401  # remembers what it found
        finally:
            for name in hidden:
                del modules[name]
        from api import personal_own

        personal_own.register()
