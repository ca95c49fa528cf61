"""Addresses of the log of calls: under /setup/calls/ for staff, under /me/team/<team>/calls/ for the team's manager."""

from __future__ import annotations

from django.urls import URLPattern, path

from usage import call_views

staff: list[URLPattern] = [
    path("", call_views.overview, name="overview"),
    path("export/", call_views.export, name="export"),
    path("<uuid:request_id>/", call_views.call, name="call"),
]
team: list[URLPattern] = [
    path("", call_views.team_overview, name="overview"),
    path("export/", call_views.team_export, name="export"),
    path("<uuid:request_id>/", call_views.team_call, name="call"),
]
