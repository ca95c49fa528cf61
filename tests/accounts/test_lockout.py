"""Too many tries: counted by account and place, answered alike, over by themselves, and never the owner's own fault."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db.models import F
from django.http import HttpRequest
from django.test import Client

from accounts import lockout
from accounts.models import Tries, User
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


def test_the_pause_ends_by_itself_however_hard_somebody_tries_meanwhile(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    for _ in range(30):
        sign_in(password="wrong")
    Tries.objects.update(ends=F("ends") - 901)
    assert sign_in().status_code == 302


def test_a_right_password_begins_the_count_anew(ada: User, client: Client, sign_in: SignIn) -> None:
    for _ in range(TRIES - 1):
        sign_in(password="wrong")
    assert sign_in().status_code == 302
    client.post("/accounts/logout/")
    client.cookies.clear()
    for _ in range(TRIES):
        assert sign_in(password="wrong").status_code == 200
    assert sign_in(password="wrong").status_code == 429


def test_many_accounts_from_one_address_are_refused_and_a_colleague_who_works_there_is_not(
    client: Client, ada: User, sign_in: SignIn
) -> None:
    sign_in()
    client.post("/accounts/logout/")
    client.cookies.clear()
    answers = [sign_in(f"person{number}@example.com", "wrong").status_code for number in range(55)]
    assert answers == [200] * 50 + [429] * 5
    assert sign_in("another@example.com", address="192.0.2.9", password="wrong").status_code == 200
    assert sign_in().status_code == 302


def test_one_account_from_many_addresses_is_refused_and_its_owner_gets_in_where_she_was_before(
    client: Client, ada: User, sign_in: SignIn
) -> None:
    sign_in(address="192.0.2.200")
    client.post("/accounts/logout/")
    own = client.cookies["device"].value
    client.cookies.clear()
    answers = [sign_in(password="wrong", address=f"198.51.100.{number}").status_code for number in range(35)]
    assert answers == [200] * 30 + [429] * 5
    assert sign_in(address="203.0.113.1").status_code == 429
    assert sign_in(address="192.0.2.200").status_code == 302
    client.post("/accounts/logout/")
    client.cookies.clear()
    client.cookies["device"] = own
    assert sign_in(address="203.0.113.1").status_code == 302


def test_who_sits_behind_the_same_address_cannot_lock_a_browser_out(client: Client, ada: User, sign_in: SignIn) -> None:
    sign_in()
    client.post("/accounts/logout/")
    own = client.cookies["device"].value
    client.cookies.clear()
    lock(sign_in)
    assert sign_in().status_code == 429
    client.cookies["device"] = own
    assert sign_in().status_code == 302


def test_the_mark_of_a_browser_is_of_one_account_and_cannot_be_made_up(
    client: Client, ada: User, sign_in: SignIn
) -> None:
    User.objects.create_user("eve@example.com", PASSWORD)
    sign_in("eve@example.com")
    client.post("/accounts/logout/")
    lock(sign_in)
    assert sign_in().status_code == 429
    for made_up in ("x", "a:b:c", client.cookies["device"].value[:-2]):
        client.cookies["device"] = made_up
        assert sign_in().status_code == 429, made_up


def test_even_in_a_known_browser_tries_are_counted(client: Client, ada: User, sign_in: SignIn) -> None:
    sign_in()
    client.post("/accounts/logout/")
    lock(sign_in)
    assert sign_in().status_code == 429


def test_an_administrator_can_end_a_pause_on_the_server(ada: User, sign_in: SignIn) -> None:
    lock(sign_in)
    call_command("axes_reset_ip_username", "192.0.2.7", "ada@example.com")
    assert sign_in().status_code == 302


def test_the_current_password_cannot_be_guessed_at_an_open_computer(client: Client, ada: User) -> None:
    client.force_login(ada)
    new = {"password1": "a lantern over the harbour", "password2": "a lantern over the harbour"}
    answers = [
        client.post("/accounts/password/change/", {"oldpassword": f"guess {number}", **new}).status_code
        for number in range(11)
    ]
    assert answers == [200] * 10 + [429]
    right = client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})
    assert (right.status_code, right["Retry-After"]) == (429, "900")
    again = client.post("/accounts/confirm/", {"password": PASSWORD})
    assert again.status_code == 429
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


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
