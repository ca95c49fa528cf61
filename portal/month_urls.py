"""Addresses under /setup/months/."""

from __future__ import annotations

from django.urls import URLPattern, path

from portal import month_deeds, months

app_name = "months"
urlpatterns: list[URLPattern] = [
    path("", months.overview, name="overview"),
    path("rules/", month_deeds.rules, name="rules"),
    path("<slug:month>/", months.month, name="month"),
    path("<slug:month>/close/", month_deeds.close, name="close"),
    path("<slug:month>/invoices/<uuid:provider>/<uuid:model>/", month_deeds.invoice, name="invoice"),
    path("<slug:month>/<slug:what>.csv", months.export, name="export"),
]
