"""Who is asking: drops sessions whose version is over, speaks the person's language, and keeps her clock.

Refuses everything but a new password to somebody who signed in with a one-time password, and everything but setting up a second
factor to somebody of whom the organisation demands one. Checks no other right.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from accounts import devices, log_ids, login_sessions, second_factor, support
from accounts.models import Organisation, User
from accounts.refusals import FactorDemanded, PasswordExpired, Refused, wants_json
from accounts.sessions import KEY

GetResponse = Callable[[HttpRequest], HttpResponse]

# Answers of a machine to a machine: no session, no language, and no query when the database is down. The API asks
# accounts.authentication itself.
QUIET = ("/health/", "/metrics", "/api/", "/brand/")


def organisation_of(request: HttpRequest) -> Organisation:
    """The organisation, asked for at most once per request; an empty one while the database does not answer."""
    if "organisation" not in vars(request):
        try:
            found = Organisation.get()
            support.remember(found)
        except DatabaseError:
            found = Organisation()
        vars(request)["organisation"] = found
    organisation: Organisation = vars(request)["organisation"]
    return organisation


class Person:
    """Stands after AuthenticationMiddleware: `request.user` is final behind it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(QUIET):
            return self.get_response(request)
        user = _signed_in(request)
        if user is not None:
            log_ids.of_person(user.uuid)
        language = _language(request, user=user)
        if language != translation.get_language():
            translation.activate(language)
        request.LANGUAGE_CODE = language
        timezone.activate(_zone(request, user=user))
        response = self._held_back(request, user=user) or self.get_response(request)
        devices.mark(request, response)
        if user is not None or getattr(request.user, "is_authenticated", False):
            response["Cache-Control"] = "no-store, private"
            patch_vary_headers(response, ["Cookie"])
        return response

    def _held_back(self, request: HttpRequest, *, user: User | None) -> HttpResponse | None:
        """What a signed-in person must do first, if anything; and that she is here is noted."""
        if user is None:
            return None
        login_sessions.touch(request)
        return _must_choose(request, user=user) or _must_enrol(request, user=user)


def _signed_in(request: HttpRequest) -> User | None:
    """The person, unless nobody is signed in, the session's version is over, or it is a program's (then it is ended)."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = request.user
    if not isinstance(user, User) or not user.is_authenticated:
        return None
    if user.is_service or request.session.get(KEY) != user.session_version:
        logout(request)
        return None
    return user


def _language(request: HttpRequest, *, user: User | None) -> str:
    """The person's choice, else the choice in the cookie, else the organisation's, else the browser's."""
    known = {code for code, _ in settings.LANGUAGES}
    chosen = (user.language if user else "") or request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if chosen in known:
        return chosen
    given = organisation_of(request).language
    return given if given in known else translation.get_language() or settings.LANGUAGE_CODE


def _zone(request: HttpRequest, *, user: User | None) -> zoneinfo.ZoneInfo:
    """The person's time zone, else the organisation's, else the setting; a name that no longer exists is skipped."""
    names = [user.time_zone if user else "", settings.TIME_ZONE]
    if not names[0]:
        names[0] = organisation_of(request).time_zone
    for name in filter(None, names):
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            continue
    return zoneinfo.ZoneInfo("UTC")


def _must_choose(request: HttpRequest, *, user: User) -> HttpResponse | None:
    """The way to "choose a new password", for every address but the few that must work before."""
    change = reverse("account_change_password")
    if not user.password_expired or request.path_info in (change, *_always()):
        return None
    return _lead(request, to=change, refusal=PasswordExpired)


def _must_enrol(request: HttpRequest, *, user: User) -> HttpResponse | None:
    """The way to setting up a second factor where one is demanded. Who came through the company was asked there."""
    if not second_factor.required_of(user, organisation=organisation_of(request)):
        return None
    pages = reverse("mfa_index")
    open_ = (*_always(), reverse("account_change_password"), reverse("account_reauthenticate"))
    if request.path_info.startswith(pages) or request.path_info in open_ or login_sessions.by_company(request):
        return None
    return None if second_factor.enrolled(user) else _lead(request, to=pages, refusal=FactorDemanded)


def _always() -> tuple[str, str]:
    return reverse("account_logout"), reverse("accounts:language")


def _lead(request: HttpRequest, *, to: str, refusal: type[Refused]) -> HttpResponse:
    if wants_json(request):
        raise refusal
    if request.headers.get("HX-Request"):
        return HttpResponseClientRedirect(to)
    return HttpResponseRedirect(to)
