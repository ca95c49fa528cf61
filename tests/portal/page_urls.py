"""The site's addresses and a few that break in known ways, for the tests of error pages."""

from __future__ import annotations

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from accounts.refusals import Refused
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

BREAKS: dict[str, Exception] = {
    "400": BadRequest("canary"),
    "403": PermissionDenied("canary"),
    "refused": Refused("canary"),
    "404": Http404("canary"),
    "413": RequestDataTooBig("canary"),
    "500": ZeroDivisionError("canary"),
}


def broken(request: HttpRequest, how: str) -> HttpResponse:
    raise BREAKS[how]


urlpatterns = [*real, path("broken/<str:how>/", broken)]
