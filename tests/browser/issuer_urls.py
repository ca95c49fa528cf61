"""Addresses of the issuer of the tests: its own sign-in, and the provider. Read only inside its process."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def home(request: HttpRequest) -> HttpResponse:
    """Says that it is there."""
    return HttpResponse("An issuer.")


urlpatterns = [
    path("", home),
    path("accounts/", include("allauth.account.urls")),
    path("", include(("allauth.idp.urls", "idp"))),
]
