"""What somebody says about herself when she comes in: by an invitation, or by registering. Checks the words only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.forms import time_zones
from accounts.models import User

NAME = User._meta.get_field("name").max_length


class Entering(forms.Form):
    """Name, password, language, time zone, and the house rules where there are any."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=NAME,
        help_text=_("How you are greeted and shown to colleagues."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password1 = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 10 characters. A few words that only you would put together are best."),
    )
    password2 = forms.CharField(
        label=_("Password, again"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    # Said in both languages: whoever looks for it may not read the page's.
    language = forms.ChoiceField(label=_("Language · 语言"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    agrees = forms.BooleanField(label=_("I have read the house rules and agree to them"))

    def __init__(self, *args: Any, email: str, has_rules: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invited = email
        language, zone = self.fields["language"], self.fields["time_zone"]
        assert isinstance(language, forms.ChoiceField)
        assert isinstance(zone, forms.ChoiceField)
        language.choices = settings.LANGUAGES
        zone.choices = time_zones(_("As the organisation"))
        # What the browser knows is filled in by a script (static/js/zone.js), where nothing is chosen yet.
        zone.widget.attrs["data-zone"] = ""
        if not has_rules:
            del self.fields["agrees"]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        first, second = given.get("password1"), given.get("password2")
        if not first or second is None:
            return given
        if first != second:
            self.add_error("password2", _("The two passwords differ."))
        email = given.get("email") or self.invited
        try:
            validate_password(first, User(email=email, name=given.get("name", "")))
        except ValidationError as error:
            self.add_error("password1", error)
        return given


class Registering(Entering):
    """The same with an e-mail: for domains that are open."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
    )
    field_order = ("email", "name", "password1", "password2", "language", "time_zone", "agrees")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, email="", **kwargs)
        del self.fields["language"]


class Confirming(forms.Form):
    """The password of the registration, to prove that the same person reads the letter."""

    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
