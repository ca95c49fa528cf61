"""Bad input at the page's addresses: the right 4xx in the right shape, never 500, and nothing stored."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from chat.models import Conversation, Message
from tests.chat.asking import JSON, READ, addresses, asked, post

pytestmark = pytest.mark.django_db

FIELDS = ("text", "client_id", "conversation", "model", "version")
VALUES: list[Any] = [None, [], ["a"], {}, {"a": 1}, 0, -1, 1.5, True, "", " ", "\x00", "a\x00b", "\ud800", "x" * 70_000]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
def test_no_value_of_any_field_breaks_a_verb(owner: User, page: Client, field: str, value: Any) -> None:
    sent = asked(owner)
    for name, path in {**addresses(sent), "send": "/chat/messages/"}.items():
        if name in READ:
            continue
        fields = {"text": "x", "client_id": uuid.uuid4().hex, field: value}
        answer = post(page, path, fields)
        assert answer.status_code in {202, 400, 404, 409, 413, 422}, (name, answer.content[:200])
        if answer.status_code not in {202, 404}:
            error = answer.json()["error"]
            assert error["code"] and error["message"] and error["request_id"] == answer["X-Request-ID"], name
        del fields[field]
        assert post(page, path, fields).status_code < 500


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 400),
        (b"null", 400),
        (b'"text"', 400),
        (b"\xff\xfe{}", 400),
        (b'{"text": "\\u0000", "client_id": "12345678"}', 400),
        (b'{"text": "\\ud800", "client_id": "12345678"}', 400),
        (b'{"text": "a", "client_id": "12345678", "x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
        (b'{"text": "a", "client_id": "12345678", "x": ' + b'{"a":' * 200 + b"1" + b"}" * 200 + b"}", 400),
        (b'{"text": "   ", "client_id": "12345678"}', 422),
        (b'{"text": "' + b"a" * 1_000_000 + b'", "client_id": "12345678"}', 413),
        (b'{"text": "' + b"a" * 3_000_000 + b'", "client_id": "12345678"}', 413),
        (b'{"text": "a", "client_id": "12345678", "version": 1' + b"0" * 5_000 + b"}", 400),
    ],
)
def test_a_bad_body_gets_its_own_4xx_and_stores_nothing(page: Client, body: bytes, status: int) -> None:
    answer = page.post("/chat/messages/", body, content_type="application/json", headers=JSON)
    assert answer.status_code == status
    assert set(answer.json()["error"]) >= {"code", "message", "request_id"}
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""])
def test_a_body_of_another_kind_is_refused(page: Client, kind: str) -> None:
    answer = page.post("/chat/messages/", b'{"text": "a", "client_id": "12345678"}', content_type=kind, headers=JSON)
    assert answer.status_code in {400, 422}
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "path",
    [
        "/chat/x/",
        "/chat/messages/1/",
        "/chat/generations/%00/",
        "/chat/00000000-0000-0000-0000-000000000000/",
        "/chat/?text=%00&cursor=%00",
        "/chat/list/?cursor=2026-13-45_9",
        "/chat/list/?cursor=" + "9" * 5_000,
        "/chat/list/?cursor=0001-01-01T00:00:00%2B23:59_1",
    ],
)
def test_no_address_breaks(page: Client, path: str) -> None:
    assert page.get(path).status_code in {200, 404}


@pytest.mark.parametrize("name", ["before", "edit"])
@pytest.mark.parametrize("value", ["x", "%00x", "00000000-0000-0000-0000-000000000000", "a" * 5_000])
def test_a_window_before_something_unknown_is_not_found(owner: User, page: Client, name: str, value: str) -> None:
    assert page.get(f"{addresses(asked(owner))['conversation']}?{name}={value}").status_code == 404
