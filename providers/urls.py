"""Addresses under /setup/models/: where administrators connect providers and choose models."""

from __future__ import annotations

from django.urls import URLPattern, path

from providers import model_views, serving_views, views

app_name = "providers"
urlpatterns: list[URLPattern] = [
    path("", views.overview, name="overview"),
    path("connect/", views.choose_preset, name="presets"),
    path("connect/<slug:slug>/", views.connect, name="connect"),
    path("provider/<uuid:uuid>/", views.provider_page, name="provider"),
    path("provider/<uuid:uuid>/test/", views.test, name="test"),
    path("provider/<uuid:uuid>/key/", views.next_key, name="next_key"),
    path("provider/<uuid:uuid>/switch/", views.switch_key, name="switch_key"),
    path("provider/<uuid:uuid>/address/", views.move_address, name="address"),
    path("provider/<uuid:uuid>/power/", views.switch_provider, name="power"),
    path("provider/<uuid:uuid>/choose/", model_views.choose, name="choose"),
    path("provider/<uuid:uuid>/names/", model_views.add_names, name="names"),
    path("provider/<uuid:uuid>/fetch/", model_views.fetch, name="fetch"),
    path("<uuid:uuid>/", model_views.edit, name="model"),
    path("<uuid:uuid>/teams/", model_views.restrict, name="audience"),
    path("<uuid:uuid>/order/", model_views.order, name="order"),
    path("<uuid:uuid>/test/", serving_views.test, name="model_test"),
    path("<uuid:uuid>/ways/", serving_views.ways, name="ways"),
    path("<uuid:uuid>/providers/", serving_views.add, name="further"),
    path("<uuid:uuid>/providers/<uuid:provider>/", serving_views.change, name="serving"),
]
