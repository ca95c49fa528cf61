"""The forms for passkeys: what a browser's authenticator answered, and the name a person gives a key. Loaded when first used."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn import forms as allauth_forms
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.second_factor_adapter import SecondFactorAdapter

LONGEST_NAME = 80
LARGEST = 20_000


def _credential() -> forms.JSONField:
    return forms.JSONField(widget=forms.HiddenInput, max_length=LARGEST)


def _name() -> forms.CharField:
    hint = _("By which you will know it again.")
    return forms.CharField(label=_("Name"), max_length=LONGEST_NAME, required=False, help_text=hint)


class _Careful(forms.Form):
    """Whatever stands in the answer of an authenticator, it is a wrong code and never a broken page."""

    def full_clean(self) -> None:
        try:
            super().full_clean()
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            self.cleaned_data = {}
            self.add_error(None, SecondFactorAdapter().validation_error("incorrect_code"))


class AddPasskey(_Careful, allauth_forms.AddWebAuthnForm):
    """A new passkey and its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("passwordless", None)
        self.fields["credential"], self.fields["name"] = _credential(), _name()


class SecondStep(_Careful, allauth_forms.AuthenticateWebAuthnForm):
    """After the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = _credential()


class SignIn(_Careful, allauth_forms.LoginWebAuthnForm):
    """Instead of a password: the key knows whose it is, and has asked for a finger, a face or a PIN."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = _credential()


class Confirm(_Careful, allauth_forms.ReauthenticateWebAuthnForm):
    """Before something that whoever finds an open computer must not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = _credential()


class Rename(allauth_forms.EditWebAuthnForm):
    """Another name for a key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = _name()
        self.fields["name"].required = True
