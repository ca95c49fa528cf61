"""Addresses under /setup/alerts/."""

from __future__ import annotations

from django.urls import URLPattern, path

from portal import alert_views

app_name = "alerts"
urlpatterns: list[URLPattern] = [
    path("", alert_views.overview, name="overview"),
    path("test/", alert_views.test, name="test"),
    path("<uuid:uuid>/again/", alert_views.again, name="again"),
]
