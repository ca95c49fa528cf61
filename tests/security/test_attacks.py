"""Single attacks of docs/security.md that concern no room alone: what a new password ends, links, the broker, the log, health."""

from __future__ import annotations

import json
import logging

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.test import Client

from accounts import api_keys
from accounts.models import User
from portal.celery import app
from tests.accounts.conftest import PASSWORD
from tests.accounts.programs import bearer, signed_in

pytestmark = pytest.mark.django_db
NEW = "another long secret 5"
TERMINAL = "a\r\nERROR forged line\x1b[2J\x1b]0;title\x07\u2028b"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", PASSWORD, name="Ada")


def test_a_new_password_ends_all_but_this_session_and_the_keys(ada: User) -> None:
    """API keys are a program's own and are ended one by one; everything that stands for the person's sign-in ends."""
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
        assert client.get("/me/").status_code == 200
    ada.refresh_from_db()
    pair, (_key, secret) = signed_in(ada), api_keys.make(ada, name="editor", scopes=["chat"])
    link = f"/accounts/password/reset/key/{user_pk_to_url_str(ada)}-{default_token_generator.make_token(ada)}/"
    assert "password1" in Client().get(link, follow=True).content.decode()
    given = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post("/accounts/password/change/", given).status_code == 302

    def asks(credential: str) -> int:
        return Client().get("/api/v1/me/", headers=bearer(credential)).status_code

    refreshed = Client().post(
        "/api/v1/auth/token/refresh/", json.dumps({"refresh": pair.refresh}), content_type="application/json"
    )
    found = {
        "this session": here.get("/me/").status_code,
        "the other session": elsewhere.get("/me/").status_code,
        "access token": asks(pair.access),
        "refresh token": refreshed.status_code,
        "mailed link": "password1" in Client().get(link, follow=True).content.decode(),
        "API key": asks(secret),
    }
    assert found == {
        "this session": 200, "the other session": 302, "access token": 401, "refresh token": 401, "mailed link": False,
        "API key": 200,
    }  # fmt: skip


@pytest.mark.parametrize(
    "key", ["null", "-", "set-password", "0", "a-b", "abc123-" + "0" * 32, "undefined", "9" * 300], ids=str
)
def test_an_odd_link_to_a_new_password_changes_nothing(ada: User, key: str) -> None:
    before = User.objects.values().get(pk=ada.pk)
    client, path = Client(), f"/accounts/password/reset/key/{user_pk_to_url_str(ada)}-{key}/"
    for answer in (client.get(path, follow=True), client.post(path, {"password1": NEW, "password2": NEW})):
        assert answer.status_code in {200, 404}
        assert 'name="password1"' not in answer.content.decode()
    assert User.objects.values().get(pk=ada.pk) == before


def test_a_link_to_a_new_password_is_for_its_own_account(ada: User) -> None:
    bob = User.objects.create_user("bob@example.com", PASSWORD)
    path = f"/accounts/password/reset/key/{user_pk_to_url_str(bob)}-{default_token_generator.make_token(ada)}/"
    assert 'name="password1"' not in Client().get(path, follow=True).content.decode()


def test_the_broker_takes_json_and_nothing_that_runs() -> None:
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"
    assert app.conf.worker_enable_remote_control is False


def test_what_a_client_sends_makes_no_line_of_the_log(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(raise_request_exception=False, headers={"user-agent": TERMINAL})
    client.post("/accounts/login/", {"login": TERMINAL, "password": TERMINAL})
    client.get("/nowhere%0d%0aERROR%20forged%20line%1b[2J")
    client.get("/me/", headers={"x-request-id": TERMINAL, "referer": TERMINAL})
    client.get("/api/v1/me/", headers={"authorization": f"Bearer {TERMINAL}"})
    client.force_login(ada)
    client.post("/chat/messages/", {"text": TERMINAL, "client_id": TERMINAL})
    client.post("/setup/organisation/", {"name": TERMINAL})
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("django.db")]
    assert any("nowhere" in line for line in said), "nothing was logged: the test sees nothing"
    assert [line for line in said if any(sign in line for sign in "\r\n\x1b\x07\u2028")] == []


def test_health_tells_strangers_nothing() -> None:
    """A word, and no more than any answer's headers."""
    for path, body in (("/health/live", b"ok\n"), ("/health/ready", b"degraded: workers\n")):
        answer = Client().get(path)
        assert (answer.status_code, answer.content) == (200, body)
        assert not {"Server", "X-Powered-By", "Via"} & set(answer.headers)
    for path in (
        "/metrics",
        "/metrics/",
        "/status",
        "/debug/",
        "/api/schema/",
        "/api/docs/",
        "/api/v1/",
        "/.env",
        "/.git/config",
    ):
        assert Client().get(path).status_code == 404
