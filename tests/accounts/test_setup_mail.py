"""Letters in the administration: says plainly whether mail works, sends a test, lists, resends and discards what failed."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core import mail as django_mail
from django.test import Client

from accounts import mail, mail_sender
from accounts.models import AuditEvent, Mail, User
from tests.accounts.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return client


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"


def failed(to: str = "ada@example.com") -> Mail:
    letter = mail.send("test", to=to, language="en", context={})
    assert letter is not None
    Mail.objects.filter(pk=letter.pk).update(state="failed", error="550 <b>no</b>", tries=5)
    return letter


def test_without_mail_the_page_says_so_and_names_the_settings(desk: Client) -> None:
    page = desk.get("/setup/mail/").content.decode()
    assert "Mail is not set up" in page
    assert "EMAIL_URL=smtp+tls://" in page
    assert "test mail" not in page
    assert desk.post("/setup/mail/test/").status_code == 302
    assert (Mail.objects.count(), AuditEvent.objects.filter(action="mail.tested").count()) == (0, 0)


def test_a_test_letter_goes_to_whoever_asks_and_the_page_says_what_became_of_it(desk: Client, mailing: None) -> None:
    desk.post("/setup/mail/test/")
    page = desk.get("/setup/mail/").content.decode()
    assert ("on its way" in page, "data-again" in page, "js/again.js" in page) == (True, True, True)
    mail_sender.deliver_due()
    assert [letter.to for letter in django_mail.outbox] == [["root@example.com"]]
    page = desk.get("/setup/mail/").content.decode()
    assert ("The mail server took the last test letter" in page, "data-again" in page) == (True, False)


def test_a_test_letter_that_fails_shows_the_servers_words(desk: Client, settings: Any, mailing: None) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    desk.post("/setup/mail/test/")
    mail_sender.deliver_due()
    page = desk.get("/setup/mail/").content.decode()
    assert ("Connection refused" in page, "tried again by itself" in page) == (True, True)


def test_failed_letters_are_listed_sent_again_and_discarded(desk: Client, mailing: None) -> None:
    first, second = failed("a@example.com"), failed("b@example.com")
    page = desk.get("/setup/mail/").content.decode()
    assert ("a@example.com" in page, "b@example.com" in page) == (True, True)
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert desk.post(f"/setup/mail/{first.uuid}/again/").status_code == 302
    mail_sender.deliver_due()
    assert [letter.to for letter in django_mail.outbox] == [["a@example.com"]]
    assert desk.post(f"/setup/mail/{second.uuid}/discard/").status_code == 302
    page = desk.get("/setup/mail/").content.decode()
    assert ("b@example.com" in page, "Every letter could be sent" in page) == (False, True)
    actions = list(
        AuditEvent.objects.filter(action__startswith="mail.").order_by("number").values_list("action", flat=True)
    )
    assert actions == ["mail.resent", "mail.discarded"]


def test_a_letter_whose_text_is_gone_says_why_it_cannot_be_sent_again(desk: Client, mailing: None) -> None:
    letter = failed()
    Mail.objects.update(body="")
    assert "Send again" not in desk.get("/setup/mail/").content.decode()
    page = desk.post(f"/setup/mail/{letter.uuid}/again/", follow=True).content.decode()
    assert "its text is no longer kept" in page


def test_only_who_may_gets_there(mailing: None, ada: User) -> None:
    letter = failed()
    paths = ["test/", f"{letter.uuid}/again/", f"{letter.uuid}/discard/"]
    colleague, staff = Client(), Client()
    colleague.force_login(ada)
    staff.force_login(User.objects.create_user("desk@example.com", PASSWORD, is_staff=True))
    for client in (colleague, staff):
        assert client.get("/setup/mail/").status_code == 403
        assert [client.post(f"/setup/mail/{path}").status_code for path in paths] == [403, 403, 403]
    assert Client().get("/setup/mail/").status_code == 302
    assert (Mail.objects.get().state, django_mail.outbox) == ("failed", [])


def test_letters_that_did_not_fail_can_be_neither_resent_nor_discarded(desk: Client, mailing: None) -> None:
    letter = mail.send("test", to="ada@example.com", language="en", context={})
    assert letter is not None
    for number in (letter.uuid, uuid.uuid4()):
        assert desk.post(f"/setup/mail/{number}/again/").status_code == 404
        assert desk.post(f"/setup/mail/{number}/discard/").status_code == 404
