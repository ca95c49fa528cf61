"""Addresses under /accounts/: of allauth's pages only those that exist here; the rest is 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account import views as allauth_views
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, re_path
from django.utils.module_loading import import_string
from django.views.generic import RedirectView

from accounts import entry_views, invitations_views, registration_views, views

View = Callable[..., HttpResponseBase]


def _when_used(name: str) -> View:
    """A view of accounts.second_factor_views, whose libraries (4 MB) no process loads before somebody needs them."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        found: View = import_string(f"accounts.second_factor_views.{name}")
        return found(request, *args, **kwargs)

    view.__name__ = name
    return view


urlpatterns: list[URLPattern] = [
    path("login/", allauth_views.login, name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("signup/", registration_views.register, name="account_signup"),
    path("signup/done/", registration_views.registered, name="account_registered"),
    path("signup/waits/", registration_views.waits, name="account_waits"),
    path("signup/confirm/<str:token>/", registration_views.confirm, name="account_confirm_registration"),
    path("invitation/<str:token>/", invitations_views.accept, name="account_invitation"),
    path("password/change/", views.new_password, name="account_change_password"),
    path("password/reset/", views.forgotten, name="account_reset_password"),
    path("password/reset/done/", allauth_views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[-0-9A-Za-z]+)/$",
        allauth_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("link/<str:token>/", entry_views.one_time_link, name="one_time_link"),
    path("email/<str:token>/", entry_views.new_address, name="email_change"),
    # Who it is, again, before something delicate.
    path("confirm/", allauth_views.reauthenticate, name="account_reauthenticate"),
    path("confirm/code/", _when_used("confirm_by_code"), name="mfa_reauthenticate"),
    path("confirm/passkey/", _when_used("confirm_by_passkey"), name="mfa_reauthenticate_webauthn"),
    # The second factor: at the door, then what a person sets up.
    path("code/", _when_used("second_step"), name="mfa_authenticate"),
    path("passkey/", _when_used("sign_in_with_passkey"), name="mfa_login_webauthn"),
    path("second-factor/", _when_used("overview"), name="mfa_index"),
    path("second-factor/app/", _when_used("set_up_app"), name="mfa_activate_totp"),
    path("second-factor/app/remove/", _when_used("remove_app"), name="mfa_deactivate_totp"),
    path("second-factor/codes/", _when_used("show_codes"), name="mfa_view_recovery_codes"),
    path("second-factor/codes/new/", _when_used("new_codes"), name="mfa_generate_recovery_codes"),
    path("second-factor/passkeys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("second-factor/passkeys/add/", _when_used("add_passkey"), name="mfa_add_webauthn"),
    path("second-factor/passkeys/<int:pk>/", _when_used("rename_passkey"), name="mfa_edit_webauthn"),
    path("second-factor/passkeys/<int:pk>/remove/", _when_used("remove_passkey"), name="mfa_remove_webauthn"),
]
