"""OpenID Connect: the way to an issuer, and whom its answer names. The code flow with PKCE, state and nonce; no other.

allauth keeps the state, the identities and the sign-in itself; its client is not used, because it believes an id_token without
looking at the signature and knows no nonce. Decides nothing about accounts.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import QueryDict

from accounts import sso_fetch, sso_metadata, sso_secrets, sso_tokens
from accounts.models import SsoConnection
from accounts.sso_entry import Arrival, clean_email
from accounts.sso_journey import Journey, code_in, error_name, with_query
from accounts.sso_metadata import Metadata
from accounts.sso_refusals import Refusal

SCOPES = "openid profile email"
MOST_GROUPS, LONGEST_GROUP = 2000, 200
GOOGLE = "https://accounts.google.com"
ENTRA = ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")


def authorize(connection: SsoConnection, *, journey: Journey, device: str = "") -> str:
    """The address to which the browser goes. Raises Unanswered, BadMetadata."""
    issuer = sso_metadata.metadata(connection.server_url)
    scopes = (connection.scopes or SCOPES).split()
    asked = {
        "response_type": "code",
        "client_id": connection.client_id,
        "redirect_uri": journey.callback,
        "scope": " ".join(scopes if "openid" in scopes else ["openid", *scopes]),
        "state": journey.state,
        "nonce": journey.nonce,
        "code_challenge": journey.challenge,
        "code_challenge_method": "S256",
    }
    return with_query(issuer.authorization_endpoint, asked)


def arrive(connection: SsoConnection, *, answer: QueryDict, journey: Journey) -> Arrival:
    """Whom the issuer names. Raises Refusal, Unanswered, BadMetadata, BadToken."""
    issuer = sso_metadata.metadata(connection.server_url)
    named = answer.get("iss", "")
    if named != issuer.issuer if named else issuer.names_itself:
        raise Refusal("answer", detail="another issuer answered")
    code = code_in(answer)
    given = _exchange(connection, issuer=issuer, code=code, journey=journey)
    claims = sso_tokens.identity(
        given.get("id_token", ""), issuer=issuer, client_id=connection.client_id, nonce=journey.nonce
    )
    more = _more(connection, issuer=issuer, claims=claims, access=given.get("access_token"))
    return _arrival(connection, issuer=issuer, claims=claims, more=more)


def token_request(
    connection: SsoConnection, *, issuer: Metadata, secret: str, fields: dict[str, str]
) -> sso_fetch.Answer:
    """Asks the token endpoint as this client. Raises Unanswered."""
    form, headers = dict(fields), {}
    if secret and issuer.client_auth == "basic":
        headers["Authorization"] = sso_fetch.basic(connection.client_id, secret)
    else:
        form["client_id"] = connection.client_id
        if secret:
            form["client_secret"] = secret
    return sso_fetch.fetch(issuer.token_endpoint, form=form, headers=headers)


def groups_in(claims: dict[str, Any], *, claim: str) -> frozenset[str] | None:
    """The groups under a claim's name or dotted path; none if it is absent; None if the issuer left them out for their number."""
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, dict) and claim in elsewhere:
        return None
    found: Any = claims.get(claim)
    if found is None:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return frozenset()
    return frozenset(each for each in found[:MOST_GROUPS] if isinstance(each, str) and len(each) <= LONGEST_GROUP)


def _exchange(connection: SsoConnection, *, issuer: Metadata, code: str, journey: Journey) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": journey.callback,
        "code_verifier": journey.verifier,
    }
    secret = sso_secrets.decrypt(connection.secret)
    answer = token_request(connection, issuer=issuer, secret=secret, fields=fields)
    if answer.status != 200:
        raise Refusal("issuer", detail=f"token endpoint: HTTP {answer.status} {error_name(answer)}")
    return answer.json()


def _more(
    connection: SsoConnection, *, issuer: Metadata, claims: dict[str, Any], access: object
) -> dict[str, Any] | None:
    """What the userinfo endpoint adds to an id_token that says too little; None if it was needed and does not answer."""
    wanted = {"email", "name"} | ({connection.group_claim.partition(".")[0]} if connection.group_claim else set())
    if wanted <= claims.keys() or not issuer.userinfo_endpoint:
        return {}
    if not isinstance(access, str) or not access.isascii() or not access.isprintable() or len(access) > 64 * 1024:
        return None
    try:
        answer = sso_fetch.fetch(issuer.userinfo_endpoint, headers={"Authorization": f"Bearer {access}"})
        said = answer.json() if answer.status == 200 else None
    except sso_fetch.Unanswered:
        return None
    if said is not None and said.get("sub") != claims["sub"]:
        raise Refusal("answer", detail="userinfo is about somebody else")
    return said


def _arrival(
    connection: SsoConnection, *, issuer: Metadata, claims: dict[str, Any], more: dict[str, Any] | None
) -> Arrival:
    both = (more or {}) | claims
    about_mail = claims if "email" in claims else more or {}
    email = clean_email(about_mail.get("email"))
    name, session = both.get("name"), claims.get("sid")
    groups = None
    if connection.group_claim and not (more is None and connection.group_claim.partition(".")[0] not in claims):
        groups = groups_in(both, claim=connection.group_claim)
    return Arrival(
        subject=claims["sub"],
        name=" ".join(name.split())[:120] if isinstance(name, str) else "",
        email=email,
        email_verified=bool(email) and _verified(about_mail, email=email, issuer=issuer.issuer, claims=claims),
        groups=groups,
        session=session[: sso_tokens.LONGEST_SESSION] if isinstance(session, str) else "",
    )


def _verified(said: dict[str, Any], *, email: str, issuer: str, claims: dict[str, Any]) -> bool:
    """Whether the issuer vouches for the address."""
    if issuer == GOOGLE:
        # Anybody may have a private Google account under a company's address; `hd` names who runs it.
        hosted = claims.get("hd")
        return said.get("email_verified") is True and isinstance(hosted, str) and email.endswith(f"@{hosted.lower()}")
    if urlsplit(issuer).hostname in ENTRA:
        # Entra ID has no email_verified; this optional claim says that the tenant owns the address's domain.
        return said.get("xms_edov") in (True, 1, "1", "true")
    return said.get("email_verified") is True or said.get("email_verified") == "true"
