"""REST framework's door to the one funnel (accounts.authentication): puts the person and what the credential may do on the request."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import log_ids
from accounts.authentication import Principal, Unauthenticated, authenticate
from accounts.models import User

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class _Csrf(CsrfViewMiddleware):
    """Says why it refuses instead of answering itself."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        raise Unauthenticated("csrf", _("The page's token is missing or too old: reload the page."), status=403)


class Credentials(BaseAuthentication):
    """An API key or an access token in the Authorization header; of our own pages also the session, with their CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, Principal]:
        asked: HttpRequest = request._request
        principal = authenticate(
            asked.headers,
            address=asked.META.get("REMOTE_ADDR", ""),
            query=asked.META.get("QUERY_STRING", ""),
            session=True,
        )
        if principal.kind == "session" and asked.method not in SAFE:
            _check_csrf(asked)
        if principal.language:
            translation.activate(principal.language)
            asked.LANGUAGE_CODE = principal.language
        user = principal.user()
        log_ids.of_person(user.uuid)
        return user, principal

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def principal_of(request: Request) -> Principal:
    """Who is asking; only behind Credentials."""
    found = request.auth
    if not isinstance(found, Principal) or isinstance(request.user, AnonymousUser):
        raise Unauthenticated("no_credential", "")
    return found


def _check_csrf(request: HttpRequest) -> None:
    checker = _Csrf(lambda _request: HttpResponse())
    checker.process_request(request)
    checker.process_view(request, lambda _request: HttpResponse(), (), {})
