"""Pages of the second factor: allauth's views with what differs here. Loaded when first used (passkeys cost memory)."""

from __future__ import annotations

import json
from typing import Any

from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.base import views as base
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.mfa.webauthn.internal import flows
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts import lockout, second_factor, tries
from accounts.middleware import organisation_of
from accounts.models import User
from accounts.second_factor_adapter import SecondFactorAdapter

MOST_PASSKEYS = 20
ASKED = 60
"""So often in a quarter of an hour an address may begin to sign in with a passkey: each keeps a row for a while."""


@require_safe
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """What is set up, and what can be."""
    assert isinstance(request.user, User)
    user = request.user
    rows = list(Authenticator.objects.filter(user=user).order_by("pk"))
    context = {
        "app": next((row for row in rows if row.type == Authenticator.Type.TOTP), None),
        "passkeys": [row for row in rows if row.type == Authenticator.Type.WEBAUTHN],
        "codes_left": next((len(row.wrap().get_unused_codes()) for row in rows if row.type == CODES), None),
        "required": second_factor.required_of(user, organisation=organisation_of(request)),
        "enrolled": any(row.type in second_factor.TYPES for row in rows),
    }
    return render(request, "mfa/index.html", context)


CODES = Authenticator.Type.RECOVERY_CODES


class SecondStep(base.AuthenticateView):
    """After the password: a code or a passkey."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        types = set(Authenticator.objects.filter(user=self.stage.login.user).values_list("type", flat=True))
        found["has_codes"] = bool(types - {Authenticator.Type.WEBAUTHN})
        found["has_passkey"] = Authenticator.Type.WEBAUTHN in types
        return found | _asked(found, "request_options")


class SetUpApp(app.ActivateTOTPView):
    """A new app: its first code does not sign in a second time."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                response: HttpResponse = super().form_valid(form)
                row = Authenticator.objects.get(user=self.request.user, type=Authenticator.Type.TOTP)
                row.data["last"] = form.counter
                row.save(update_fields=["data"])
        except IntegrityError:  # the same form twice at once: the other one was first
            return HttpResponseRedirect(reverse("mfa_index"))
        return response


class AddPasskey(passkeys.AddWebAuthnView):
    """A new passkey that can also sign in by itself, where the device can keep it."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        chosen = found["js_data"]["creation_options"]["publicKey"].setdefault("authenticatorSelection", {})
        chosen |= {"residentKey": "preferred", "requireResidentKey": False, "userVerification": "preferred"}
        return found | _asked(found, "creation_options")

    def form_valid(self, form: Any) -> HttpResponse:
        keys = Authenticator.objects.filter(user=self.request.user, type=Authenticator.Type.WEBAUTHN)
        if keys.count() >= MOST_PASSKEYS:
            messages.error(self.request, _("You have %(count)d passkeys. Remove one first.") % {"count": MOST_PASSKEYS})
            return HttpResponseRedirect(reverse("mfa_index"))
        response: HttpResponse = super().form_valid(form)
        return response


class RemovePasskey(passkeys.RemoveWebAuthnView):
    """Not the last second factor where one is demanded."""

    def form_valid(self, form: Any) -> HttpResponse:
        if not SecondFactorAdapter().can_delete_authenticator(self.get_object()):
            messages.error(self.request, SecondFactorAdapter.error_messages["cannot_delete_authenticator"])
            return HttpResponseRedirect(reverse("mfa_index"))
        response: HttpResponse = super().form_valid(form)
        return response


class SignInWithPasskey(passkeys.LoginWebAuthnView):
    """Instead of e-mail and password."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if wait := tries.take(tries.Limit(f"passkey:{lockout.address(request)}", ASKED, lockout.PAUSE_S)):
            lockout.refuse(request, wait=wait)
            return HttpResponse(status=429)
        response: HttpResponse = super().get(request, *args, **kwargs)
        if webauthn.STATE_SESSION_KEY in request.session:
            request.session.set_expiry(lockout.PAUSE_S)
        return response

    def form_valid(self, form: Any) -> HttpResponse:
        key = form.cleaned_data["credential"]
        wanted = get_next_redirect_url(self.request)
        response: HttpResponse = flows.perform_passwordless_login(
            self.request, key, Login(user=key.user, redirect_url=wanted)
        )
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        messages.error(self.request, _("This passkey was not accepted. Type your password instead."))
        return HttpResponseRedirect(reverse("account_login"))


class ConfirmByPasskey(passkeys.ReauthenticateWebAuthnView):
    """Who it is, again."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)
        # allauth's view leaves out where to go on, and what was wrong.
        found["redirect_field_name"], found["redirect_field_value"] = "next", get_next_redirect_url(self.request)
        found["form"] = kwargs.get("form", found["form"])
        return found | _asked(found, "request_options")

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = self.render_to_response(self.get_context_data(form=form))
        return response


def _asked(found: dict[str, Any], name: str) -> dict[str, str]:
    """What the page's script hands to the browser: in an attribute, since the page may hold no inline script."""
    return {"options": json.dumps(found["js_data"][name])} if "js_data" in found else {}


second_step = SecondStep.as_view()
confirm_by_code = base.reauthenticate
confirm_by_passkey = ConfirmByPasskey.as_view()
set_up_app = SetUpApp.as_view()
remove_app = app.deactivate_totp
show_codes = codes.view_recovery_codes
new_codes = codes.generate_recovery_codes
add_passkey = AddPasskey.as_view()
rename_passkey = passkeys.edit_webauthn
remove_passkey = RemovePasskey.as_view()
sign_in_with_passkey = SignInWithPasskey.as_view()
