"""Every error under /api/ has one shape, whatever broke and wherever; and what an attacker sends breaks nothing (A45, A49, A50)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from api import problem as problem_details
from api.permissions import ANY
from api.resource import Resource
from api.v1 import urls
from portal.admission import Refused, refusal
from tests.api.conftest import Call, problem, token_of

pytestmark = pytest.mark.django_db


def test_an_unknown_address_is_a_problem_whatever_is_accepted(call: Call, ada: User) -> None:
    for accept in ("text/html", "application/json", "*/*", "image/png", "nonsense"):
        for where in ("/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/me/", "/api/v1/me/../keys", "/api/v1/keys/12/"):
            problem(call("GET", where, headers={"accept": accept}), 404, "not_found")


def test_without_its_slash_an_address_leads_nowhere(call: Call, ada: User) -> None:
    token = token_of(ada)
    for method in ("GET", "POST", "DELETE"):
        problem(call(method, "/api/v1/keys", {"name": "x"}, credential=token), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "DELETE", "POST", "BREW"])
def test_a_method_that_an_address_does_not_take(call: Call, ada: User, method: str) -> None:
    answer = call(method, "me/", credential=token_of(ada))
    problem(answer, 405, "method_not_allowed")
    assert set(answer["Allow"].split(", ")) == {"GET", "HEAD", "PATCH"}


def test_no_header_turns_one_method_into_another(call: Call, ada: User) -> None:
    token = token_of(ada)
    for name in ("x-http-method-override", "x-method-override", "x-http-method"):
        answer = call(
            "POST",
            "me/",
            {"name": "Eve"},
            credential=token,
            headers={name: "PATCH"} | {"authorization": f"Bearer {token}"},
        )
        problem(answer, 405, "method_not_allowed")
    problem(
        call("POST", "me/?_method=PATCH", {"name": "Eve", "_method": "PATCH"}, credential=token),
        405,
        "method_not_allowed",
    )


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "text/json",
        "application/vnd.api+json", "application/octet-stream", "application/*", "*/*", "nonsense", "application/json, text/plain",
    ],
)  # fmt: skip
def test_only_json_is_read(call: Call, ada: User, kind: str) -> None:
    problem(call("POST", "keys/", b'{"name": "x"}', credential=token_of(ada), content_type=kind), 415, "not_json")


@pytest.mark.parametrize(
    "kind", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json;x=y"]
)
def test_json_is_read_whatever_is_said_beside_it(call: Call, ada: User, kind: str) -> None:
    assert call("POST", "keys/", b'{"name": "x"}', credential=token_of(ada), content_type=kind).status_code == 201


BROKEN: dict[str, bytes] = {
    "nothing": b" ",
    "half": b'{"name": "x"',
    "a hundred thousand lists": b"[" * 100_000,
    "a hundred thousand objects": b'{"a":' * 100_000,
    "deeper than anything of ours": b"[" * 40 + b"]" * 40,
    "deep and whole": b"[" * 5000 + b"]" * 5000,
    "not a number": b'{"name": NaN}',
    "infinite": b'{"name": Infinity}',
    "half a character": b'{"name": "\xc3"}',
    "half a pair": b'{"name": "\\ud800"}',
    "another charset": '{"name": "x"}'.encode("utf-16"),
    "single quotes": b"{'name': 'x'}",
    "a comment": b'{"name": "x"} // x',
    "two values": b'{"name": "x"}{"name": "y"}',
    "a tail of NUL": b'{"name": "x"}\x00',
    "python": b"__import__('os')",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_json_is_refused(call: Call, ada: User, name: str) -> None:
    problem(call("POST", "keys/", BROKEN[name], credential=token_of(ada)), 400, "malformed_json")
    problem(call("POST", "auth/token/", BROKEN[name]), 400, "malformed_json")


@pytest.mark.parametrize(
    "body", [b"null", b"true", b"12", b'"x"', b"[]", b'[{"name": "x"}]', b"1" * 5000, b"-0", b"1e999"]
)
def test_what_is_json_but_no_object_is_refused(call: Call, ada: User, body: bytes) -> None:
    answer = call("POST", "keys/", body, credential=token_of(ada))
    assert answer.status_code == 400, answer.content[:300]
    assert answer.json()["code"] in {"invalid", "malformed_json"}


def test_odd_values_in_every_field_never_break_anything(call: Call, ada: User) -> None:
    """A49: each field of each write, with each kind of value that it is not."""
    token = token_of(ada)
    odd: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        "",
        "\x00",
        "x" * 5000,
        [],
        [[]],
        [None],
        {},
        {"a": {}},
        "‮",
        "'; DROP TABLE",
    ]
    bodies = {
        ("POST", "keys/"): ["name", "scopes", "models", "expires_at", "allowed_ips", "service_account"],
        ("POST", f"keys/{uuid.uuid4()}/roll/"): ["keep_hours"],
        ("PATCH", "me/"): ["name", "language", "time_zone", "theme", "default_model"],
        ("POST", "auth/token/refresh/"): ["refresh"],
        ("POST", "auth/token/revoke/"): ["refresh"],
    }
    for (method, where), fields in bodies.items():
        for field in fields:
            for value in odd:
                body = ({"name": "x"} if where == "keys/" else {}) | {field: value}
                answer = call(method, where, body, credential=token)
                assert answer.status_code < 500, (where, body, answer.content[:300])


def test_a_body_that_is_too_large_is_refused(call: Call, ada: User) -> None:
    body = json.dumps({"name": "x" * 1_300_000}).encode()
    problem(call("POST", "keys/", body, credential=token_of(ada)), 413, "too_large")
    problem(call("POST", "auth/token/", body), 413, "too_large")


def test_what_the_guard_refuses_has_the_same_shape() -> None:
    refused = Refused(413, "too_large", "The request is larger than 10 bytes.")
    headers, body = refusal(refused, accept=b"text/html", path="/api/v1/keys/")
    assert dict(headers)[b"content-type"] == problem_details.CONTENT_TYPE.encode()
    found = json.loads(body)
    assert found.keys() == {"type", "title", "status", "code", "detail", "request_id"}
    assert (found["status"], found["code"], found["title"]) == (413, "too_large", "Request Entity Too Large")
    assert b"json" not in dict(refusal(refused, accept=b"text/html", path="/chat/")[0])[b"content-type"]


def test_a_host_that_is_not_served_is_a_problem_too(call: Call) -> None:
    problem(call("GET", "me/", headers={"host": "evil.example"}), 400, "host_refused")


# --- our own faults ----------------------------------------------------------------------------------------------------


class Breaks(Resource):
    scopes = {"GET": ANY}

    def get(self, request: Request, what: str) -> Response:
        raise {"fault": ZeroDivisionError("canary-of-a-fault"), "away": OperationalError("canary: database is locked")}[
            what
        ]


class Undeclared(Resource):
    def get(self, request: Request) -> Response:
        return Response({"open": True})


class Sees(Resource):
    scopes = {"GET": "keys"}

    def get(self, request: Request) -> Response:
        return Response({"seen": True})


urlpatterns = [
    path("api/v1/breaks/<str:what>/", Breaks.as_view()),
    path("api/v1/undeclared/", Undeclared.as_view()),
    path("api/v1/sees/", Sees.as_view()),
    path("", include("portal.urls")),
]
handler404 = "portal.views.not_found"
handler500 = "portal.views.server_error"


@pytest.fixture
def with_breaks(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    yield


def test_a_fault_of_ours_tells_nothing_but_its_number(call: Call, ada: User, with_breaks: None) -> None:
    answer = call("GET", "breaks/fault/", credential=token_of(ada))
    assert "canary" not in json.dumps(problem(answer, 500, "server_error"))


def test_a_database_that_is_away_is_a_503_with_a_time(call: Call, ada: User, with_breaks: None) -> None:
    answer = call("GET", "breaks/away/", credential=token_of(ada))
    assert "canary" not in json.dumps(problem(answer, 503, "database_away"))
    assert answer["Retry-After"] == "5"


def test_a_view_that_names_no_scope_is_open_to_nobody(call: Call, ada: User, with_breaks: None) -> None:
    root = User.objects.create_superuser("root@example.com")
    problem(call("GET", "undeclared/"), 401, "no_credential")
    for user in (ada, root):
        problem(call("GET", "undeclared/", credential=token_of(user)), 403, "forbidden")


def test_a_head_asks_for_the_right_of_a_get(call: Call, ada: User, with_breaks: None) -> None:
    assert call("HEAD", "sees/", credential=token_of(ada)).status_code == 200
    assert call("HEAD", "sees/").status_code == 401


def test_the_language_is_the_persons_then_the_programs(call: Call, ada: User) -> None:
    chinese = {"accept-language": "zh-CN,zh;q=0.9"}
    assert "访问令牌" in problem(call("GET", "me/", headers=chinese), 401, "no_credential")["detail"]
    User.objects.update(language="zh-hans")
    answer = call("POST", "keys/", {}, credential=token_of(ada))
    assert problem(answer, 400, "invalid")["detail"] == "有些字段的内容无法接受。"
    assert "Send an API key" in problem(call("GET", "me/"), 401, "no_credential")["detail"]


def test_every_view_of_the_api_says_who_may_what() -> None:
    """No address without a declaration: what is missing would be refused, and somebody would open it in a hurry."""
    assert len(urls.urlpatterns) >= 7
    for address in urls.urlpatterns:
        view = address.callback.cls  # type: ignore[attr-defined]  # DRF's as_view leaves it there
        methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)}
        assert issubclass(view, Resource)
        assert view.authentication_classes == () or set(view.scopes) == methods, view


def test_no_other_sites_page_may_read_or_embed_anything(call: Call, ada: User) -> None:
    token = token_of(ada)
    for origin in ("https://evil.example", "null", "http://testserver.evil.example", "http://testserver"):
        asking = {"origin": origin, "access-control-request-method": "POST"}
        reading = {"origin": origin, "authorization": f"Bearer {token}"}
        for answer in (call("GET", "me/", headers=reading), call("OPTIONS", "me/", headers=asking)):
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
            assert answer["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
            assert answer["X-Content-Type-Options"] == "nosniff"


def test_nothing_of_the_api_is_kept_by_caches(call: Call, ada: User) -> None:
    for answer in (
        call("GET", "me/", credential=token_of(ada)),
        call("GET", "me/"),
        call("GET", "nothing/"),
        call("PUT", "me/"),
    ):
        assert "no-store" in answer["Cache-Control"]


def test_a_credential_in_the_address_is_refused_at_every_door_and_written_nowhere(
    call: Call, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    token = token_of(ada)
    for method, where in (("GET", "me/"), ("GET", "keys/"), ("POST", "auth/token/"), ("POST", "auth/token/refresh/")):
        for query in (f"?key={token}", f"?q={token}", "?access_token=x"):
            problem(call(method, where + query, {}, credential=token), 400, "key_in_address")
    assert token not in caplog.text
    assert token.split(".")[1] not in caplog.text


def test_the_pages_checks_of_a_form_do_not_stand_before_the_api(call: Call, ada: User) -> None:
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    assert call("POST", "keys/", {"name": "x"}, client=strict, credential=token_of(ada)).status_code == 201
