"""Addresses under /api/v1/. All end with a slash; without it there is nothing."""

from __future__ import annotations

from django.urls import URLPattern, path

from api.v1 import auth, keys, me, usage

app_name = "v1"
urlpatterns: list[URLPattern] = [
    path("auth/token/", auth.SignIn.as_view(), name="token"),
    path("auth/token/refresh/", auth.Refresh.as_view(), name="token_refresh"),
    path("auth/token/revoke/", auth.Revoke.as_view(), name="token_revoke"),
    path("usage/", usage.Usage.as_view(), name="usage"),
    path("quotas/", usage.Quotas.as_view(), name="quotas"),
    path("me/", me.Me.as_view(), name="me"),
    path("keys/", keys.Keys.as_view(), name="keys"),
    path("keys/<uuid:uuid>/", keys.Key.as_view(), name="key"),
    path("keys/<uuid:uuid>/roll/", keys.Roll.as_view(), name="key_roll"),
]
