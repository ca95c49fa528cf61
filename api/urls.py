"""The API's addresses, by version."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from api.v1 import document

app_name = "api"
urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/docs/", document.Reference.as_view(), name="docs"),  # a page, not a resource of the version
    path("v1/", include("api.v1.urls", namespace="v1")),
]
