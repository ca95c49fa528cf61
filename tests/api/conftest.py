"""People and programs for the tests of the API, and a caller that speaks JSON as a program does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import api_keys
from accounts.models import User
from chat import live_out, writer
from tests.accounts.conftest import PASSWORD
from tests.accounts.programs import ADDRESS, bearer, signed_in
from tests.api import contract

Call = Callable[..., Any]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", PASSWORD, name="Ada")


@pytest.fixture
def a_worker_in_this_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What closes connections that are stale would close the test's own transaction."""
    for module in (live_out, writer):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)


@pytest.fixture
def program(ada: User) -> User:
    return User.objects.create(email="report@programs.invalid", name="Report", is_service=True, owner=ada)


@pytest.fixture
def call(db: None) -> Call:
    """`call("POST", "keys/", body, credential=…)`: the answer, whatever its status. It is as the OpenAPI document says."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def ask(method: str, path: str, body: Any = None, *, credential: str = "", **more: Any) -> Any:
        headers = (bearer(credential) if credential else {}) | more.pop("headers", {})
        address = more.pop("address", ADDRESS)
        kind = more.pop("content_type", "application/json")
        url = path if path.startswith("/") else f"/api/v1/{path}"
        caller = more.pop("client", client)
        answer = caller.generic(
            method, url, _bytes(body), content_type=kind, headers=headers, REMOTE_ADDR=address, **more
        )
        contract.check(method, url, answer)
        return answer

    return ask


def _bytes(body: Any) -> bytes | str:
    if body is None:
        return b""
    return body if isinstance(body, bytes | str) else json.dumps(body)


def token_of(user: User) -> str:
    """An access token of a new sign-in."""
    return signed_in(user).access


def key_of(user: User, *, by: User | None = None, **words: Any) -> str:
    """The secret of a new key."""
    return api_keys.make(user, **{"name": "editor", "scopes": ["chat", "models"], "by": by} | words)[1]


def own_queries(asked: CaptureQueriesContext) -> list[str]:
    """The statements of a request without those that count its pace."""
    own = [query["sql"] for query in asked]
    return [sql for sql in own if not any(word in sql for word in ("accounts_tries", "SAVEPOINT", "clock_timestamp"))]


def problem(answer: Any, status: int, code: str) -> Any:
    """The whole problem; its shape is looked at each time."""
    assert answer.status_code == status, answer.content[:500]
    assert answer["Content-Type"] == "application/problem+json"
    found = answer.json()
    shape = {"type", "title", "status", "code", "detail", "request_id"}
    assert found.keys() - {"errors"} == shape
    assert (found["status"], found["code"], found["request_id"]) == (status, code, answer["X-Request-ID"])
    assert found["detail"]
    return found
