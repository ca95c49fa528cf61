"""Registers the room "who asks"."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and teams")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from allauth.account.signals import password_changed, password_reset
        from django.contrib.auth.signals import user_logged_in, user_logged_out

        from accounts import (
            audit_signals,
            events,
            invitations,
            legal_holds,
            login_sessions,
            openings,
            people_rights,
            personal_own,
            service_accounts,
            sessions,
            teams,
        )

        user_logged_in.connect(sessions.mark, dispatch_uid="accounts.session.signed_in")
        password_changed.connect(sessions.mark, dispatch_uid="accounts.session.password_changed")
        password_reset.connect(sessions.opened, dispatch_uid="accounts.session.password_reset")
        user_logged_in.connect(login_sessions.begin, dispatch_uid="accounts.login_session.begins")
        password_changed.connect(login_sessions.follow, dispatch_uid="accounts.login_session.goes_on")
        user_logged_out.connect(login_sessions.finish, dispatch_uid="accounts.login_session.ends")
        audit_signals.connect()
        teams.register()
        service_accounts.register()
        invitations.register()
        people_rights.register_own()
        events.on_cut(openings.cut)
        events.on_rights_changed(openings.follow_rights)
        events.on_rights_changed(legal_holds.cover)
        personal_own.register()
