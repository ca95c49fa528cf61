"""The site's own pages: the door, and what is shown when something is refused or broken.

Error pages use no database, no session and no context processor: they must stand when those are what is broken.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import get_template
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from accounts import support
from accounts.refusals import Refused, wants_json
from api import errors as api_errors

logger = logging.getLogger("portal.errors")

# What may be proposed as PUBLIC_URL: an address that a person could have typed, nothing that a page could misread.
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
ORIGIN = re.compile(rf"https?://{HOST.pattern}", re.IGNORECASE)


def home(request: HttpRequest) -> HttpResponse:
    """Straight to the chat (which asks to sign in)."""
    return HttpResponseRedirect(reverse("chat:new"))


def admin_door(request: HttpRequest) -> HttpResponse:
    """To our own sign-in; whoever is signed in and still lands here has no business in the administration."""
    if request.user.is_authenticated:
        raise Refused
    return redirect_to_login(request.GET.get("next", reverse("admin:index")))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, (RequestDataTooBig, TooManyFieldsSent)):
        with _speaking(request):
            return _error(request, 413, code="too_large", title=_("Too large"), text=_("This is more than fits here."))
    with _speaking(request):
        text = _("The request could not be read. Reload the page and try again.")
        return _error(request, 400, code="bad_request", title=_("Not understood"), text=text)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    code, text = Refused.code, Refused.message
    if isinstance(exception, Refused):
        code, text = exception.code, exception.message
    with _speaking(request):
        return _error(request, 403, code=code, title=_("Not allowed"), text=str(text))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The same bytes for what does not exist and for what belongs to somebody else."""
    with _speaking(request):
        text = _("This page does not exist, or is not yours.")
        return _error(request, 404, code="not_found", title=_("Nothing here"), text=text)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or 503 while the database is away, locked or full, which is nobody's fault in the code."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return _database_away(request)
    logger.error("request %s ended in an error", getattr(request, "request_id", ""))
    try:
        with _speaking(request):
            text = _("This is our fault, not yours. What you sent before is kept. Try again in a moment.")
            return _error(request, 500, code="server_error", title=_("Something broke"), text=text)
    except Exception:  # even the error page is broken: words without a frame are better than none
        logger.exception("the error page failed")
        return HttpResponse("Something broke. Try again in a moment.\n", status=500, content_type="text/plain")


def _database_away(request: HttpRequest) -> HttpResponse:
    logger.warning("request %s: the database is away", getattr(request, "request_id", ""))
    with _speaking(request):
        text = _(
            "The service is restarting or its storage is full. What was answered as sent is kept; nothing was half stored."
        )
        response = _error(request, 503, code="database_away", title=_("Back in a moment"), text=text)
    response["Retry-After"] = "5"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form from another site (names PUBLIC_URL and the value for it), or one whose page is too old."""
    with _speaking(request):
        if reason.startswith(("Origin checking failed", "Referer checking failed")):
            return _misaddressed(
                request,
                403,
                code="origin_refused",
                title=_("This address is not known here"),
                found=_origin(request),
            )
        text = _("The page was open for too long, or cookies are switched off. Reload it and send again.")
        return _error(request, 403, code="csrf", title=_("Send it again"), text=text)


def refused_host(request: HttpRequest) -> HttpResponse:
    """Somebody came by a name that is not served: says which setting serves it, and with which value."""
    host = request.META.get("HTTP_HOST", "")
    found = f"{request.scheme}://{host}" if HOST.fullmatch(host) else ""
    with _speaking(request):
        title = _("This address is not known here")
        return _misaddressed(request, 400, code="host_refused", title=title, found=found)


def _origin(request: HttpRequest) -> str:
    origin = request.headers.get("Origin", "")
    return origin.lower() if ORIGIN.fullmatch(origin) else ""


def _misaddressed(request: HttpRequest, status: int, *, code: str, title: str, found: str) -> HttpResponse:
    if settings.PUBLIC_URL:
        text = _("This site is served at %(address)s.") % {"address": settings.PUBLIC_URL}
    else:
        text = _("This site knows only the names and addresses of its own machine so far.")
    extra = {"found": found, "public_url": settings.PUBLIC_URL}
    return _error(request, status, code=code, title=title, text=text, template="errors/address.html", extra=extra)


def _speaking(request: HttpRequest) -> translation.override:
    """The language that was settled for the request, or the browser's when it broke before that."""
    known = getattr(request, "LANGUAGE_CODE", "")
    return translation.override(known or translation.get_language_from_request(request))


def _error(
    request: HttpRequest,
    status: int,
    *,
    code: str,
    title: str,
    text: str,
    template: str = "errors/error.html",
    extra: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The one shape of every error: problem details for the API, else JSON `{"error": {code, message, request_id}}`, or a page."""
    request_id = getattr(request, "request_id", "")
    if request.path_info.startswith("/api/"):
        response: HttpResponse = api_errors.response(request, status, code=code, text=text)
    elif wants_json(request):
        error = {"code": code, "message": text, "request_id": request_id}
        response = JsonResponse({"error": error}, status=status)
    else:
        known = {"organisation": support.known()}
        context = {**known, "title": title, "text": text, "request_id": request_id, "status": status, **(extra or {})}
        response = HttpResponse(get_template(template).render(context), status=status)
    response["Cache-Control"] = "no-store"
    return response
