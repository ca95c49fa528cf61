"""Addresses under /setup/limits/: who may use how much, requests for more, and who is limited by what."""

from __future__ import annotations

from django.urls import URLPattern, path

from usage import asked_views, limit_views, request_views

app_name = "limits"
urlpatterns: list[URLPattern] = [
    path("", limit_views.all_limits, name="all"),
    path("new/", limit_views.new, name="new"),
    path("many/", limit_views.many, name="many"),
    path("export/", limit_views.export, name="export"),
    path("file/", limit_views.read_file, name="file"),
    path("shown/", limit_views.shown, name="shown"),
    path("<uuid:uuid>/", limit_views.change, name="change"),
    path("<uuid:uuid>/remove/", limit_views.remove, name="remove"),
    path("requests/", asked_views.requests, name="requests"),
    path("requests/<uuid:uuid>/", request_views.answer, name="answer"),
    path("people/<uuid:person>/", request_views.why, name="why"),
    path("calls/<uuid:uuid>/", request_views.correct, name="correct"),
]
