"""The organisation's page and new colleagues: who may, what can be set, and a password that is shown once."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from accounts.models import AuditEvent, Organisation, User

pytestmark = pytest.mark.django_db
PAGES = ("/setup/organisation/", "/setup/people/new/")
VALUES = {
    "name": "Pine",
    "time_zone": "Asia/Shanghai",
    "language": "zh-hans",
    "contact": "desk",
    "house_rules": "Be kind",
    "instructions": "Be brief",
}


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin() -> Client:
    return signed_in(User.objects.create_superuser("root@example.com", name="Root"))


def test_strangers_sign_in_first_and_colleagues_are_refused(ada: User) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    for page in PAGES:
        assert Client().get(page)["Location"] == f"/accounts/login/?next={page}"
        for person in (ada, staff):
            assert signed_in(person).get(page).status_code == 403
            assert signed_in(person).post(page, VALUES | {"email": "new@example.com"}).status_code == 403
    assert User.objects.count() == 2
    assert Organisation.get().name == "Chat"


def test_the_organisation_is_named_and_nothing_else_is_touched(admin: Client) -> None:
    before = Organisation.get()
    answer = admin.post("/setup/organisation/", VALUES | {"currency": "XXX", "uuid": "0" * 32}, follow=True)
    assert "已保存" in answer.content.decode()
    after = Organisation.get()
    assert {name: getattr(after, name) for name in VALUES} == VALUES
    assert (after.currency, after.uuid) == (before.currency, before.uuid)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("time_zone", "Mars/Olympus"), ("language", "tlh"), ("instructions", "x" * 20_001)],
)
def test_what_makes_no_sense_is_refused(admin: Client, field: str, value: str) -> None:
    answer = admin.post("/setup/organisation/", VALUES | {field: value})
    assert answer.status_code == 200
    assert 'class="error"' in answer.content.decode()
    assert Organisation.get().name == "Chat"


def test_a_colleague_is_made_without_rights_and_signs_in_once_with_the_shown_password(admin: Client) -> None:
    evil = {"is_staff": "on", "is_superuser": "on", "password": "chosen by me", "session_version": "9"}
    answer = admin.post("/setup/people/new/", {"email": " Ada@Example.com ", "name": "Ada"} | evil)
    made = User.objects.get(email="ada@example.com")
    assert (made.name, made.is_staff, made.is_superuser, made.password_expired) == ("Ada", False, False, True)
    shown = re.search(r"ada@example\.com\n(\S{16})</pre>", answer.content.decode())
    assert shown is not None
    assert made.check_password(shown[1])
    assert "no-store" in answer["Cache-Control"]
    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.com", "password": shown[1]})
    assert client.get("/chat/")["Location"] == "/accounts/password/change/"
    assert shown[1] not in admin.get("/setup/people/new/").content.decode()
    assert shown[1] not in str(list(AuditEvent.objects.values()))


def test_an_address_in_use_is_said_whatever_its_case(admin: Client, ada: User) -> None:
    answer = admin.post("/setup/people/new/", {"email": "ADA@example.com"})
    assert "This e-mail is in use." in answer.content.decode()
    assert User.objects.count() == 2
