"""Addresses of the company sign-in: at the door, under /me/ and under /setup/. Each list is included where it belongs."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.urls import URLPattern, path

from accounts import sso_setup_views, sso_views

# Under /accounts/. Of a provider that only the settings know, allauth's own way back and nothing else.
door: list[URLPattern] = [
    path("company/<slug:slug>/", sso_views.begin, name="company_sign_in"),
    path("company/<slug:slug>/callback/", sso_views.callback, name="company_callback"),
    path("company/<slug:slug>/logout/", sso_views.backchannel, name="company_logout"),
    *(
        path(
            f"{name}/login/callback/",
            import_module(f"allauth.socialaccount.providers.{name}.views").oauth2_callback,
            name=f"{name}_callback",
        )
        for name, _client, _secret in settings.SSO_EXTRA_APPS
    ),
]
# Under /me/, as "company".
mine: list[URLPattern] = [
    path("company/", sso_views.mine, name="mine"),
    path("company/<slug:slug>/disconnect/", sso_views.disconnect, name="disconnect"),
]
# Under /setup/, as "setup_company".
setup: list[URLPattern] = [
    path("company-sign-in/", sso_setup_views.overview, name="list"),
    path("company-sign-in/only/", sso_setup_views.only, name="only"),
    path("company-sign-in/days/", sso_setup_views.days, name="days"),
    path("company-sign-in/new/<slug:kind>/", sso_setup_views.new, name="new"),
    path("company-sign-in/<uuid:uuid>/", sso_setup_views.one, name="one"),
    path("company-sign-in/<uuid:uuid>/try/", sso_setup_views.trial, name="try"),
    path("company-sign-in/<uuid:uuid>/teams/", sso_setup_views.groups, name="teams"),
    path("company-sign-in/<uuid:uuid>/staff/", sso_setup_views.staff, name="staff"),
    path("company-sign-in/<uuid:uuid>/switch/", sso_setup_views.switch, name="switch"),
    path("company-sign-in/<uuid:uuid>/remove/", sso_setup_views.remove, name="remove"),
]
