"""Addresses of privacy: everybody's page, and what is kept, exported and erased."""

from __future__ import annotations

from django.urls import URLPattern, path

from chat import erasing_views, keeping_views, privacy_views

mine: tuple[list[URLPattern], str] = (
    [path("", privacy_views.mine, name="mine"), path("export/", privacy_views.export, name="export")],
    "privacy",
)
setup: tuple[list[URLPattern], str] = (
    [
        path("", keeping_views.overview, name="overview"),
        path("rules/", keeping_views.rules, name="rules"),
        path("looks/", keeping_views.looks, name="looks"),
        path("holds/", keeping_views.set_hold, name="set_hold"),
        path("holds/<uuid:uuid>/end/", keeping_views.end_hold, name="end_hold"),
        path("people/<uuid:uuid>/", erasing_views.person, name="person"),
        path("erasures/<uuid:uuid>/", erasing_views.receipt, name="receipt"),
        path("erasures/<uuid:uuid>/file/", erasing_views.receipt_file, name="receipt_file"),
    ],
    "keeping",
)
