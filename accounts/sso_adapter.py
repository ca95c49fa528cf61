"""How allauth's identities behave here: who may come in is decided in sso_entry, and nothing is merged by an e-mail address.

Connections are rows (SsoConnection), shown to allauth as unsaved apps; its own table of apps is not read. Renders refusals only.
"""

from __future__ import annotations

from typing import Any, NoReturn

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from accounts import sso_entry, sso_pages, sso_secrets
from accounts.models import SsoConnection, User
from accounts.sso_entry import Arrival, Way
from accounts.sso_refusals import Refusal


class Arriving(SocialLogin):
    """allauth's picture of somebody who comes back from an issuer, with what the issuer said."""

    def __init__(self, *, way: Way, arrival: Arrival, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.way = way
        self.arrival = arrival


class CompanyAccounts(DefaultSocialAccountAdapter):
    """allauth's hooks, each replaced for one reason."""

    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The connections that are on, and the providers of the settings."""
        rows = SsoConnection.objects.filter(is_enabled=True).order_by("pk")
        apps = [
            SocialApp(
                provider=row.kind,
                provider_id=row.slug,
                name=row.name[:40],
                client_id=row.client_id,
                secret=sso_secrets.decrypt(row.secret),
            )
            for row in rows
        ]
        apps += [
            SocialApp(provider=name, name=name.title(), client_id=client, secret=secret)
            for name, client, secret in settings.SSO_EXTRA_APPS
        ]
        return [
            app
            for app in apps
            if provider in (None, app.provider_id, app.provider) and client_id in (None, app.client_id)
        ]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Behind every check of the protocol, before anybody is signed in."""
        known = sociallogin.user if sociallogin.is_existing else None
        way, arrival = _seen(sociallogin)
        state = sociallogin.state
        try:
            if state.get("process") == "connect":
                self._connect(request, way=way, arrival=arrival, known=known, state=state)
            sociallogin.user = sso_entry.admit(
                arrival, way=way, known=known, invitation=state.get("invitation"), request=request
            )
        except Refusal as refusal:
            raise ImmediateHttpResponse(sso_pages.refused(request, refusal, way=way)) from None
        # Read where the session is written down (accounts.login_sessions) and where a second factor is asked for.
        vars(request)["sso_arrival"] = (way, arrival)

    def _connect(
        self, request: HttpRequest, *, way: Way, arrival: Arrival, known: User | None, state: dict[str, Any]
    ) -> NoReturn:
        user = request.user
        if not isinstance(user, User) or state.get("user", user.pk) != user.pk:
            raise Refusal("changed")
        sso_entry.connect(arrival, way=way, known=known, user=user, request=request)
        raise ImmediateHttpResponse(HttpResponseRedirect(reverse("company:mine") + "?connected"))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> NoReturn:
        """A provider of the settings did not answer as it should."""
        code = "cancelled" if error == "cancelled" else "issuer"
        refusal = Refusal(code, detail=type(exception).__name__ if exception else str(error or ""))
        raise ImmediateHttpResponse(sso_pages.refused(request, refusal, way=Way(provider.id, provider.name)))

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("company:mine")

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def can_authenticate_by_email(self, login: SocialLogin, email: str) -> bool:
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """The audit trail and the person's own page tell of it."""


def _seen(login: SocialLogin) -> tuple[Way, Arrival]:
    """Who comes by which way. What a provider of the settings says about an address is not believed."""
    if isinstance(login, Arriving):
        return login.way, login.arrival
    name = login.user.get_full_name() if isinstance(login.user, User) else ""
    return Way(login.account.provider, str(login.provider)), Arrival(subject=login.account.uid, name=name)
