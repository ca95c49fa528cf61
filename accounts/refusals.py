"""Refusals that carry a code for programs, and whether a request comes from one.

Renders nothing: the site (portal.views) turns a refusal into a page or into JSON.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Refused(PermissionDenied):
    """403 with a code; raise it anywhere in a view or a middleware."""

    code = "forbidden"
    message: str | Promise = _("Your account may not do this. If you need it, ask your administrator.")


class PasswordExpired(Refused):
    """A one-time password was used to sign in: nothing but choosing a new one is allowed."""

    code = "password_expired"
    message = _("Choose a new password first.")


class FactorDemanded(Refused):
    """The organisation demands a second factor: nothing but setting one up is allowed."""

    code = "second_factor_demanded"
    message = _("Set up a second factor first.")


def wants_json(request: HttpRequest) -> bool:
    """Whether the caller prefers JSON over a page (`Accept: */*` is a page)."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


class NotPossible(Exception):
    """A deed that makes no sense as things stand: nothing was written. The code is for programs, the words for people."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(code)
        self.code, self.message = code, message
