"""Addresses under /me/: what a person sets about herself."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import views

app_name = "accounts"
urlpatterns: list[URLPattern] = [
    path("", views.my_settings, name="settings"),
    path("language/", views.language, name="language"),
]
