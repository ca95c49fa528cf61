"""The forms in which a person signs in, chooses a password and sets name, language and time zone.

No mail, no sessions, no redirects here.
"""

from __future__ import annotations

import zoneinfo
from typing import Any

from allauth.account import forms as allauth_forms
from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User

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

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        validate_password(password, self.user)
        if self.user.check_password(password):
            raise ValidationError(gettext("This is the password you have now. Choose another one."))
        return password


class Settings(forms.ModelForm[User]):
    """What a person decides about herself: nothing that grants rights."""

    # Said in both languages: whoever looks for it may not read the page's.
    language = forms.ChoiceField(label=_("Language · 语言"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)

    class Meta:
        model = User
        fields = ("name", "language", "time_zone")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].label = _("Your name")
        self.fields["name"].help_text = gettext("How you are greeted and shown to colleagues.")
        language, zone = self.fields["language"], self.fields["time_zone"]
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        language.choices = languages(_("As the browser asks"))
        zone.choices = time_zones(_("As the organisation"))
