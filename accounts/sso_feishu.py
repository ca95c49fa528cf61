"""Feishu (Lark): the way to its sign-in, and whom its answer names. The subject is the `open_id`; OAuth with PKCE, no id_token.

What it says about a person is asked for over the connection that the secret opened. Decides nothing about accounts.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import QueryDict

from accounts import sso_fetch, sso_secrets
from accounts.models import SsoConnection
from accounts.sso_entry import Arrival, clean_email
from accounts.sso_journey import Journey, code_in, with_query
from accounts.sso_refusals import Refusal
from accounts.sso_tokens import LONGEST_SUBJECT

OPEN = "https://open.feishu.cn"


def authorize(connection: SsoConnection, *, journey: Journey, device: str = "") -> str:
    """The address to which the browser goes."""
    asked = {
        "client_id": connection.client_id,
        "response_type": "code",
        "redirect_uri": journey.callback,
        "state": journey.state,
        "code_challenge": journey.challenge,
        "code_challenge_method": "S256",
    }
    if connection.scopes:
        asked["scope"] = connection.scopes
    return with_query(f"{doors(connection)[1]}/open-apis/authen/v1/authorize", asked)


def arrive(connection: SsoConnection, *, answer: QueryDict, journey: Journey) -> Arrival:
    """Whom Feishu names. Raises Refusal, Unanswered."""
    server = doors(connection)[0]
    payload = {
        "grant_type": "authorization_code",
        "client_id": connection.client_id,
        "client_secret": sso_secrets.decrypt(connection.secret),
        "code": code_in(answer),
        "redirect_uri": journey.callback,
        "code_verifier": journey.verifier,
    }
    given = sso_fetch.fetch(f"{server}/open-apis/authen/v2/oauth/token", payload=payload).json()
    access = given.get("access_token")
    if given.get("code") != 0 or not isinstance(access, str) or not access.isascii() or not access.isprintable():
        raise Refusal("issuer", detail=f"oauth/token: code {_number(given.get('code'))}")
    headers = {"Authorization": f"Bearer {access}"}
    said = sso_fetch.fetch(f"{server}/open-apis/authen/v1/user_info", headers=headers).json()
    person = said.get("data")
    if said.get("code") != 0 or not isinstance(person, dict):
        raise Refusal("issuer", detail=f"user_info: code {_number(said.get('code'))}")
    subject, name = person.get("open_id"), person.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise Refusal("answer", detail="no open_id")
    # The address that the company's administrator gives out; the other one (`email`) is not vouched for.
    email = clean_email(person.get("enterprise_email"))
    return Arrival(
        subject=subject, name=" ".join(name.split()) if isinstance(name, str) else "", email=email, email_verified=True
    )


def doors(connection: SsoConnection) -> tuple[str, str]:
    """The server of the interfaces and the one of the sign-in page; of Lark and of a test server, too."""
    server = (connection.server_url or OPEN).rstrip("/")
    parts = urlsplit(server)
    if parts.netloc.startswith("open."):
        return server, parts._replace(netloc=f"accounts.{parts.netloc.removeprefix('open.')}").geturl()
    return server, server


def _number(found: object) -> int | str:
    return found if isinstance(found, int) else "?"
