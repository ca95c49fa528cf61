"""Back-channel logout: the issuer's own word ends the sign-ins it means, and nobody else's word ends anything."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import jwt
import pytest
from django.test import Client

from accounts import sso_secrets
from accounts.models import AuditEvent, LoginSession, SsoConnection, SsoLogout, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.sso_issuer import KEY, OTHER_KEY, Claims, Issuer, come_in, sign

pytestmark = pytest.mark.django_db
EVENT: Claims = {"http://schemas.openid.net/event/backchannel-logout": {}}


def claims(issuer: Issuer, **more: Any) -> Claims:
    """A good logout token's claims; None takes one out."""
    now = int(time.time())
    base = {"iss": issuer.url, "aud": "portal", "iat": now, "exp": now + 120, "jti": uuid.uuid4().hex, "events": EVENT}
    return {name: value for name, value in (base | more).items() if value is not None}


def send(token: str, slug: str = "company") -> Any:
    """As the issuer posts it: from outside, without cookie or form token."""
    return Client(enforce_csrf_checks=True).post(f"/accounts/company/{slug}/logout/", {"logout_token": token})


def signed_in(client: Client) -> bool:
    return bool(client.get("/me/company/").status_code == 200)


@pytest.fixture
def two(company: SsoConnection, issuer: Issuer) -> tuple[Client, Client]:
    """Ada at two browsers, which the issuer tells apart."""
    browsers = Client(), Client()
    for number, browser in enumerate(browsers):
        issuer.person["sid"] = f"session-{number}"
        assert come_in(browser).status_code == 302
    return browsers


def test_a_session_is_ended_at_once_and_the_other_goes_on(two: tuple[Client, Client], issuer: Issuer) -> None:
    answer = send(sign(claims(issuer, sid="session-0", sub="ada-1"), typ="logout+jwt"))
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert [signed_in(browser) for browser in two] == [False, True]
    row = LoginSession.objects.get(ended_at__isnull=False)
    assert (row.sso_session, row.ended_because) == ("session-0", "company")
    event = AuditEvent.objects.get(action="sso.signed_out")
    assert (event.actor_kind, event.target_name) == ("system", "Ada Lovelace <ada@example.com>")


def test_a_session_without_a_person_is_enough(two: tuple[Client, Client], issuer: Issuer) -> None:
    assert send(sign(claims(issuer, sid="session-1"))).status_code == 200
    assert [signed_in(browser) for browser in two] == [True, False]


def test_a_person_without_a_session_is_signed_out_of_all_that_came_this_way(
    two: tuple[Client, Client], issuer: Issuer
) -> None:
    by_password = Client()
    ada = User.objects.get()
    ada.set_password(PASSWORD)
    ada.save()
    by_password.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    assert send(sign(claims(issuer, sub="ada-1"))).status_code == 200
    assert [signed_in(browser) for browser in (*two, by_password)] == [False, False, True]


def test_a_sign_in_that_the_issuer_never_named_goes_with_its_person(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(client)
    assert send(sign(claims(issuer, sub="ada-1", sid="a name we never heard"))).status_code == 200
    assert not signed_in(client)


def test_the_same_token_is_obeyed_once(client: Client, company: SsoConnection, issuer: Issuer) -> None:
    token = sign(claims(issuer, sub="ada-1"))
    assert send(token).status_code == 200
    come_in(client)
    assert send(token).status_code == 400
    assert signed_in(client)
    assert SsoLogout.objects.count() == 1


def test_what_was_obeyed_is_forgotten_once_it_could_not_come_again(company: SsoConnection, issuer: Issuer) -> None:
    assert send(sign(claims(issuer, sub="x"))).status_code == 200
    SsoLogout.objects.update(expires_at="2026-01-01T00:00:00Z")
    assert send(sign(claims(issuer, sub="x"))).status_code == 200
    assert SsoLogout.objects.count() == 1


BAD: dict[str, Claims] = {
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "another"},
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is no object": {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    "events as a list": {"events": ["http://schemas.openid.net/event/backchannel-logout"]},
    "a nonce: an id token": {"nonce": "n"},
    "no number": {"jti": None},
    "neither person nor session": {"sub": None},
    "a person that is no text": {"sub": 7},
    "a session that is no text": {"sid": ["session-0"]},
    "expired": {"exp": 1_000_000_000},
    "old": {"iat": int(time.time()) - 3600, "exp": None},
    "from the future": {"iat": 4_000_000_000},
    "no time": {"iat": None},
}


@pytest.mark.parametrize("what", BAD)
def test_a_token_that_means_something_else_ends_nothing(
    client: Client, company: SsoConnection, issuer: Issuer, what: str
) -> None:
    come_in(client)
    given = claims(issuer, **({"sub": "ada-1"} | BAD[what]))
    token = jwt.PyJWS().encode(json.dumps(given).encode(), KEY, algorithm="RS256", headers={"kid": "first"})
    assert send(token).json() == {"error": "invalid_request"}
    assert signed_in(client)
    assert SsoLogout.objects.count() == 0


def test_an_unsigned_or_foreign_token_and_a_sign_ins_own_token_end_nothing(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    kept: list[str] = []

    def keep(answer: Claims) -> Claims:
        kept.append(answer["id_token"])
        return answer

    issuer.token_answer = keep
    come_in(client)
    good = claims(issuer, sub="ada-1")
    for token in (
        jwt.encode(good, "", algorithm="none"),
        sign(good, key=OTHER_KEY),
        jwt.encode(good, issuer.secret * 2, algorithm="HS256", headers={"kid": "first"}),
        kept[0],
        "",
        "x" * 100_000,
    ):
        assert send(token).status_code == 400
    assert signed_in(client)
    assert send(sign(good)).status_code == 200


def test_one_issuer_signs_nobody_out_who_came_through_another(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(client)
    evil = Issuer().start()
    try:
        SsoConnection.objects.create(
            kind="oidc", slug="evil", name="Evil", server_url=evil.url, client_id="portal",
            secret=sso_secrets.encrypt(evil.secret),
        )  # fmt: skip
        assert send(sign(claims(evil, sub="ada-1"), key=KEY), "evil").status_code == 200
        assert send(sign(claims(evil, sub="ada-1")), "company").status_code == 400
    finally:
        evil.stop()
    assert signed_in(client)


def test_only_a_post_to_a_known_connection_is_listened_to(company: SsoConnection, issuer: Issuer) -> None:
    assert Client().get("/accounts/company/company/logout/").status_code == 405
    assert send("x", "nobody").status_code == 404
    SsoConnection.objects.update(is_enabled=False)  # off for signing in; signing out is still believed
    assert send(sign(claims(issuer, sub="ada-1"))).status_code == 200
