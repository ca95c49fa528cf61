"""Choosing a password: changed, forgotten, expired; what it ends and what goes on."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password, make_password
from django.core import mail
from django.test import Client

from accounts import hashers, mail_sender, passwords
from accounts.models import Organisation, User
from tests.accounts.conftest import PASSWORD, SignIn

NEW = "a lantern over the harbour"
pytestmark = pytest.mark.django_db


def change(client: Client, **fields: str) -> int:
    data = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW, **fields}
    return client.post("/accounts/password/change/", data).status_code


def test_a_changed_password_keeps_this_session_and_ends_the_others(client: Client, ada: User) -> None:
    other = Client()
    client.force_login(ada)
    other.force_login(ada)
    assert change(client) == 302
    assert client.get("/me/").status_code == 200
    assert other.get("/me/").status_code == 302
    ada.refresh_from_db()
    assert (ada.check_password(NEW), ada.session_version) == (True, 2)


@pytest.mark.parametrize(
    "fields",
    [
        {"oldpassword": "wrong"},
        {"oldpassword": ""},
        {"password1": "short", "password2": "short"},
        {"password1": "1234567890", "password2": "1234567890"},
        {"password1": PASSWORD, "password2": PASSWORD},
        {"password2": "another one entirely"},
    ],
)
def test_a_password_is_not_changed(client: Client, ada: User, fields: dict[str, str]) -> None:
    client.force_login(ada)
    assert change(client, **fields) == 200
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


@pytest.fixture
def expired(ada: User) -> User:
    passwords.change(ada, password="one-time-3141", expired=True)
    return ada


def test_a_one_time_password_leads_to_the_choice_of_a_new_one_and_nowhere_else(
    client: Client, expired: User, sign_in: SignIn
) -> None:
    sign_in(password="one-time-3141")
    for path in ("/", "/me/", "/chat/", "/admin/", "/nowhere"):
        assert client.get(path)["Location"] == "/accounts/password/change/", path
    answer = client.get("/me/", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "password_expired")
    assert client.get("/me/", headers={"hx-request": "true"})["HX-Redirect"] == "/accounts/password/change/"
    page = client.get("/accounts/password/change/").content.decode()
    assert "one-time password" in page
    assert "oldpassword" not in page


def test_after_the_choice_everything_is_open(client: Client, expired: User, sign_in: SignIn) -> None:
    sign_in(password="one-time-3141")
    assert client.post("/accounts/password/change/", {"password1": NEW, "password2": NEW}).status_code == 302
    assert client.get("/me/").status_code == 200
    assert sign_in(password=NEW).status_code == 302


def test_the_one_time_password_cannot_be_kept(client: Client, expired: User, sign_in: SignIn) -> None:
    sign_in(password="one-time-3141")
    same = {"password1": "one-time-3141", "password2": "one-time-3141"}
    assert client.post("/accounts/password/change/", same).status_code == 200
    expired.refresh_from_db()
    assert expired.password_expired


def test_without_mail_the_page_names_whom_to_ask(client: Client) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"contact": "it@example.com"})
    for answer in (
        client.get("/accounts/password/reset/"),
        client.post("/accounts/password/reset/", {"email": "a@b.c"}),
    ):
        assert "Ask it@example.com for a link." in answer.content.decode()
    assert mail.outbox == []


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    settings.PUBLIC_URL = "https://chat.example.com"


def ask(client: Client, email: str, **headers: str) -> bytes:
    answer = client.post("/accounts/password/reset/", {"email": email}, follow=True, headers=headers)
    mail_sender.deliver_due()
    assert answer.status_code == 200
    return answer.content


def test_a_mailed_link_works_once_and_carries_the_public_address(client: Client, ada: User, mailing: None) -> None:
    ask(client, "ADA@example.com", x_forwarded_host="evil.example")
    (message,) = mail.outbox
    (url,) = re.findall(r"https?://\S+", str(message.body))
    assert url.startswith("https://chat.example.com/accounts/password/reset/key/")
    path = url.removeprefix("https://chat.example.com")
    page = client.get(path, follow=True)
    assert "Every device will be signed out." in page.content.decode()
    there = page.redirect_chain[-1][0]
    assert client.post(there, {"password1": NEW, "password2": NEW}).status_code == 302
    ada.refresh_from_db()
    assert (ada.check_password(NEW), ada.session_version) == (True, 2)
    assert "no longer works" in Client().get(path, follow=True).content.decode()


def test_without_a_public_address_the_link_leads_to_where_it_was_asked_for(
    client: Client, ada: User, mailing: None, settings: Any
) -> None:
    settings.PUBLIC_URL = ""
    ask(client, "ada@example.com")
    (url,) = re.findall(r"https?://\S+", str(mail.outbox[0].body))
    assert url.startswith("http://testserver/accounts/password/reset/key/")


def test_a_stranger_who_asks_for_a_link_sees_the_same_page_and_gets_no_mail(
    client: Client, ada: User, mailing: None
) -> None:
    User.objects.create_user("gone@example.com", PASSWORD, is_active=False)
    blank = re.compile(rb'value="[A-Za-z0-9]{64}"|[0-9a-f]{32}')
    known, unknown, gone = (
        blank.sub(b"", ask(client, email)) for email in ("ada@example.com", "no@example.com", "gone@example.com")
    )
    assert known == unknown == gone
    assert [message.to for message in mail.outbox] == [["ada@example.com"]]


def test_the_mail_speaks_the_readers_language(client: Client, ada: User, mailing: None) -> None:
    User.objects.update(language="zh-hans")
    ask(client, "ada@example.com")
    assert "设置新密码" in mail.outbox[0].subject


def test_at_most_two_passwords_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, guard = 0, 0, threading.Lock()

    def slow(self: object, password: str, salt: str) -> str:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with guard:
            running -= 1
        return "argon2$stub"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", slow)
    threads = [threading.Thread(target=hashers.Argon2().encode, args=("x", "saltsaltsalt")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_passwords_are_hashed_with_the_agreed_cost() -> None:
    encoded = make_password("x")
    assert "$argon2id$v=19$m=19456,t=2,p=1$" in encoded
    assert check_password("x", encoded)
