"""How allauth behaves here: nobody registers through the web, addresses stay local, mail never holds up a page.

Decides nothing about rights and renders nothing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts import outbox, passwords
from accounts.models import Organisation, User


class AccountAdapter(DefaultAccountAdapter):
    """allauth's hooks, each replaced for one reason."""

    error_messages = DefaultAccountAdapter.error_messages | {
        # One sentence for every reason, so that nobody learns which addresses have an account.
        "email_password_mismatch": _("E-mail or password is wrong, or the account is switched off."),
        "invalid_login": _("E-mail or password is wrong, or the account is switched off."),
        "password_mismatch": _("The two new passwords differ."),
        "enter_current_password": _("This is not your current password."),
        "invalid_password_reset": _("This link has been used or is too old."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Local addresses only: `next` never leads to another host."""
        return url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The person, or None; a switched-off account looks exactly like a wrong password."""
        credentials["email"] = str(credentials.get("email", "")).lower()
        user = authenticate(request, **credentials)
        # allauth keeps switched-off people aside to show them a page of their own: forget them.
        AuthenticationBackend.unstash_authenticated_user()
        return user if isinstance(user, User) else None

    def set_password(self, user: User, password: str) -> None:
        passwords.change(user, password=password)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:settings")

    def add_message(self, request: HttpRequest, level: int, *args: Any, **kwargs: Any) -> None:
        """Only "the password has been changed" is worth a note."""
        template = kwargs.get("message_template") or (args[0] if args else "")
        if template == "account/messages/password_changed.txt":
            super().add_message(request, level, *args, **kwargs)

    def get_reset_password_from_key_url(self, key: str) -> str:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return passwords.absolute(path.replace("UID-KEY", quote(key)), request=self.request)

    def format_email_subject(self, subject: str) -> str:
        return str(subject)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Written in the reader's language; sent by a thread, so that a page never waits for the mail server."""
        organisation = Organisation.get()
        reader = context.get("user")
        language = getattr(reader, "language", "") or organisation.language or settings.LANGUAGE_CODE
        with override(language):
            message = self.render_mail(template_prefix, email, context | {"organisation": organisation})
        outbox.send(message)
