"""Messages about alerts: signed, tried again, given up, sent again by hand; never to an address where nothing may go; the page for it."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.core import mail as outbox
from django.test import Client
from django.utils import timezone

from accounts import sealing
from accounts.models import AuditEvent, Organisation
from portal import alert_sending
from portal.models import Alert, AlertMessage, AlertSettings
from tests.accounts.crowd import cost, person, root, signed_in, staff
from tests.portal.test_alerts import BAD, MINUTE, NOW, Found, opened, settle, tells, with_mail

__all__ = ["with_mail"]
pytestmark = pytest.mark.django_db
PAGE = "/setup/alerts/"
SECRET = "a secret of sixteen and more"


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]], list[int]]]:
    """(address, what came, the statuses to answer with; 200 when there are none)."""
    came: list[tuple[dict[str, str], bytes]] = []
    statuses: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            came.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *given: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", came, statuses
    server.shutdown()
    thread.join()
    server.server_close()


def sealed() -> str:
    return sealing.seal(SECRET, purpose=alert_sending.PURPOSE)


def states() -> list[tuple[str, int, str]]:
    return list(AlertMessage.objects.order_by("pk").values_list("state", "tries", "error"))


def due_now() -> None:
    AlertMessage.objects.update(due_at=timezone.now() - MINUTE)


def test_a_webhook_is_signed_and_says_what_is_so(hook: Any) -> None:
    url, came, _statuses = hook
    tells(emails="", webhook_url=url, webhook_secret=sealed())
    settle(BAD)
    due_now()
    assert alert_sending.send_due() == 1
    assert alert_sending.send_due() == 0
    ((headers, body),) = came
    at, signed = (part.partition("=")[2] for part in headers["X-Portal-Signature"].split(","))
    assert signed == hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert abs(int(at) - timezone.now().timestamp()) < 60
    message = json.loads(body)
    assert (message["state"], message["kind"], message["name"], message["facts"]) == (
        "raised", "provider", "OpenAI", {"reason": "bad_key"},
    )  # fmt: skip
    assert message["id"] == str(AlertMessage.objects.get().uuid)
    assert "OpenAI does not answer." in message["text"]
    assert states() == [("sent", 1, "")]


def test_a_webhook_that_fails_is_tried_later_and_later_then_given_up_and_sent_again_by_hand(hook: Any) -> None:
    url, came, statuses = hook
    tells(emails="", webhook_url=url)
    statuses += [500] * 5
    settle(BAD)
    for _try in range(7):
        due_now()
        alert_sending.send_due()
    assert states() == [("failed", 5, "HTTP 500")]
    assert len(came) == 5
    assert len({json.loads(body)["id"] for _headers, body in came}) == 1
    row = AlertMessage.objects.get()
    boss = signed_in(root())
    assert boss.post(f"{PAGE}{row.uuid}/again/").status_code == 302
    alert_sending.send_due()
    assert states() == [("sent", 1, "")]


def test_a_try_that_is_not_due_waits_and_one_that_died_comes_again() -> None:
    tells(emails="", webhook_url="http://127.0.0.1:9/")
    settle(BAD, at=timezone.now())
    alert_sending.send_due()
    assert states()[0][:2] == ("waiting", 1)
    assert alert_sending.send_due() == 0
    due_now()  # its lease or its pause is over
    assert alert_sending.send_due() == 1


def test_a_letter_is_in_the_organisations_language_and_names_it() -> None:
    Organisation.get()
    Organisation.objects.update(name="Firma", language="zh-hans")
    tells()
    settle(BAD)
    due_now()
    alert_sending.send_due()
    (letter,) = outbox.outbox
    assert letter.to == ["ops@example.com"]
    assert letter.subject == "Firma：OpenAI 没有响应。"
    assert states() == [("sent", 1, "")]


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest/", "http://example.com/", "ftp://x.example.com/", "https://user:pw@x.example.com/"],
)
def test_addresses_where_nothing_may_be_sent_are_refused(url: str) -> None:
    boss = signed_in(root())
    answer = boss.post(PAGE, given(webhook_url=url))
    assert answer.status_code == 422
    assert not AlertSettings.objects.exists()
    # And should one have come in another way, nothing is sent there.
    tells(emails="", webhook_url=url)
    settle(BAD)
    due_now()
    alert_sending.send_due()
    ((state, _tries, error),) = states()
    assert state == "waiting"
    assert error.startswith(("address", "insecure"))


# --- the page ------------------------------------------------------------------------------------------------------------------


def given(**fields: Any) -> dict[str, Any]:
    return {
        "emails": "",
        "webhook_url": "",
        "secret": "",
        "quiet_minutes": 60,
        "error_percent": 20,
        "queue_s": 60,
    } | fields


def test_only_staff_with_the_right_see_and_change_it() -> None:
    row = AlertMessage(alert=Alert(kind="test"))
    for who in (person("owner"), staff("clerk")):
        client = signed_in(who)
        assert client.get(PAGE).status_code == 403
        for address in (PAGE, f"{PAGE}test/", f"{PAGE}{row.uuid}/again/"):
            assert client.post(address, given()).status_code == 403
    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")
    assert signed_in(staff("keeper", "change_alertsettings")).get(PAGE).status_code == 200


def test_whom_to_tell_is_saved_the_secret_is_sealed_and_the_trail_knows() -> None:
    boss = signed_in(root())
    boss.post(PAGE, given(emails="a@example.com,b@example.com", webhook_url="https://x.example.com/h", secret=SECRET))
    row = AlertSettings.objects.get()
    assert (row.emails, row.webhook_url) == ("a@example.com b@example.com", "https://x.example.com/h")
    assert SECRET not in row.webhook_secret
    page = boss.get(PAGE).content.decode()
    assert "A secret is kept." in page
    assert SECRET not in page
    event = AuditEvent.objects.get(action="alerts.changed")
    assert SECRET not in json.dumps(event.changes)
    assert event.changes["signature"] == [None, "another one"]
    boss.post(PAGE, given(emails="a@example.com"))
    assert AlertSettings.objects.get().webhook_secret == row.webhook_secret


@pytest.mark.parametrize(
    "wrong", [{"emails": "nonsense"}, {"secret": "short"}, {"quiet_minutes": 1}, {"emails": "a@example.com " * 11}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    assert signed_in(root()).post(PAGE, given(**wrong)).status_code == 422
    assert not AlertSettings.objects.exists()


def test_letters_need_mail(settings: Any) -> None:
    settings.EMAIL_URL = ""
    answer = signed_in(root()).post(PAGE, given(emails="a@example.com"))
    assert answer.status_code == 422
    assert "EMAIL_URL" in answer.content.decode()


def test_the_button_sends_a_test_and_says_what_came_of_it(hook: Any) -> None:
    url, came, statuses = hook
    boss = signed_in(root())
    assert "Nobody is told yet" in boss.post(f"{PAGE}test/", follow=True).content.decode()
    tells(webhook_url=url)
    assert "The test was sent." in boss.post(f"{PAGE}test/", follow=True).content.decode()
    assert (len(came), len(outbox.outbox)) == (1, 1)
    assert opened() == []
    statuses += [500]
    assert "Not every message could be sent." in boss.post(f"{PAGE}test/", follow=True).content.decode()


def test_the_page_says_what_is_open_and_what_was_sent_and_costs_the_same_with_one_and_three() -> None:
    boss = signed_in(root())
    tells()
    assert "All is well" in boss.get(PAGE).content.decode()
    settle(BAD)
    one = cost(boss, PAGE)
    settle(BAD, Found("provider", "p2", "Other"), Found("provider", "p3", "Third"))
    assert one == cost(boss, PAGE) == 6
    page = boss.get(PAGE).content.decode()
    assert "OpenAI does not answer." in page
    assert "ops@example.com" in page


def test_alerts_that_are_long_over_are_swept() -> None:
    tells()
    settle(BAD)
    settle(at=NOW + 10 * MINUTE)
    assert alert_sending.sweep(now=NOW + dt.timedelta(days=89)) == 0
    alert_sending.sweep(now=NOW + dt.timedelta(days=91))
    assert not Alert.objects.exists()
    assert not AlertMessage.objects.exists()
