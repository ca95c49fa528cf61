"""Addresses under /me/keys/: a person's own API keys."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import api_keys_views

app_name = "api_keys"
urlpatterns: list[URLPattern] = [
    path("", api_keys_views.my_keys, name="mine"),
    path("new/", api_keys_views.new_key, name="new"),
    path("<uuid:number>/roll/", api_keys_views.roll, name="roll"),
    path("<uuid:number>/revoke/", api_keys_views.revoke, name="revoke"),
]
