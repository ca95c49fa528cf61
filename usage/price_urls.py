"""Addresses under /setup/prices/: what models cost, and exchange rates."""

from __future__ import annotations

from django.urls import URLPattern, path

from usage import price_views, rate_views

app_name = "prices"
urlpatterns: list[URLPattern] = [
    path("", price_views.overview, name="overview"),
    path("fill/", price_views.fill, name="fill"),
    path("export/", price_views.export, name="export"),
    path("file/", price_views.read_file, name="file"),
    path("<uuid:model>/<uuid:provider>/", price_views.pair, name="pair"),
    path("<uuid:uuid>/remove/", price_views.remove, name="remove"),
    path("rates/", rate_views.overview, name="rates"),
    path("rates/export/", rate_views.export, name="rates_export"),
    path("rates/file/", rate_views.read_file, name="rates_file"),
    path("rates/<uuid:uuid>/remove/", rate_views.remove, name="rates_remove"),
    path("rates/currency/", rate_views.own_currency, name="currency"),
]
