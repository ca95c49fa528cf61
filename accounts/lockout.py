"""Too many tries to sign in: whose tries are counted together, and the answer. Counting itself is axes' work."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from accounts.refusals import wants_json


def username(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The e-mail as typed, in one spelling, so that capitals do not buy more tries."""
    given = credentials or {}
    name = given.get("email") or given.get("login") or given.get("username") or request.POST.get("login") or ""
    return str(name).strip().lower()[:254]


def address(request: HttpRequest) -> str:
    """Where the try comes from: an IPv4 address, or the /64 that one IPv6 customer holds as a whole.

    REMOTE_ADDR only: the server has already replaced it behind a trusted proxy, and headers are the client's word.
    """
    try:
        found = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return "0.0.0.0"  # noqa: S104  # not bound to: the name of "unknown" (a socket without an address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False).network_address)
    return str(found)


def response(request: HttpRequest, original: HttpResponse | None = None, credentials: Any = None) -> HttpResponse:
    """429, the same words whether the account exists, the password was right or not."""
    minutes = max(1, round(float(settings.AXES_COOLOFF_TIME) * 60))
    if wants_json(request):
        request_id = getattr(request, "request_id", "")
        message = ngettext(
            "Too many tries. Wait %(minutes)d minute.", "Too many tries. Wait %(minutes)d minutes.", minutes
        ) % {"minutes": minutes}
        error = {"code": "too_many_tries", "message": message, "request_id": request_id}
        answer: HttpResponse = JsonResponse({"error": error}, status=429)
    else:
        answer = render(request, "account/too_many_tries.html", {"minutes": minutes}, status=429)
    answer["Retry-After"] = str(minutes * 60)
    answer["Cache-Control"] = "no-store"
    return answer
