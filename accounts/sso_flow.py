"""Sign-in through the company from the button to the session: which protocol is asked, and what becomes of its answer.

The session itself, and whatever stands before it, is allauth's (complete_social_login). Renders nothing.
"""

from __future__ import annotations

import logging
from types import ModuleType

from allauth.socialaccount.helpers import complete_social_login
from allauth.socialaccount.models import SocialAccount
from django.http import HttpRequest, HttpResponse

from accounts import sso_feishu, sso_fetch, sso_journey, sso_oidc, sso_wecom
from accounts.models import SsoConnection
from accounts.sso_adapter import Arriving
from accounts.sso_entry import Arrival, Way
from accounts.sso_fetch import Fault, Unanswered
from accounts.sso_journey import Journey
from accounts.sso_metadata import BadMetadata
from accounts.sso_refusals import Refusal
from accounts.sso_tokens import BadToken

logger = logging.getLogger("accounts.sso")

PROTOCOLS: dict[str, ModuleType] = {
    SsoConnection.Kind.OIDC: sso_oidc,
    SsoConnection.Kind.FEISHU: sso_feishu,
    SsoConnection.Kind.WECOM: sso_wecom,
}


def begin(
    request: HttpRequest,
    *,
    connection: SsoConnection,
    connecting: bool = False,
    after: str = "",
    invitation: dict[str, str] | None = None,
) -> str:
    """The issuer's address to which the browser goes now. Raises Refusal."""
    journey = sso_journey.begin(
        request, connection=connection, connecting=connecting, after=after, invitation=invitation
    )
    device = request.META.get("HTTP_USER_AGENT", "")
    try:
        with sso_fetch.within():
            address: str = PROTOCOLS[connection.kind].authorize(connection, journey=journey, device=device)
    except (Unanswered, BadMetadata) as error:
        raise _refusal(error) from None
    return address


def finish(request: HttpRequest, *, connection: SsoConnection) -> HttpResponse:
    """What the browser brings back from the issuer: signs in, connects, or raises Refusal."""
    journey = sso_journey.resume(request, connection=connection)
    arrival = _arrival(request, connection=connection, journey=journey)
    account = SocialAccount(provider=connection.slug, uid=arrival.subject, extra_data=arrival.kept())
    way = Way(connection.slug, connection.name, connection)
    login = Arriving(way=way, arrival=arrival, account=account)
    login.state = {"process": journey.process, "user": journey.user, "invitation": journey.invitation}
    if journey.next:
        login.state["next"] = journey.next
    response: HttpResponse = complete_social_login(request, login)
    return response


def _arrival(request: HttpRequest, *, connection: SsoConnection, journey: Journey) -> Arrival:
    try:
        with sso_fetch.within():
            arrival: Arrival = PROTOCOLS[connection.kind].arrive(connection, answer=request.GET, journey=journey)
    except (Unanswered, BadMetadata, BadToken) as error:
        raise _refusal(error) from None
    return arrival


def _refusal(error: Unanswered | BadMetadata | BadToken) -> Refusal:
    if isinstance(error, BadToken):
        return Refusal("answer", detail=f"id_token: {error.reason}")
    strange = isinstance(error, BadMetadata) or error.fault in (Fault.NOT_JSON, Fault.TOO_LARGE, Fault.NOT_HTTP)
    return Refusal("issuer" if strange else "unreachable", detail=str(error))
