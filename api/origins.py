"""Which other sites' pages may call the API from a browser (CORS): none, unless API_ORIGINS names them. Never with cookies.

A page that is allowed shows a key or token as every program does; what is sent by itself (a session) counts for nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?")
"""As a browser sends it: lower case, no path, no slash at the end."""
PATHS = "/api/v1/"
TOLD = "ETag, Location, Retry-After, Idempotency-Replayed, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-ID"
METHODS = "GET, POST, PATCH, DELETE"
HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Accept-Language"
PREFLIGHT_S = 600


class Origins:
    """Answers what a browser asks beforehand, and says in each answer who may read it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.API_ORIGINS or not request.path.startswith(PATHS):
            return self.get_response(request)
        origin = request.headers.get("Origin", "")
        allowed = origin in settings.API_ORIGINS
        if allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            response = HttpResponse(status=204)
            response["Access-Control-Allow-Methods"] = METHODS
            response["Access-Control-Allow-Headers"] = HEADERS
            response["Access-Control-Max-Age"] = str(PREFLIGHT_S)
        else:
            response = self.get_response(request)
        if allowed:
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = TOLD
        patch_vary_headers(response, ["Origin"])
        return response
