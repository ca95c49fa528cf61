"""What happens to every request around Django's own steps: an id, headers, a readable page for a refused host.

Knows nothing about people or sessions.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from accounts import log_ids
from portal import samples, views

GetResponse = Callable[[HttpRequest], HttpResponse]

# On every answer, errors and static files included; CSP, framing and referrer have middlewares of their own.
HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}


class RequestId:
    """Gives each request an id, shown in error pages and in the header `X-Request-ID`. A client's own id is ignored."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        vars(request)["request_id"] = request_id
        log_ids.begin(request_id=request_id)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
        finally:
            log_ids.end()
        samples.sampler.requests.add(response.status_code, time.perf_counter() - began)
        response["X-Request-ID"] = request_id
        return response


class Headers:
    """Sets what no other middleware sets."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response[name] = value
        return response


class HostPage:
    """A host that is not served gets a page that names the setting, before anything else looks at the request.

    Stands behind static files, so that the page has its style.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            return views.refused_host(request)
        return self.get_response(request)
