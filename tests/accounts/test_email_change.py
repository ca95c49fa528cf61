"""Another e-mail address for oneself: confirmed from the new mailbox, told to the old one, ended by whatever ends sessions."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail as django_mail
from django.core import signing
from django.test import Client

from accounts import email_change, mail_sender
from accounts.models import AuditEvent, Mail, Organisation, User
from tests.accounts.conftest import PASSWORD, SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"


def asked(client: Client, email: str = "Lovelace@Example.com") -> str:
    """The link's local address, out of the letter to the new mailbox."""
    answer = client.post("/me/email/", {"email": email})
    assert "on its way to lovelace@example.com" in answer.content.decode()
    mail_sender.deliver_due()
    letter = django_mail.outbox[-1]
    assert letter.to == ["lovelace@example.com"]
    found = re.search(r"http://testserver(/accounts/email/\S+)", str(letter.body))
    assert found
    return found[1]


def test_the_address_changes_when_the_new_mailbox_says_so(
    client: Client, ada: User, sign_in: SignIn, mailing: None
) -> None:
    sign_in()
    path = asked(client)
    elsewhere = Client()
    assert "signs in as lovelace@example.com" in elsewhere.get(path).content.decode()
    ada.refresh_from_db()
    assert ada.email == "ada@example.com", "looking changes nothing"
    assert elsewhere.post(path).status_code == 200
    ada.refresh_from_db()
    assert ada.email == "lovelace@example.com"
    assert client.get("/me/").status_code == 302, "every device is signed out"
    mail_sender.deliver_due()
    told = django_mail.outbox[-1]
    assert told.to == ["ada@example.com"]
    assert "lovelace@example.com" in str(told.body)
    assert sign_in("lovelace@example.com").status_code == 302
    client.post("/accounts/logout/")
    assert sign_in("ada@example.com").status_code == 200
    assert AuditEvent.objects.filter(action="email.changed", target=ada.uuid).count() == 1
    assert Client().post(path).status_code == 410


@pytest.mark.parametrize("end", ["signed out everywhere", "another address", "switched off", "old", "forged"])
def test_what_a_thief_began_dies_with_the_session(
    client: Client, ada: User, sign_in: SignIn, mailing: None, end: str
) -> None:
    sign_in()
    path = asked(client)
    if end == "signed out everywhere":
        ada.sign_out_everywhere()
    elif end == "another address":
        User.objects.update(email="a@example.com")
    elif end == "switched off":
        User.objects.update(is_active=False)
    elif end == "old":
        path = "/accounts/email/" + signing.TimestampSigner(salt="other").sign("x").replace(":", "%3A") + "/"
    else:
        path = path[:-3] + "xx/"
    assert Client().post(path).status_code == 410
    assert not User.objects.filter(email="lovelace@example.com").exists()


def test_an_address_of_somebody_else_is_found_out_only_by_its_owner(
    client: Client, ada: User, sign_in: SignIn, mailing: None
) -> None:
    User.objects.create_user("lovelace@example.com", PASSWORD)
    sign_in()
    path = asked(client)
    answer = Client().post(path)
    assert (answer.status_code, "belongs to another account" in answer.content.decode()) == (409, True)
    ada.refresh_from_db()
    assert (ada.email, ada.session_version) == ("ada@example.com", 1)
    assert client.get("/me/").status_code == 200


def test_of_two_who_want_an_address_the_first_gets_it(
    client: Client, ada: User, sign_in: SignIn, mailing: None
) -> None:
    sign_in()
    path = asked(client)
    wish = email_change.read(path.split("/")[3])
    assert wish is not None
    eve = User.objects.create_user("eve@example.com", PASSWORD)
    User.objects.filter(pk=eve.pk).update(email="lovelace@example.com")
    assert Client().post(path).status_code == 409


def test_without_mail_the_page_names_whom_to_ask(client: Client, ada: User, sign_in: SignIn) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"contact": "it@example.com"})
    sign_in()
    for answer in (client.get("/me/email/"), client.post("/me/email/", {"email": "x@example.com"})):
        assert "Ask it@example.com to change it." in answer.content.decode()
    assert Mail.objects.count() == 0


@pytest.mark.parametrize("email", ["", "x", "ada@example.com", " ADA@example.com ", "a" * 300 + "@example.com"])
def test_what_is_no_new_address_gets_no_letter(
    client: Client, ada: User, sign_in: SignIn, mailing: None, email: str
) -> None:
    sign_in()
    assert client.post("/me/email/", {"email": email}).status_code == 200
    assert Mail.objects.count() == 0


def test_an_open_computer_is_not_enough(client: Client, ada: User, mailing: None) -> None:
    client.force_login(ada)
    assert client.post("/me/email/", {"email": "x@example.com"})["Location"].startswith("/accounts/confirm/")
    assert Mail.objects.count() == 0


def test_a_strangers_mailbox_is_not_bombed(client: Client, ada: User, sign_in: SignIn, mailing: None) -> None:
    sign_in()
    answers = [client.post("/me/email/", {"email": "x@example.com"}).status_code for _ in range(5)]
    assert (answers, Mail.objects.count()) == ([200, 200, 200, 429, 429], 3)
