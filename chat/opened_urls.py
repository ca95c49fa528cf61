"""Addresses of looks into other people's conversations."""

from __future__ import annotations

from django.urls import URLPattern, path

from chat import opened_views

app_name = "opened"
urlpatterns: list[URLPattern] = [
    path("", opened_views.overview, name="overview"),
    path("<uuid:uuid>/", opened_views.one, name="one"),
    path("<uuid:uuid>/end/", opened_views.end, name="end"),
    path("<uuid:uuid>/agree/", opened_views.agree, name="agree"),
    path("<uuid:uuid>/export/", opened_views.export, name="export"),
    path("<uuid:uuid>/<uuid:number>/", opened_views.conversation, name="conversation"),
]
