"""Turns whatever goes wrong under /api/ into problem details. Decides nothing and never repeats what was sent.

Errors from outside of a view (unknown address, a broken host, 500) come here through portal.views.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.authentication import Unauthenticated
from accounts.refusals import NotPossible, Refused
from api import problem
from chat.refusals import Refused as NotSent

CHALLENGE = "WWW-Authenticate"
WORTH_WAITING_S = 60
"""What a 429 asks to wait longer for is not worth an automatic repeat."""


class Problem(Exception):
    """An error of our own, raised anywhere in a view: a status, a code for programs, words for people."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str | Promise,
        *,
        retry_after: int | None = None,
        errors: Mapping[str, list[str]] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.retry_after, self.errors, self.more = retry_after, errors, more


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception in a view; None for what is our own fault, which Django then reports as 500 or 503."""
    request = context["request"]
    found = _problem(error)
    if found is None:
        return None
    request_id = getattr(request, "request_id", "")
    body = problem.details(
        found.status, code=found.code, detail=str(found.message), request_id=request_id, errors=found.errors,
        more=found.more,
    )  # fmt: skip
    response = Response(body, status=found.status, content_type=problem.CONTENT_TYPE)
    if found.status == 401:
        response[CHALLENGE] = challenge(found.code)
    if found.retry_after is not None:
        response["Retry-After"] = str(found.retry_after)
    if found.status == 429 and (found.retry_after is None or found.retry_after > WORTH_WAITING_S):
        response["x-should-retry"] = "false"  # what OpenAI's clients listen to: they would try again at once
    return response


def challenge(code: str) -> str:
    """What a program should show instead; without a reason when it has shown nothing so far (RFC 6750)."""
    return 'Bearer realm="api"' if code == "no_credential" else f'Bearer realm="api", error="{code}"'


def response(request: HttpRequest, status: int, *, code: str, text: str) -> JsonResponse:
    """The same for what went wrong outside of a view."""
    body = problem.details(status, code=code, detail=text, request_id=getattr(request, "request_id", ""))
    return JsonResponse(body, status=status, content_type=problem.CONTENT_TYPE)


def too_many(seconds: int) -> Problem:
    """429: what was asked may be asked again after so many seconds."""
    text = ngettext(
        "Too many requests. Wait %(seconds)d second.", "Too many requests. Wait %(seconds)d seconds.", seconds
    )
    return Problem(429, "too_many_requests", text % {"seconds": seconds}, retry_after=seconds)


def _problem(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    if isinstance(error, Unauthenticated):
        return Problem(error.status, error.code, error.message, retry_after=getattr(error, "wait", None))
    if isinstance(error, NotSent):
        return _not_sent(error)
    if isinstance(error, NotPossible):
        field = getattr(error, "field", "")
        errors = {field: [str(error.message)]} if field else None
        return Problem(400 if field else 409, error.code, error.message, errors=errors)
    if isinstance(error, Refused):
        return Problem(403, error.code, error.message)
    if isinstance(error, PermissionDenied):
        return Problem(403, Refused.code, Refused.message)
    if isinstance(error, Http404):
        return Problem(404, "not_found", _("There is nothing here, or it is not yours."))
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "too_large", _("The request is too large."))
    if isinstance(error, exceptions.ValidationError):
        return Problem(400, "invalid", _("Some fields can't be taken as they are."), errors=dict(_fields(error.detail)))
    return _of_the_library(error)


def _not_sent(error: NotSent) -> Problem:
    """A question that was not taken: which limit stands in the way, how it stands, when it returns."""
    return Problem(error.status, error.code, error.message, retry_after=error.retry_after, more=error.extra)


def _of_the_library(error: Exception) -> Problem | None:
    """What REST framework raises by itself."""
    if isinstance(error, exceptions.MethodNotAllowed):
        return Problem(405, "method_not_allowed", _("This address does not take this method."))
    if isinstance(error, exceptions.UnsupportedMediaType):
        return Problem(415, "not_json", _("Send JSON, as Content-Type: application/json."))
    if isinstance(error, exceptions.ParseError):
        return Problem(400, "malformed_json", _("The body is not JSON that can be read."))
    if isinstance(error, exceptions.NotFound):
        return Problem(404, "not_found", _("There is nothing here, or it is not yours."))
    if isinstance(error, exceptions.PermissionDenied | exceptions.NotAuthenticated):
        return Problem(403, Refused.code, Refused.message)
    if isinstance(error, exceptions.APIException):
        return Problem(error.status_code, str(error.default_code), str(error.default_detail))
    return None


def _fields(detail: Any, *, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Field by field what is wrong; of a list "scopes.0"."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from _fields(inner, path=f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list) and detail and isinstance(detail[0], Mapping | list):
        for number, inner in enumerate(detail):
            yield from _fields(inner, path=f"{path}.{number}")
    elif detail:
        yield path, [str(text) for text in (detail if isinstance(detail, list) else [detail])]
