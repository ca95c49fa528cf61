"""Registers the room "who asks"."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and teams")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.account.signals import password_changed
        from django.contrib.auth.signals import user_logged_in

        from accounts import audit_signals, sessions

        user_logged_in.connect(sessions.mark, dispatch_uid="accounts.session.signed_in")
        password_changed.connect(sessions.mark, dispatch_uid="accounts.session.password_changed")
        audit_signals.connect()
