"""Addresses under /me/usage/: what somebody has used, what is left, and more of it."""

from __future__ import annotations

from django.urls import URLPattern, path

from usage import mine_views

app_name = "usage"
urlpatterns: list[URLPattern] = [
    path("", mine_views.mine, name="mine"),
    path("export/", mine_views.export, name="export"),
    path("ask/<uuid:quota>/", mine_views.ask, name="ask"),
]
