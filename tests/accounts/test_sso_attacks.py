"""Attacks on the company sign-in: hostile issuers, stolen and replayed answers, mixed-up issuers, servers that are slow or huge.

Each test first walks the way that works, or shows by its neighbour that the way works, and then bends one thing.
"""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import sso_fetch, sso_metadata, sso_secrets
from accounts.models import AuditEvent, SsoConnection, User
from tests.accounts.sso_issuer import (
    Handler,
    Issuer,
    at_issuer,
    begin,
    come_in,
    refused,
    who,
)

pytestmark = pytest.mark.django_db
NOT_BELIEVED = "Your company's answer could not be believed, so nobody was signed in."
STALE = "This sign-in was not started in this browser, or it took longer than ten minutes."


# --- the way back ---
def test_an_answer_works_once_and_in_the_browser_that_asked_only(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    back = at_issuer(begin(client))
    assert refused(Client().get(back)) == STALE  # login CSRF: somebody else's answer
    victim = Client()
    begin(victim)
    assert refused(victim.get(back)) == STALE
    assert client.get(back).status_code == 302
    assert refused(client.get(back)) == STALE
    assert issuer.asked("/token") and len(issuer.asked("/token")) == 1


@pytest.mark.parametrize("state", ["", "x", "../../x", "x" * 5000, "\x00"])
def test_an_answer_with_a_state_of_its_own_asks_the_issuer_nothing(
    client: Client, company: SsoConnection, issuer: Issuer, state: str
) -> None:
    begin(client)
    answer = client.get(f"/accounts/company/company/callback/?{urlencode({'code': 'c', 'state': state})}")
    assert refused(answer) == STALE
    assert issuer.asked("/token") == []


def test_a_sign_in_that_takes_longer_than_ten_minutes_is_begun_anew(
    client: Client, company: SsoConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = at_issuer(begin(client))
    now = time.time()
    monkeypatch.setattr("allauth.socialaccount.internal.statekit.time.time", lambda: now + 601)
    assert refused(client.get(back)) == STALE


def test_a_replayed_code_is_refused_by_the_issuer_and_leaves_no_session(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    first = at_issuer(begin(client))
    assert client.get(first).status_code == 302
    code = dict(parse_qsl(urlsplit(first).query))["code"]
    thief = Client()
    state = dict(parse_qsl(urlsplit(begin(thief)).query))["state"]
    answer = thief.get(f"/accounts/company/company/callback/?{urlencode({'code': code, 'state': state})}")
    assert (refused(answer), who(thief)) == ("Your company's sign-in server refused.", "")


def test_a_stolen_code_is_of_no_use_without_the_verifier_and_the_nonce(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    stolen = dict(parse_qsl(urlsplit(at_issuer(begin(client))).query))["code"]
    thief = Client()
    state = dict(parse_qsl(urlsplit(begin(thief)).query))["state"]
    path = f"/accounts/company/company/callback/?{urlencode({'code': stolen, 'state': state})}"
    assert refused(thief.get(path)) == "Your company's sign-in server refused."  # PKCE, checked by a good issuer
    again = dict(parse_qsl(urlsplit(at_issuer(begin(client))).query))["code"]
    state = dict(parse_qsl(urlsplit(begin(thief)).query))["state"]
    issuer.codes[again]["code_challenge"] = challenge_of(thief)  # as an issuer that does not check
    path = f"/accounts/company/company/callback/?{urlencode({'code': again, 'state': state})}"
    assert refused(thief.get(path)) == NOT_BELIEVED  # the nonce is the victim's
    assert who(thief) == ""


def challenge_of(client: Client) -> str:
    """What the newest sign-in of this browser shows of its verifier."""
    states: dict[str, Any] = client.session["socialaccount_states"]
    kept = max(states.values(), key=lambda each: each[1])[0]
    return base64.urlsafe_b64encode(hashlib.sha256(kept["verifier"].encode()).digest()).rstrip(b"=").decode()


def test_two_issuers_cannot_be_mixed_up(client: Client, company: SsoConnection, issuer: Issuer) -> None:
    """The evil one sends the browser to the good one and hopes to get the good one's code, or to pass off its own."""
    evil = Issuer(person={"sub": "ada-1"}).start()
    try:
        SsoConnection.objects.create(
            kind="oidc", slug="evil", name="Evil", server_url=evil.url, client_id="portal", makes_people=False,
            secret=sso_secrets.encrypt(evil.secret),
        )  # fmt: skip
        assert come_in(Client()).status_code == 302  # Ada is known by the good one
        # The good one's answer, brought to the evil one's address: it would send the code there.
        asked = dict(parse_qsl(urlsplit(begin(client, "evil")).query))
        good = at_issuer(f"{issuer.url}/authorize?{urlencode(asked)}")
        answer = client.get(good)
        assert issuer.codes, "the good issuer's code is still unused"
        assert (answer.status_code, who(client)) == (400, "")
        # The evil one's answer, brought to the good one's address.
        state = dict(parse_qsl(urlsplit(begin(client, "company")).query))["state"]
        evils = dict(parse_qsl(urlsplit(at_issuer(begin(client, "evil"))).query))
        swapped = f"/accounts/company/company/callback/?{urlencode(evils)}"
        assert refused(client.get(swapped)) == STALE
        swapped = f"/accounts/company/company/callback/?{urlencode(evils | {'state': state})}"
        assert refused(client.get(swapped)) == "Your company's sign-in server refused."
        assert refused(come_in(client, "evil")) == "Nobody here is known under this company account."
    finally:
        evil.stop()


def test_an_answer_that_names_another_issuer_is_not_taken_to_this_one(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    back = at_issuer(begin(client))
    assert refused(client.get(f"{back}&iss=https%3A%2F%2Fevil.example")) == NOT_BELIEVED
    assert issuer.asked("/token") == []
    assert client.get(f"{at_issuer(begin(client))}&{urlencode({'iss': issuer.url})}").status_code == 302
    sso_metadata.forget()
    issuer.metadata = lambda said: said | {"authorization_response_iss_parameter_supported": True}
    assert refused(come_in(Client())) == NOT_BELIEVED


def test_whoever_connects_is_who_began_to(client: Client, company: SsoConnection, ada: User) -> None:
    client.force_login(ada)
    back = at_issuer(begin(client, connect="1"))
    states = client.session["socialaccount_states"]
    bob = User.objects.create_user("bob@example.com", None)
    client.force_login(bob)
    session = client.session
    session["socialaccount_states"] = states  # as a session that was kept from one to the other
    session.save()
    assert refused(client.get(back)) == "Somebody else is signed in here now than when this was started."
    assert SocialAccount.objects.count() == 0


def test_connecting_takes_a_post_of_our_own_form_by_somebody_signed_in(
    client: Client, company: SsoConnection, ada: User
) -> None:
    assert client.post("/accounts/company/company/", {"connect": "1"})["Location"] == "/accounts/login/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post("/accounts/company/company/", {"connect": "1"}).status_code == 403
    assert strict.post("/me/company/company/disconnect/").status_code == 403
    client.force_login(ada)
    client.get("/accounts/company/company/?connect=1&process=connect")
    assert "socialaccount_states" not in client.session


def test_what_is_asked_of_the_issuer_cannot_be_changed_from_outside(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    answer = client.post("/accounts/company/company/?scope=admin&auth_params=prompt%3Dnone&process=redirect")
    assert "scope=openid+profile+email" in answer.content.decode()
    assert "prompt" not in answer.content.decode()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("access_denied", "The sign-in was cancelled at your company."),
        ("server_error", "Your company's sign-in server refused."),
        ("<script>alert(1)</script>", "Your company's sign-in server refused."),
    ],
)
def test_an_error_of_the_issuer_is_told_in_our_words(
    client: Client, company: SsoConnection, error: str, words: str
) -> None:
    state = dict(parse_qsl(urlsplit(begin(client)).query))["state"]
    query = urlencode({"error": error, "error_description": "<b>call 555</b>", "state": state})
    answer = client.get(f"/accounts/company/company/callback/?{query}")
    assert refused(answer) == words
    assert "555" not in answer.content.decode()
    assert "<script>alert" not in answer.content.decode()


# --- issuers that are down, slow, huge or talk nonsense ---
def test_an_issuer_that_is_down_is_asked_once_in_a_while_and_costs_nobody_the_way_in(
    client: Client, company: SsoConnection, issuer: Issuer, ada: User
) -> None:
    issuer.stop()
    answer = client.post("/accounts/company/company/")
    assert (answer.status_code, refused(answer)) == (503, "Your company's sign-in server does not answer.")
    began = time.monotonic()
    for _ in range(20):
        assert client.post("/accounts/company/company/").status_code == 503
    assert time.monotonic() - began < 8
    assert client.get("/accounts/login/").status_code == 200
    issuer.start()  # the fixture stops it once more


def test_what_an_issuer_says_about_itself_makes_one_line_of_the_log(
    client: Client, company: SsoConnection, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer.metadata = lambda said: said | {"issuer": "https://x/\n2026-01-01 CRITICAL all is lost\x1b[31m"}
    client.post("/accounts/company/company/")
    lines = [record.getMessage() for record in caplog.records if record.name == "accounts.sso"]
    assert len(lines) == 1
    assert lines[0].isprintable()


def drip(handler: Handler) -> None:
    """A byte now and then: never done, and never silent for long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b"{")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        for _ in range(2000):
            handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
    except OSError:
        pass


STRANGE: dict[str, Any] = {
    "nothing": lambda handler: handler.wfile.close(),
    "no HTTP": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "an error": lambda handler: handler.say(500, {"error": "server_error"}),
    "no JSON": lambda handler: handler.say(200, b"<html>hello</html>"),
    "a list": lambda handler: handler.say(200, [1, 2]),
    "deep JSON": lambda handler: handler.say(200, b"[" * 100_000),
    "packed": lambda handler: handler.say(200, b"\x1f\x8b", Content_Encoding="gzip"),
    "too long by its own word": lambda handler: handler.say(200, {}, Content_Length="99999999"),
    "endless": endless,
    "a redirect": lambda handler: handler.say(307, {}, Location="http://169.254.169.254/latest/"),
    "numbers for words": lambda handler: handler.say(200, {"id_token": 7, "access_token": {}, "keys": 9, "issuer": []}),
}


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys", "/userinfo"])
@pytest.mark.parametrize("how", STRANGE)
def test_nonsense_from_the_issuer_is_a_page_and_never_a_sign_in(
    client: Client, company: SsoConnection, issuer: Issuer, path: str, how: str
) -> None:
    issuer.person.pop("name")  # so that userinfo is asked
    issuer.answers[path] = STRANGE[how]
    answer = client.post("/accounts/company/company/")
    if answer.status_code == 200:
        issuer.journal.clear()
        answer = come_in(client)
    if path == "/userinfo" and how != "numbers for words":
        assert (answer.status_code, User.objects.count()) == (302, 1)  # it adds nothing, and is not needed
        return
    assert refused(answer) in (
        NOT_BELIEVED, "Your company's sign-in server refused.", "Your company's sign-in server does not answer."
    )  # fmt: skip
    assert (User.objects.count(), who(client)) == (0, "")


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_a_slow_issuer_holds_a_page_for_the_limit_and_no_longer(
    client: Client, company: SsoConnection, issuer: Issuer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sso_fetch, "LIMIT_S", 1.0)
    issuer.answers[path] = drip
    began = time.monotonic()
    answer = client.post("/accounts/company/company/")
    if answer.status_code == 200:
        answer = come_in(client)
    assert refused(answer) == "Your company's sign-in server does not answer."
    assert time.monotonic() - began < 8


def test_what_was_refused_is_written_down_without_tokens_and_not_endlessly(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    issuer.sign = lambda claims: jwt.encode(claims, "", algorithm="none")
    for _ in range(25):
        come_in(client)
    events = list(AuditEvent.objects.filter(action="sso.refused"))
    assert len(events) == 20
    assert {(event.actor_kind, event.target_kind, event.target_name) for event in events} == {
        ("anonymous", "company_sign_in", "Example")
    }
    assert events[0].changes == {"why": [None, "answer"], "detail": [None, "id_token: algorithm"]}
