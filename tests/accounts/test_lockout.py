"""Too many tries: counted per account and address, answered alike, over by itself."""

from __future__ import annotations

import datetime as dt

import pytest
from axes.models import AccessAttempt
from django.http import HttpRequest
from django.test import Client

from accounts import lockout
from accounts.models import User
from tests.accounts.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db
TRIES = 10


def lock(sign_in: SignIn, login: str = "ada@example.com") -> None:
    for _ in range(TRIES):
        sign_in(login, "wrong")


def test_after_ten_wrong_tries_even_the_right_password_gets_the_same_refusal(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    wrong, right = sign_in(password="wrong"), sign_in()
    assert (wrong.status_code, right.status_code) == (429, 429)
    assert wrong.content == right.content
    assert right["Retry-After"] == "900"


def test_a_stranger_is_refused_in_the_same_words_as_a_colleague(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    lock(sign_in, "nobody@example.com")
    assert sign_in().content == sign_in("nobody@example.com", "wrong").content


def test_capitals_buy_no_further_tries(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    assert sign_in("ADA@EXAMPLE.COM").status_code == 429


def test_the_owner_gets_in_from_another_address(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    assert sign_in(address="192.0.2.8").status_code == 302


def test_a_forwarding_header_is_not_another_address(client: Client, ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    data = {"login": ada.email, "password": PASSWORD}
    for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
        answer = client.post("/accounts/login/", data, REMOTE_ADDR="192.0.2.7", headers={header: "198.51.100.1"})
        assert answer.status_code == 429, header


def test_the_pause_ends_by_itself(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    attempt = AccessAttempt.objects.get()
    AccessAttempt.objects.update(attempt_time=attempt.attempt_time - dt.timedelta(minutes=16))
    assert sign_in().status_code == 302


def test_programs_get_the_refusal_as_json(client: Client, ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    data = {"login": ada.email, "password": PASSWORD}
    answer = client.post("/accounts/login/", data, REMOTE_ADDR="192.0.2.7", headers={"accept": "application/json"})
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_tries"


@pytest.mark.parametrize(
    ("remote", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "0.0.0.0"),
    ],
)
def test_one_customer_is_one_address(remote: str, counted_as: str) -> None:
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = remote
    assert lockout.address(request) == counted_as
