"""Addresses under /setup/keys/: everybody's API keys."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import api_keys_setup

app_name = "setup_keys"
urlpatterns: list[URLPattern] = [
    path("", api_keys_setup.overview, name="overview"),
    path("new/", api_keys_setup.new, name="new"),
    path("<uuid:number>/revoke/", api_keys_setup.revoke, name="revoke"),
]
