"""Letters: written down with the deed, sent by a thread, tried again, listed when they failed; never more than an address can bear."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail as django_mail
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from accounts import clock, mail, mail_sender, sealing
from accounts.models import Mail, Organisation, Tries, User
from tests.accounts.conftest import PASSWORD
from tests.smtp_server import Box, MailServer

LINK = "https://chat.example.com/canary-link"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def mailing(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://localhost"
    settings.PUBLIC_URL = "https://chat.example.com"


@pytest.fixture
def box(settings: Any) -> Iterator[Box]:
    """A real mail server on loopback."""
    with MailServer() as server:
        settings.EMAIL_URL = server.url
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 2
        settings.DEFAULT_FROM_EMAIL = "Chat <chat@example.com>"
        yield server.box


def write(to: str = "ada@example.com", language: str = "en") -> Mail | None:
    user = User(email="ada@example.com")
    return mail.send("email_change", to=to, language=language, context={"user": user, "url": LINK})


def due_again() -> None:
    Mail.objects.update(next_try_at=F("created_at"))


@pytest.mark.django_db
def test_without_mail_nothing_is_written_and_nothing_is_said_to_be_sent() -> None:
    assert (mail.mail_configured(), write(), mail.ask_for_reset("a@b.example", base="", language="en")) == (
        False,
        None,
        None,
    )
    assert Mail.objects.count() == 0
    assert mail_sender.deliver_due() == 0


@pytest.mark.django_db
def test_a_letter_is_text_and_html_in_the_readers_language(box: Box) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"name": "Müller & Söhne"})
    write(language="zh-hans")
    assert mail_sender.deliver_due() == 1
    (letter,) = box.letters
    assert (letter["To"], letter["From"]) == ("ada@example.com", "Chat <chat@example.com>")
    assert letter["Subject"].strip().startswith("Müller & Söhne")
    text, html = (letter.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert LINK in text.get_content()
    assert "Müller & Söhne" in text.get_content()
    assert '<html lang="zh-Hans">' in html.get_content()
    assert "Müller &amp; Söhne" in html.get_content()
    assert "style=" not in html.get_content()


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["password_reset", "email_change", "test", "account_notice"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_letter_can_be_written_in_both_languages(mailing: None, kind: str, language: str) -> None:
    context = {
        "user": User(email="ada@example.com"),
        "url": LINK,
        "kind": "factor_reset",
        "by": "<b>Eve</b>",
    }
    sent = mail.send(kind, to="ada@example.com", language=language, context=context)
    assert sent is not None
    mail_sender.deliver_due()
    (letter,) = django_mail.outbox
    assert letter.subject
    assert "\n" not in letter.subject
    assert isinstance(letter, django_mail.EmailMultiAlternatives)
    html = str(letter.alternatives[0][0])
    assert "<b>Eve</b>" not in html
    assert "{" not in str(letter.body)


@pytest.mark.django_db
def test_what_could_open_an_account_stands_nowhere_readable_and_is_gone_once_sent(mailing: None) -> None:
    write()
    assert "canary" not in str(Mail.objects.values().get())
    mail_sender.deliver_due()
    row = Mail.objects.get()
    assert (row.state, row.body, row.error) == ("sent", "", "")
    assert row.sent_at is not None


@pytest.mark.django_db
def test_a_letter_survives_a_new_secret_key_while_the_old_one_is_a_fallback(mailing: None, settings: Any) -> None:
    write()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret", [settings.SECRET_KEY]
    mail_sender.deliver_due()
    assert len(django_mail.outbox) == 1
    write()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a third secret", []
    mail_sender.deliver_due()
    row = Mail.objects.latest("pk")
    assert (row.state, row.error, row.tries) == (
        "failed",
        "it was encrypted with a SECRET_KEY that is gone",
        1,
    )


def test_a_purpose_reads_only_its_own() -> None:
    sealed = sealing.seal("x", purpose="mail")
    assert sealing.unseal(sealed, purpose="mail") == "x"
    with pytest.raises(sealing.Unreadable):
        sealing.unseal(sealed, purpose="second factor")


@pytest.mark.django_db
def test_what_an_earlier_process_left_is_sent(mailing: None) -> None:
    write()
    Mail.objects.update(tries=1, next_try_at=clock.now() - dt.timedelta(seconds=1))  # it died in the middle
    mail_sender.deliver_due()
    assert len(django_mail.outbox) == 1


@pytest.mark.django_db
def test_a_letter_of_another_process_is_left_alone_while_it_may_live(mailing: None) -> None:
    write()
    Mail.objects.update(tries=1, next_try_at=clock.now() + mail_sender.LEASE)
    assert mail_sender.deliver_due() == 0


@pytest.mark.django_db
def test_a_server_that_is_away_is_tried_later_and_later_and_then_the_letter_is_listed(
    settings: Any, mailing: None
) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", 9
    write()
    pauses = []
    for _ in range(4):
        assert mail_sender.deliver_due() == 1
        row = Mail.objects.get()
        assert (row.state, row.error) == ("waiting", "Connection refused")
        assert row.next_try_at is not None
        pauses.append(round((row.next_try_at - clock.now()).total_seconds() / 60))
        assert mail_sender.deliver_due() == 0
        due_again()
    assert pauses == [1, 5, 30, 120]
    mail_sender.deliver_due()
    assert [row.state for row in mail.failed()] == ["failed"]
    due_again()
    assert mail_sender.deliver_due() == 0


@pytest.mark.django_db
def test_a_failed_letter_is_sent_again_or_discarded_by_whoever_is_first(mailing: None, box: Box) -> None:
    box.refuse = "550 no such user"
    for address in ("a@example.com", "b@example.com"):
        write(address)
    mail_sender.deliver_due()
    first, second = mail.failed()
    assert "550" in first.error
    assert (mail.discard(first), mail.discard(first)) == (True, False)
    box.refuse = ""
    assert (mail.resend(second), mail.resend(second), mail.discard(second)) == (True, False, False)
    mail_sender.deliver_due()
    assert [letter["To"] for letter in box.letters] == [second.to]
    assert mail.failed().count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("said", "state"), [("550 no such user", "failed"), ("451 not now", "waiting")])
def test_a_refusal_for_good_is_not_tried_again(box: Box, said: str, state: str) -> None:
    box.refuse = said
    write()
    mail_sender.deliver_due()
    assert (Mail.objects.get().state, box.letters) == (state, [])


@pytest.mark.django_db
def test_a_letter_that_waited_for_too_long_is_given_up_and_old_ones_are_forgotten(mailing: None) -> None:
    write()
    Mail.objects.update(created_at=clock.now() - dt.timedelta(hours=25))
    mail_sender.deliver_due()
    assert (Mail.objects.get().state, django_mail.outbox) == ("failed", [])
    Mail.objects.update(created_at=clock.now() - dt.timedelta(days=4))
    assert (mail_sender.sweep(), Mail.objects.get().body) == (0, "")
    assert mail.resend(Mail.objects.get()) is False
    Mail.objects.update(created_at=clock.now() - dt.timedelta(days=31))
    assert (mail_sender.sweep(), Mail.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_an_address_gets_only_so_many_letters_of_a_kind_within_an_hour(mailing: None) -> None:
    sent = [write() is not None for _ in range(5)] + [write("ADA@example.com") is not None]
    assert sent == [True] * 3 + [False] * 3
    assert write("other@example.com") is not None
    Tries.objects.update(ends=F("ends") - 3601)
    assert write() is not None


@pytest.mark.django_db
def test_an_address_that_exists_nowhere_gets_no_letter(mailing: None) -> None:
    assert write("someone@no-mail.invalid") is None


@pytest.mark.django_db
def test_a_stranger_cannot_bomb_a_colleague_nor_ask_for_everybody(client: Client, mailing: None) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    asked = [client.post("/accounts/password/reset/", {"email": "ada@example.com"}).status_code for _ in range(8)]
    assert asked == [302] * 8
    mail_sender.deliver_due()
    assert len(django_mail.outbox) == 3
    others = [client.post("/accounts/password/reset/", {"email": f"p{n}@example.com"}) for n in range(13)]
    assert [answer.status_code for answer in others] == [302] * 12 + [429]
    assert int(others[-1]["Retry-After"]) > 3000


@pytest.mark.django_db
def test_asking_for_a_password_costs_the_same_for_an_address_that_nobody_has(client: Client, mailing: None) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    rows = []
    for email in ("ada@example.com", "no@example.com"):
        client.post("/accounts/password/reset/", {"email": email})
        row = Mail.objects.latest("pk")
        rows.append((row.kind, row.subject, row.state, len(row.body)))
    assert rows[0] == rows[1]
    mail_sender.deliver_due()
    assert [row.to for row in Mail.objects.all()] == ["ada@example.com"]


@pytest.mark.django_db
def test_who_signs_in_through_the_company_gets_no_link_around_it(client: Client, mailing: None) -> None:
    user = User.objects.create_user("ada@example.com", None)
    User.objects.filter(pk=user.pk).update(sso_at=clock.now())
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    mail_sender.deliver_due()
    (letter,) = django_mail.outbox
    assert "through your company" in str(letter.body)
    assert "http" not in str(letter.body)


@pytest.mark.django_db(transaction=True)
def test_the_thread_sends_after_the_commit_and_no_request_waits_for_the_server(box: Box, client: Client) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    box.silent_s = 1.5
    began = time.monotonic()
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    answered = time.monotonic() - began
    (letter,) = box.wait_for(1)
    assert answered < 1.5
    assert "/accounts/password/reset/key/" in str(letter.get_body(("plain",)))
    end = time.monotonic() + 10
    while Mail.objects.get().state != "sent":
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.django_db(transaction=True)
def test_a_deed_that_is_taken_back_sends_nothing(box: Box) -> None:
    class Back(Exception):
        pass

    with pytest.raises(Back), transaction.atomic():
        write()
        raise Back
    assert Mail.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_one_sends_a_letter(box: Box, settings: Any) -> None:
    box.silent_s = 0.1
    for number in range(6):
        Mail.objects.create(
            kind="test",
            to=f"p{number}@example.com",
            language="en",
            body=sealing.seal('{"subject": "s", "text": "t", "html": "h"}', purpose=mail_sender.PURPOSE),
        )
    begin = threading.Barrier(4)

    def work() -> None:
        begin.wait()
        mail_sender.deliver_due()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(letter["To"] for letter in box.letters) == [f"p{number}@example.com" for number in range(6)]
