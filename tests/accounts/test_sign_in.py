"""Signing in and out: by the form, with one answer to every wrong try, and only to places of this site."""

from __future__ import annotations

import re
import statistics
import time
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from tests.accounts.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db
SENTENCE = "E-mail or password is wrong, or the account is switched off."


def test_the_form_signs_a_person_in(client: Client, ada: User, sign_in: SignIn) -> None:
    answer = sign_in()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/me/").status_code == 200


def test_capitals_and_spaces_in_the_address_do_not_matter(ada: User, sign_in: SignIn) -> None:
    assert sign_in(" ADA@Example.com ").status_code == 302


def test_the_same_words_meet_a_stranger_a_wrong_password_and_a_switched_off_account(ada: User, sign_in: SignIn) -> None:
    User.objects.create_user("gone@example.com", PASSWORD, is_active=False)
    for login, password in (
        ("ada@example.com", "wrong"),
        ("nobody@example.com", "wrong"),
        ("gone@example.com", "wrong"),
        ("gone@example.com", PASSWORD),
    ):
        answer = sign_in(login, password)
        assert answer.status_code == 200
        assert answer.content.decode().count(SENTENCE) == 1, login


def test_a_stranger_costs_as_much_time_as_a_colleague(ada: User, sign_in: SignIn, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1000
    took: dict[str, list[float]] = {"ada@example.com": [], "nobody@example.com": []}
    for _ in range(25):
        for login, times in took.items():
            start = time.perf_counter()
            sign_in(login, "wrong")
            times.append(time.perf_counter() - start)
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) < max(0.010, 0.25 * known), (known, unknown)


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/me/", "/me/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("http://testserver/me/", "/"),
        ("javascript:alert(1)", "/"),
        ("\x00/evil", "/"),
    ],
)
def test_next_leads_to_places_of_this_site_only(ada: User, sign_in: SignIn, wanted: str, led_to: str) -> None:
    assert sign_in(next=wanted)["Location"] == led_to


def test_signing_out_takes_a_post(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.get("/accounts/logout/").status_code == 200
    assert client.get("/me/").status_code == 200
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/me/")["Location"] == "/accounts/login/?next=/me/"


def test_signing_in_and_out_need_the_form_token(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/login/", {"login": ada.email, "password": PASSWORD}).status_code == 403
    strict.force_login(ada)
    for path in ("/accounts/logout/", "/accounts/password/change/", "/me/", "/me/language/"):
        assert strict.post(path).status_code == 403, path


def test_nobody_registers_through_the_web(client: Client) -> None:
    person = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert client.get("/accounts/signup/").status_code == 403
    assert client.post("/accounts/signup/", person).status_code == 403
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    "path", ["email/", "confirm-email/", "reauthenticate/", "password/set/", "login/code/", "inactive/", "3rdparty/"]
)
def test_pages_of_the_library_that_are_not_ours_do_not_exist(client: Client, ada: User, path: str) -> None:
    client.force_login(ada)
    assert client.get(f"/accounts/{path}").status_code == 404


def test_the_reachable_pages_carry_nothing_inline(client: Client, ada: User) -> None:
    pages = ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", "/accounts/password/reset/done/"]
    texts = [client.get(path).content.decode() for path in pages]
    texts.append(client.get("/accounts/password/reset/key/1-abc-def/").content.decode())
    client.force_login(ada)
    texts += [client.get(path).content.decode() for path in ("/me/", "/accounts/password/change/", "/accounts/logout/")]
    for text in texts:
        assert "css/base.css" in text
        assert not re.search(r"<script(?![^>]*\ssrc=)", text)
        assert "style=" not in text
        assert "<style" not in text
