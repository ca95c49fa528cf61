"""Addresses under /setup/ that concern the organisation and its people."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import setup_views

app_name = "setup_accounts"
urlpatterns: list[URLPattern] = [
    path("organisation/", setup_views.organisation, name="organisation"),
    path("people/new/", setup_views.new_person, name="new_person"),
]
