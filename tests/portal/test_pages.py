"""Error pages: one shape for people, one for programs; refused addresses name the setting; 404 gives nothing away."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.portal.page_urls")]
CASES = [
    ("400", 400, "bad_request"),
    ("403", 403, "forbidden"),
    ("refused", 403, "forbidden"),
    ("404", 404, "not_found"),
    ("413", 413, "too_large"),
    ("500", 500, "server_error"),
]


@pytest.fixture
def visitor() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def strict() -> Client:
    return Client(enforce_csrf_checks=True, raise_request_exception=False)


@pytest.mark.parametrize(("how", "status", "code"), CASES)
def test_a_program_gets_code_message_and_request_id(visitor: Client, how: str, status: int, code: str) -> None:
    answer = visitor.get(f"/broken/{how}/", headers={"accept": "application/json"})
    error = answer.json()["error"]
    assert answer.status_code == status
    assert set(error) == {"code", "message", "request_id"}
    assert (error["code"], error["request_id"]) == (code, answer["X-Request-ID"])
    assert error["message"]
    assert "canary" not in answer.content.decode()


@pytest.mark.parametrize(("how", "status", "code"), CASES)
def test_a_person_gets_a_page_in_her_language(visitor: Client, how: str, status: int, code: str) -> None:
    for language, tag in (("en", '<html lang="en">'), ("zh-CN", '<html lang="zh-Hans">')):
        answer = visitor.get(f"/broken/{how}/", headers={"accept-language": language})
        text = answer.content.decode()
        assert answer.status_code == status
        assert tag in text
        assert answer["X-Request-ID"] in text
        assert "canary" not in text
        assert answer["Cache-Control"].startswith("no-store")


def test_the_page_of_an_error_needs_no_database(
    visitor: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        visitor.cookies["django_language"] = "en"
        answer = visitor.get("/static/nothing.css", headers={"host": "unknown.example"})
    assert answer.status_code == 400


def test_without_a_database_there_is_still_a_page_and_a_sign_of_life(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: object, **kwargs: object) -> None:
        raise OperationalError("canary")

    visitor.force_login(User.objects.create_user("ada@example.com"))
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", down)
    monkeypatch.setattr("accounts.models.Organisation.get", down)
    answer = visitor.get("/me/", headers={"accept-language": "zh-CN"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "服务正在重启" in answer.content.decode()
    assert "canary" not in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()
    assert visitor.get("/health/live").status_code == 200


def test_broken_templates_still_leave_words(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("portal.views.get_template", gone)
    answer = visitor.get("/broken/500/")
    assert (answer.status_code, answer["Content-Type"]) == (500, "text/plain")


def test_what_is_not_there_and_what_is_not_yours_are_the_same_bytes(visitor: Client) -> None:
    user = User.objects.create_user("ada@example.com")
    visitor.force_login(user)
    for accept in ("text/html", "application/json"):
        answers = [visitor.get(path, headers={"accept": accept}) for path in ("/broken/404/", "/a/b/c", "/zzz")]
        blank = [re.sub(rb"[0-9a-f]{32}", b"", answer.content) for answer in answers]
        assert blank[0] == blank[1] == blank[2]


def test_a_refused_host_gets_a_page_that_names_the_setting_and_its_value(visitor: Client) -> None:
    answer = visitor.get("/", headers={"host": "chat.example.com:8000"})
    assert answer.status_code == 400
    assert "PUBLIC_URL=http://chat.example.com:8000" in answer.content.decode()
    assert "css/base.css" in answer.content.decode()


@pytest.mark.parametrize("host", ['"><script>', "a b", "a/../b", "x" * 300, "user@host", "a:b:c", "a:999999"])
def test_a_host_that_is_no_host_is_not_proposed(visitor: Client, host: str) -> None:
    answer = visitor.get("/", headers={"host": host})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "PUBLIC_URL=" not in text
    assert "<script" not in text


def test_with_a_public_address_a_refused_host_is_led_there(visitor: Client, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example.com"
    text = visitor.get("/", headers={"host": "old.example.com"}).content.decode()
    assert 'href="https://chat.example.com/"' in text


def test_a_refused_origin_gets_a_page_that_names_the_setting_and_its_value(strict: Client) -> None:
    answer = strict.post("/accounts/login/", {}, headers={"origin": "https://chat.example.com"})
    assert answer.status_code == 403
    assert "PUBLIC_URL=https://chat.example.com" in answer.content.decode()
    odd = strict.post("/accounts/login/", {}, headers={"origin": "null"})
    assert (odd.status_code, "PUBLIC_URL=" in odd.content.decode()) == (403, False)


def test_a_form_without_its_token_says_what_to_do(strict: Client) -> None:
    answer = strict.post("/accounts/login/", {})
    assert answer.status_code == 403
    assert "Reload it and send again." in answer.content.decode()
    program = strict.post("/accounts/login/", {}, headers={"accept": "application/json"})
    assert program.json()["error"]["code"] == "csrf"


def test_accepting_anything_means_a_page(visitor: Client) -> None:
    for accept in ("*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ""):
        answer = visitor.get("/nowhere", headers={"accept": accept})
        assert answer["Content-Type"].startswith("text/html"), accept


def test_the_door_leads_to_the_chat_and_the_chat_to_the_sign_in(visitor: Client) -> None:
    answer = visitor.get("/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/chat/")


def test_a_clients_own_request_id_is_not_taken_over(visitor: Client) -> None:
    answer = visitor.get("/nowhere", headers={"x-request-id": "f" * 32})
    assert answer["X-Request-ID"] != "f" * 32
