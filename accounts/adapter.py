"""How allauth behaves here: nobody registers through the web, addresses stay local, what it would mail is ours to write.

Decides nothing about rights and renders nothing.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.stagekit import clear_login
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _

from accounts import letters, lockout, mail, notices, passwords, tries
from accounts.backend import WAITS, may_sign_in
from accounts.models import Organisation, User

VERSION = "pending_version"
"""In the session of somebody who has given the password and not yet the code: the version the account had then."""
RECENTLY_S = 300
"""So long after the sign-in nobody is asked again who she is."""
SAID = ("account/messages/password_changed.txt", "mfa/messages/")


class AccountAdapter(DefaultAccountAdapter):
    """allauth's hooks, each replaced for one reason."""

    error_messages = DefaultAccountAdapter.error_messages | {
        # One sentence for every reason, so that nobody learns which addresses have an account.
        "email_password_mismatch": _("E-mail or password is wrong, or the account is switched off."),
        "invalid_login": _("E-mail or password is wrong, or the account is switched off."),
        "password_mismatch": _("The two new passwords differ."),
        "enter_current_password": _("This is not your current password."),
        "incorrect_password": _("This is not your current password."),
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
        if vars(request).get(WAITS):
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_waits")))
        return user if isinstance(user, User) else None

    def get_login_stages(self) -> list[str]:
        """The second factor, and nothing else. Who comes through the company was asked there whatever it wants to ask."""
        return [] if "sso_arrival" in vars(self.request) else ["allauth.mfa.stages.AuthenticateStage"]

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Whatever proved who she is: whoever has no door here gets the sentence of a wrong password."""
        records = get_authentication_records(request, user)
        ours = not any(record.get("method") == "socialaccount" for record in records)
        if not may_sign_in(user) or (ours and Organisation.get().sso_only):
            return self._turn_away(request)
        request.session[VERSION] = user.session_version
        return None

    def login(self, request: HttpRequest, user: User) -> None:
        """Between the password and the code an account may have been switched off, or its password changed: then not."""
        now = User.objects.filter(pk=user.pk).first()
        pending = request.session.pop(VERSION, None)
        if now is None or not may_sign_in(now) or pending not in (None, now.session_version):
            raise ImmediateHttpResponse(self._turn_away(request))
        # What was kept for the way to the door may have been meant to end soon.
        request.session.set_expiry(None)
        super().login(request, user)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """To where she wanted; before that to what was done to her account meanwhile."""
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if isinstance(response, HttpResponseRedirect) and notices.unread(user).exists():
            return HttpResponseRedirect(f"{reverse('accounts:notices')}?{urlencode({'next': response.url})}")
        return response

    def _turn_away(self, request: HttpRequest) -> HttpResponse:
        clear_login(request)
        messages.error(request, self.error_messages["email_password_mismatch"])
        return HttpResponseRedirect(reverse("account_login"))

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        return self._turn_away(request)

    def reauthenticate(self, user: User, password: str) -> bool:
        """Her own password, again; too many wrong ones are answered with 429."""
        return own_password(self.request, user=user, password=password)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not of somebody who has signed in a moment ago."""
        request = self.request
        if request is None or not isinstance(request.user, User):
            return True
        records = get_authentication_records(request, request.user)
        return not records or time.time() - float(records[-1].get("at", 0)) > RECENTLY_S

    def set_password(self, user: User, password: str) -> None:
        passwords.change(user, password=password)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("accounts:settings")

    def add_message(self, request: HttpRequest, level: int, *args: Any, **kwargs: Any) -> None:
        """Only what a person has changed about her sign-in is worth a note."""
        template = kwargs.get("message_template") or (args[0] if args else "") or ""
        if template.startswith(SAID):
            super().add_message(request, level, *args, **kwargs)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """None of allauth's own letters: ours are written by accounts.mail."""

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tells the owner what was changed about the sign-in, in case it was not she: `password_changed`, `totp_activated`…"""
        given = {"user": user, "kind": template_prefix.rpartition("/")[2]}
        mail.send("account_notice", to=user.email, language=letters.language_for(user), context=given)


def own_password(request: HttpRequest, *, user: User, password: str) -> bool:
    """Whether it is the password of the person who is signed in; tries are counted, one too many answers 429."""
    limit = tries.Limit(f"own-password:{user.pk}", 10, lockout.PAUSE_S)
    if wait := tries.take(limit):
        lockout.refuse(request, wait=wait)
        return False
    right = user.check_password(password)
    if right:
        tries.forget(limit)
    return right
