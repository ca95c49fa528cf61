"""The forms for codes: at the second step of signing in, before something delicate, and when an app is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base import forms as allauth_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as app_forms
from allauth.mfa.totp.internal import auth as totp
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts import lockout, second_factor, tries
from accounts.models import User
from accounts.second_factor_adapter import SecondFactorAdapter


def _code(hint: Any) -> forms.CharField:
    # `text` and not `numeric`: recovery codes are typed here, too, and some people type the gap.
    attributes = {"autocomplete": "one-time-code", "spellcheck": "false", "autocapitalize": "off", "autofocus": True}
    widget = forms.TextInput(attrs=attributes | {"inputmode": "numeric"})
    return forms.CharField(label=_("Code"), max_length=second_factor.LONGEST, help_text=hint, widget=widget)


class _Checked:
    """Codes are compared by accounts.second_factor: once, counted, and on every process alike."""

    user: User
    cleaned_data: dict[str, Any]
    _emit_authentication_failed: Callable[[Authenticator], None]

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        found, wait = second_factor.attempt(self.user, code, request=context.request)
        if wait:
            lockout.refuse(context.request, wait=wait)
        if found is None:
            self._tell_failure()
            raise SecondFactorAdapter().validation_error("incorrect_code")
        self.authenticator = found
        return code

    def _tell_failure(self) -> None:
        """To whoever listens to allauth's signal (the audit trail)."""
        first = second_factor.app_of(self.user)
        if first is not None:
            self._emit_authentication_failed(first)


class SecondStep(_Checked, allauth_forms.AuthenticateForm):
    """After the password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = _code(_("From your app; or one of your recovery codes."))


class Confirm(_Checked, allauth_forms.ReauthenticateForm):
    """Before something that whoever finds an open computer must not change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = _code(_("From your app; or one of your recovery codes."))


class SetUpApp(app_forms.ActivateTOTPForm):
    """The first code of a new app proves that it was read in."""

    counter: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"] = _code(_("Six digits that the app shows now."))

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if wait := tries.take(tries.Limit(f"new-app:{self.user.pk}", second_factor.MOST, second_factor.A_QUARTER)):
            lockout.refuse(context.request, wait=wait)
            raise ValidationError("")
        counter = second_factor.counter_of(totp.get_totp_secret(), code)
        if counter is None:
            raise SecondFactorAdapter().validation_error("incorrect_code")
        self.counter = counter
        return code
