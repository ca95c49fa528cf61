"""The forms in which a person signs in, chooses a password or another address, and sets name, language and time zone.

No sessions, no redirects here.
"""

from __future__ import annotations

import zoneinfo
from typing import Any

from allauth.account import forms as allauth_forms
from allauth.account.adapter import get_adapter
from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from accounts import lockout, mail, passwords, tries
from accounts.adapter import own_password
from accounts.backend import may_sign_in
from accounts.models import User

RESETS = 20
"""So often an hour an address may ask for links, for whomever."""

Choices = list[tuple[str, Any]]


def languages(none: Promise) -> Choices:
    """Choices of the languages of the site; `none` names the empty one."""
    return [("", none), *settings.LANGUAGES]


def time_zones(none: Promise) -> Choices:
    """Choices of the time zones that a place has; `none` names the empty one."""
    zones = sorted(name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [("", none), ("UTC", "UTC"), *((name, name) for name in zones)]


def _current() -> forms.PasswordInput:
    return forms.PasswordInput(attrs={"autocomplete": "current-password"})


def _new_password() -> forms.CharField:
    return forms.CharField(
        label=_("New password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 10 characters. A few words that only you would put together are best."),
    )


def _new_password_again() -> forms.CharField:
    return forms.CharField(
        label=_("New password, again"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class SignIn(allauth_forms.LoginForm):
    """E-mail and password (`login`, `password`: scripts rely on the names)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = forms.EmailField(
            label=_("E-mail"),
            max_length=254,
            widget=forms.EmailInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
        )
        # The length is bounded because hashing a megabyte costs; it is far above any real password.
        self.fields["password"] = forms.CharField(label=_("Password"), max_length=200, strip=False, widget=_current())
        # After a wrong try the address stands there already: the password is what is typed again.
        self.fields["password" if self.is_bound else "login"].widget.attrs["autofocus"] = True
        self.order_fields(["login", "password"])


class TokenOfReset(allauth_forms.UserTokenForm):
    """The link out of a mail: of somebody who may still come in."""

    def _get_user(self, uidb36: str) -> User | None:
        user = super()._get_user(uidb36)
        return user if isinstance(user, User) and may_sign_in(user) else None


class ChooseNew(allauth_forms.ResetPasswordKeyForm):
    """The new password after a mailed link."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"] = _new_password()
        self.fields["password2"] = _new_password_again()


class AskForReset(allauth_forms.ResetPasswordForm):
    """Whose password: answered alike whether the address is known or not."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = forms.EmailField(
            label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
        )

    def clean_email(self) -> str:
        """As typed: whether anybody has the address is asked when the letter is sent."""
        email: str = self.cleaned_data["email"].strip().lower()
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        email: str = self.cleaned_data["email"]
        if wait := tries.take(tries.Limit(f"reset:{lockout.address(request)}", RESETS, 3600)):
            lockout.refuse(request, wait=wait)
        else:
            base = passwords.absolute("/", request=request).removesuffix("/")
            mail.ask_for_reset(email, base=base, language=get_language() or "")
        return email


class ChangePassword(allauth_forms.ChangePasswordForm):
    """A new password; the old one is asked for unless it was a one-time password used a moment ago."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["oldpassword"] = forms.CharField(
            label=_("Current password"), max_length=200, strip=False, widget=_current()
        )
        self.fields["password1"] = _new_password()
        self.fields["password2"] = _new_password_again()
        self.order_fields(["oldpassword", "password1", "password2"])
        if self.user.password_expired:
            del self.fields["oldpassword"]

    def clean_oldpassword(self) -> str:
        password: str = self.cleaned_data["oldpassword"]
        if not own_password(context.request, user=self.user, password=password):
            raise get_adapter().validation_error("enter_current_password")
        return password

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        validate_password(password, self.user)
        # Only beside the right old one: otherwise this would be another place to guess at.
        proven = "oldpassword" in self.cleaned_data or self.user.password_expired
        if proven and self.user.check_password(password):
            raise ValidationError(gettext("This is the password you have now. Choose another one."))
        return password


class Confirm(allauth_forms.ReauthenticateForm):
    """The own password, again, before something that whoever finds an open computer must not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"] = forms.CharField(label=_("Password"), max_length=200, strip=False, widget=_current())
        self.fields["password"].widget.attrs["autofocus"] = True


class NewAddress(forms.Form):
    """The e-mail address to use from now on; whether it is free is found out by confirming it."""

    email = forms.EmailField(
        label=_("New e-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"].strip().lower()
        if email == self.user.email:
            raise ValidationError(gettext("This is the address you have now."))
        return email


class ChosenPassword(forms.Form):
    """A new password, twice, for whoever holds a one-time link."""

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["password1"] = _new_password()
        self.fields["password2"] = _new_password_again()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        first, second = found.get("password1"), found.get("password2")
        if first and second and first != second:
            self.add_error("password2", gettext("The two new passwords differ."))
        if first:
            try:
                validate_password(first, self.user)
            except ValidationError as error:
                self.add_error("password1", error)
        return found
