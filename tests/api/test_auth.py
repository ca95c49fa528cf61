"""Tokens over HTTP: what proves a person, what a program is answered, and how often it may try."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from accounts import lockout
from accounts.models import AuditEvent, LoginSession, Organisation, RefreshToken, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.programs import ADDRESS, ago
from tests.api.conftest import Call, problem

pytestmark = pytest.mark.django_db
PROOF = {"email": "ada@example.com", "password": PASSWORD}


def sign_in(call: Call, **words: Any) -> Any:
    return call("POST", "auth/token/", PROOF | words)


def test_a_password_gives_a_pair_that_works_and_no_cookie(call: Call, ada: User) -> None:
    answer = sign_in(call)
    assert answer.status_code == 200
    assert answer.json().keys() == {"access", "refresh", "token_type", "expires_in"}
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 600)
    assert answer["Cache-Control"] == "no-store, private"
    assert not answer.cookies
    assert call("GET", "me/", credential=answer.json()["access"]).json()["email"] == "ada@example.com"


def test_capitals_and_spaces_in_the_address_do_not_matter(call: Call, ada: User) -> None:
    assert sign_in(call, email=" ADA@Example.com ").status_code == 200


def test_the_sign_in_stands_in_the_list_of_sign_ins(call: Call, ada: User) -> None:
    call("POST", "auth/token/", PROOF, headers={"user-agent": "curl/8.1"})
    session = LoginSession.objects.get()
    assert (session.user, session.kind, session.method, session.device) == (ada, "token", "password", "curl/8.1")
    assert session.address == ADDRESS
    assert [event.action for event in AuditEvent.objects.all()] == ["token.issued"]


def refusals(ada: User) -> dict[str, dict[str, str]]:
    """Everybody who must not learn from the answer whether an account exists."""
    User.objects.create_user("off@example.com", PASSWORD, is_active=False)
    User.objects.create_user("waits@example.com", PASSWORD, is_active=False, awaits_approval=True)
    User.objects.create_user("company@example.com", None, sso_at=ago(days=1))
    User.objects.create_user("program@example.com", PASSWORD, is_service=True, owner=ada)
    return {
        "wrong password": {"password": "wrong"},
        "unknown": {"email": "nobody@example.com"},
        "switched off": {"email": "off@example.com"},
        "waits": {"email": "waits@example.com", "password": "wrong"},
        "company's": {"email": "company@example.com"},
        "program's": {"email": "program@example.com"},
        "no address at all": {"email": "not an address"},
    }


def test_the_same_words_meet_everybody_who_is_not_let_in(call: Call, ada: User) -> None:
    seen = set()
    for words in refusals(ada).values():
        found = problem(sign_in(call, **words), 401, "wrong_credentials")
        seen.add((found["detail"], found["title"]))
    assert len(seen) == 1
    assert LoginSession.objects.count() == 0


def test_where_only_the_company_signs_in_no_password_does_whoever_it_is(call: Call, ada: User) -> None:
    people = refusals(ada)
    Organisation.get()
    Organisation.objects.update(sso_only=True)
    seen = {problem(sign_in(call, **words), 403, "company_only")["detail"] for words in (*people.values(), {})}
    assert len(seen) == 1
    assert LoginSession.objects.count() == 0


def test_who_waits_for_approval_is_told_so_after_the_right_password(call: Call, ada: User) -> None:
    refusals(ada)
    problem(sign_in(call, email="waits@example.com"), 403, "awaits_approval")
    assert LoginSession.objects.count() == 0


def test_everybody_who_is_not_let_in_costs_the_same_time(call: Call, ada: User, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = settings.API_DOOR_PER_MINUTE = 100_000
    took: dict[str, list[float]] = {}
    people = refusals(ada)
    for _ in range(6):
        for name, words in people.items():
            start = time.perf_counter()
            sign_in(call, **words)
            took.setdefault(name, []).append(time.perf_counter() - start)
    # The quickest of each: a missing hash is half of it, a busy machine only makes things slower.
    quickest = {name: min(times) for name, times in took.items()}
    assert max(quickest.values()) - min(quickest.values()) < 0.005 + 0.35 * quickest["wrong password"], quickest


def test_a_one_time_password_has_to_be_replaced_first(call: Call, ada: User) -> None:
    User.objects.update(password_expired=True)
    problem(sign_in(call), 403, "password_expired")
    assert LoginSession.objects.count() == 0


# --- the second factor -------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(ada: User) -> str:
    found = totp.generate_totp_secret()
    totp.TOTP.activate(ada, found)
    return str(found)


def code(secret: str) -> str:
    return str(totp.format_hotp_value(totp.hotp_value(secret, next(iter(totp.yield_hotp_counters_from_time())))))


def test_whoever_has_a_second_factor_is_asked_for_a_code_after_the_right_password_only(
    call: Call, ada: User, secret: str
) -> None:
    problem(sign_in(call), 401, "otp_required")
    problem(sign_in(call, password="wrong"), 401, "wrong_credentials")
    problem(sign_in(call, password="wrong", otp=code(secret)), 401, "wrong_credentials")
    problem(sign_in(call, otp="000000"), 401, "wrong_otp")
    assert LoginSession.objects.count() == 0
    assert sign_in(call, otp=code(secret)).status_code == 200
    assert LoginSession.objects.get().method == "otp"


def test_a_code_works_once(call: Call, ada: User, secret: str) -> None:
    used = code(secret)
    assert sign_in(call, otp=used).status_code == 200
    problem(sign_in(call, otp=used), 401, "wrong_otp")


def test_where_a_second_factor_is_demanded_it_has_to_be_set_up_in_the_browser(call: Call, ada: User) -> None:
    Organisation.get()
    Organisation.objects.update(second_factor="all")
    problem(sign_in(call), 403, "second_factor_missing")
    problem(sign_in(call, otp="123456"), 403, "second_factor_missing")


def test_codes_are_not_guessed(call: Call, ada: User, secret: str, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1000
    answers = [sign_in(call, otp=f"{n:06}").status_code for n in range(14)]
    assert answers[:10] == [401] * 10
    assert set(answers[10:]) == {429}
    answer = sign_in(call, otp=code(secret))
    assert problem(answer, 429, "too_many_tries")
    assert 0 < int(answer["Retry-After"]) <= 900


# --- too many tries ----------------------------------------------------------------------------------------------------


def test_after_ten_wrong_tries_even_the_right_password_gets_429(call: Call, ada: User) -> None:
    for _ in range(10):
        problem(sign_in(call, password="wrong"), 401, "wrong_credentials")
    wrong, right = sign_in(call, password="wrong"), sign_in(call)
    for answer in (wrong, right):
        problem(answer, 429, "too_many_tries")
        assert 0 < int(answer["Retry-After"]) <= lockout.PAUSE_S
    assert sign_in(call, email="bob@example.com").status_code == 401  # others are let try


def test_tries_at_the_page_and_at_the_api_count_together(call: Call, ada: User, client: Client) -> None:
    for _ in range(5):
        client.post("/accounts/login/", {"login": ada.email, "password": "wrong"}, REMOTE_ADDR=ADDRESS)
        sign_in(call, password="wrong")
    problem(sign_in(call), 429, "too_many_tries")
    page = client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD}, REMOTE_ADDR=ADDRESS)
    assert page.status_code == 429


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For"])
def test_a_forwarding_header_buys_no_tries(call: Call, ada: User, header: str) -> None:
    for number in range(10):
        call("POST", "auth/token/", PROOF | {"password": "wrong"}, headers={header: f"198.51.100.{number}"})
    answer = call("POST", "auth/token/", PROOF, headers={header: "198.51.100.99"})
    problem(answer, 429, "too_many_tries")


def test_right_passwords_use_up_no_tries(call: Call, ada: User) -> None:
    assert [sign_in(call).status_code for _ in range(15)] == [200] * 15


def test_the_door_has_a_pace_of_its_own(call: Call, ada: User, settings: Any) -> None:
    settings.API_DOOR_PER_MINUTE = 3
    for _ in range(3):
        problem(call("POST", "auth/token/refresh/", {"refresh": "x"}), 401, "invalid_token")
    answer = call("POST", "auth/token/refresh/", {"refresh": "x"})
    problem(answer, 429, "too_many_requests")
    assert 0 < int(answer["Retry-After"]) <= 60
    assert call("POST", "auth/token/refresh/", {"refresh": "x"}, address="192.0.2.8").status_code == 401


# --- refresh and revoke ------------------------------------------------------------------------------------------------


def test_a_refresh_answers_like_a_sign_in_and_a_repeat_says_so(call: Call, ada: User) -> None:
    first = sign_in(call).json()
    second = call("POST", "auth/token/refresh/", {"refresh": first["refresh"]})
    assert second.status_code == 200
    assert second.json().keys() == first.keys()
    problem(call("POST", "auth/token/refresh/", {"refresh": first["refresh"]}), 409, "already_rotated")
    assert RefreshToken.objects.count() == 2
    assert call("GET", "me/", credential=second.json()["access"]).status_code == 200


def test_a_stolen_refresh_token_ends_the_sign_in(call: Call, ada: User) -> None:
    first = sign_in(call).json()
    second = call("POST", "auth/token/refresh/", {"refresh": first["refresh"]}).json()
    stolen = call("POST", "auth/token/refresh/", {"refresh": first["refresh"]}, address="198.51.100.9")
    problem(stolen, 401, "invalid_token")
    assert "invalid_token" in stolen["WWW-Authenticate"]
    problem(call("GET", "me/", credential=second["access"]), 401, "invalid_token")


def test_revoking_ends_everything_at_once_and_a_repeat_is_harmless(call: Call, ada: User) -> None:
    pair = sign_in(call).json()
    for _ in range(2):
        assert call("POST", "auth/token/revoke/", {"refresh": pair["refresh"]}).status_code == 204
    problem(call("GET", "me/", credential=pair["access"]), 401, "invalid_token")
    problem(call("POST", "auth/token/refresh/", {"refresh": pair["refresh"]}), 401, "invalid_token")


def test_access_and_refresh_do_not_stand_for_each_other(call: Call, ada: User) -> None:
    pair = sign_in(call).json()
    problem(call("GET", "me/", credential=pair["refresh"]), 401, "invalid_token")
    for door in ("refresh", "revoke"):
        problem(call("POST", f"auth/token/{door}/", {"refresh": pair["access"]}), 401, "invalid_token")


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("auth/token/", {}, {"email", "password"}),
        ("auth/token/", PROOF | {"password": ""}, {"password"}),
        ("auth/token/", PROOF | {"password": None}, {"password"}),
        ("auth/token/", PROOF | {"password": ["x"]}, {"password"}),
        ("auth/token/", PROOF | {"password": {"$ne": ""}}, {"password"}),
        ("auth/token/", PROOF | {"password": "x" * 201}, {"password"}),
        ("auth/token/", PROOF | {"email": "x" * 255}, {"email"}),
        ("auth/token/", PROOF | {"email": "a\x00b"}, {"email"}),
        ("auth/token/", PROOF | {"otp": "1" * 21}, {"otp"}),
        ("auth/token/", PROOF | {"otp": None}, {"otp"}),
        ("auth/token/", PROOF | {"username": "x"}, {"username"}),
        ("auth/token/refresh/", {}, {"refresh"}),
        ("auth/token/refresh/", {"refresh": None}, {"refresh"}),
        ("auth/token/refresh/", {"refresh": ["x"]}, {"refresh"}),
        ("auth/token/refresh/", {"refresh": "x" * 4097}, {"refresh"}),
        ("auth/token/revoke/", {"refresh": 12, "access": "x"}, {"access"}),
    ],
)
def test_a_body_is_taken_by_the_letter(
    call: Call, ada: User, path: str, body: dict[str, Any], fields: set[str]
) -> None:
    assert problem(call("POST", path, body), 400, "invalid")["errors"].keys() == fields


def test_a_header_changes_nothing_at_the_door(call: Call, ada: User) -> None:
    assert call("POST", "auth/token/", PROOF, credential="nonsense").status_code == 200


def test_no_answer_of_the_door_repeats_what_was_sent(call: Call, ada: User) -> None:
    for body in ({"email": "x", "password": "hunter2-canary", "otp": "hunter2-canary-and-more"}, {"hunter2": 1}):
        assert "canary" not in call("POST", "auth/token/", body).content.decode()
