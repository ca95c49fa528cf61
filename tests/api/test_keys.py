"""API keys over HTTP: what is answered, what a repeat does, and whose keys somebody sees."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import api_keys
from accounts.models import ApiKey, AuditEvent, Organisation, User
from tests.accounts.programs import ADDRESS, ago
from tests.api.conftest import Call, key_of, own_queries, problem, token_of

pytestmark = pytest.mark.django_db
SHOWN = {
    "id", "name", "prefix", "state", "scopes", "models", "allowed_ips", "created_at", "expires_at", "last_used_at", "revoked_at",
    "replaced_by", "owner",
}  # fmt: skip


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob@example.com", name="Bob")


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com")


def test_making_a_key_shows_its_secret_once(call: Call, ada: User) -> None:
    token = token_of(ada)
    answer = call("POST", "keys/", {"name": "editor"}, credential=token)
    assert answer.status_code == 201
    made = answer.json()
    assert made.keys() == SHOWN | {"key"}
    assert made["key"].startswith(made["prefix"])
    assert (made["scopes"], made["models"], made["expires_at"], made["state"]) == (
        ["chat", "models"],
        [],
        None,
        "active",
    )
    assert answer["Location"] == f"/api/v1/keys/{made['id']}/"
    for path in ("keys/", answer["Location"]):
        shown = call("GET", path, credential=token)
        assert shown.status_code == 200
        assert made["key"] not in shown.content.decode()
    assert shown.json().keys() == SHOWN
    assert call("GET", "me/", credential=made["key"]).json()["credential"]["key"]["id"] == made["id"]


def test_everything_can_be_chosen(call: Call, ada: User, program: User) -> None:
    body = {
        "name": "Report",
        "scopes": ["usage"],
        "models": [],
        "expires_at": "2027-06-01T00:00:00",
        "allowed_ips": ["10.0.0.0/8"],
        "service_account": str(program.uuid),
    }
    made = call("POST", "keys/", body, credential=token_of(ada)).json()
    assert (made["scopes"], made["allowed_ips"], made["expires_at"]) == (
        ["usage"],
        ["10.0.0.0/8"],
        "2027-06-01T00:00:00Z",
    )
    assert made["owner"] == {"id": str(program.uuid), "email": "", "name": "Report", "is_service": True}


def test_a_repeat_makes_another_key(call: Call, ada: User) -> None:
    token = token_of(ada)
    made = [call("POST", "keys/", {"name": "editor"}, credential=token).json() for _ in range(2)]
    assert len({key["key"] for key in made}) == 2


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid", "name"),
        ({"name": None}, "invalid", "name"),
        ({"name": ["x"]}, "invalid", "name"),
        ({"name": "a\x00b"}, "invalid", "name"),
        ({"name": "a\ud800b"}, "malformed_json", ""),
        ({"name": "x" * 81}, "bad_name", "name"),
        ({"name": "x", "scopes": "chat"}, "invalid", "scopes"),
        ({"name": "x", "scopes": [{"a": 1}]}, "invalid", "scopes.0"),
        ({"name": "x", "scopes": ["*"]}, "unknown_scope", "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "scope_refused", "scopes"),
        ({"name": "x", "models": ["none"]}, "unknown_model", "models"),
        ({"name": "x", "expires_at": "tomorrow"}, "invalid", "expires_at"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "bad_expiry", "expires_at"),
        ({"name": "x", "allowed_ips": ["office"]}, "bad_address", "allowed_ips"),
        ({"name": "x", "service_account": "none"}, "invalid", "service_account"),
        ({"name": "x", "service_account": str(uuid.uuid4())}, "invalid", "service_account"),
        ({"name": "x", "user": 1}, "invalid", "user"),
        ({"name": "x", "id": str(uuid.uuid4())}, "invalid", "id"),
        ({"name": "x", "digest": "a" * 64}, "invalid", "digest"),
        ([], "invalid", "non_field_errors"),
        (b'"text"', "invalid", "non_field_errors"),
        (None, "invalid", "name"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(call: Call, ada: User, body: Any, code: str, field: str) -> None:
    found = problem(call("POST", "keys/", body, credential=token_of(ada)), 400, code)
    assert list(found.get("errors", {"": 0})) == [field]
    assert ApiKey.objects.count() == 0


def test_nobody_makes_a_key_for_somebody_else_or_for_a_strangers_program(
    call: Call, ada: User, bob: User, program: User
) -> None:
    token = token_of(bob)
    for account in (ada, program):
        body = {"name": "x", "service_account": str(account.uuid)}
        assert problem(call("POST", "keys/", body, credential=token), 400, "invalid")["errors"].keys() == {
            "service_account"
        }
    assert ApiKey.objects.count() == 0


# --- a key and keys ----------------------------------------------------------------------------------------------------


def test_a_key_lists_and_revokes_but_makes_and_rolls_none(call: Call, ada: User) -> None:
    secret = key_of(ada, scopes=["keys"])
    other = api_keys.make(ada, name="other", scopes=["chat"])[0]
    assert call("GET", "keys/", credential=secret).json()["count"] == 2
    problem(call("POST", "keys/", {"name": "x"}, credential=secret), 403, "key_makes_no_keys")
    problem(call("POST", f"keys/{other.uuid}/roll/", {"keep_hours": 1}, credential=secret), 403, "key_makes_no_keys")
    assert call("DELETE", f"keys/{other.uuid}/", credential=secret).status_code == 204
    (event,) = AuditEvent.objects.filter(action="key.revoked")
    assert event.actor_kind == "key"
    assert ApiKey.objects.count() == 2


def test_a_key_may_end_itself(call: Call, ada: User) -> None:
    secret = key_of(ada, scopes=["keys"])
    own = call("GET", "me/", credential=secret).json()["credential"]["key"]["id"]
    assert call("DELETE", f"keys/{own}/", credential=secret).status_code == 204
    problem(call("GET", "me/", credential=secret), 401, "invalid_key")


@pytest.mark.parametrize("path", ["keys/", "keys/{id}/", "keys/{id}/roll/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_without_the_scope_nothing_about_keys_is_open(call: Call, ada: User, path: str, method: str) -> None:
    key, secret = api_keys.make(ada, name="narrow", scopes=["chat", "models", "usage", "profile"])
    answer = call(method, path.format(id=key.uuid), {"name": "x", "keep_hours": 1}, credential=secret)
    problem(answer, *((403, "forbidden") if answer.status_code != 405 else (405, "method_not_allowed")))


# --- whose -------------------------------------------------------------------------------------------------------------


def test_a_strangers_key_looks_like_one_that_does_not_exist(call: Call, ada: User, bob: User) -> None:
    key = api_keys.make(ada, name="hers", scopes=["chat"])[0]
    token = token_of(bob)
    for method, tail, body in (("GET", "", None), ("DELETE", "", None), ("POST", "roll/", {"keep_hours": 0})):
        answers = [
            problem(call(method, f"keys/{number}/{tail}", body, credential=token), 404, "not_found")
            for number in (key.uuid, uuid.uuid4())
        ]
        assert {name: answers[0][name] for name in ("title", "detail")} == {
            name: answers[1][name] for name in ("title", "detail")
        }
    assert call("GET", "keys/", credential=token).json()["count"] == 0
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_programs_owner_sees_and_revokes_its_keys(call: Call, ada: User, program: User) -> None:
    key = api_keys.make(program, name="nightly", scopes=["chat"], by=ada)[0]
    token = token_of(ada)
    assert [row["name"] for row in call("GET", "keys/", credential=token).json()["items"]] == ["nightly"]
    assert call("DELETE", f"keys/{key.uuid}/", credential=token).status_code == 204


def test_everybodys_keys_take_the_scope_and_the_right(call: Call, ada: User, bob: User, root: User) -> None:
    key = api_keys.make(ada, name="hers", scopes=["chat"])[0]
    helper = User.objects.create_user("staff@example.com", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_apikey", "delete_apikey"]))
    powerless = User.objects.create_user("powerless@example.com", is_staff=True)
    narrow = key_of(root, scopes=["keys"])
    for credential in (token_of(bob), token_of(powerless), narrow, key_of(powerless, scopes=["keys", "admin"])):
        problem(call("GET", "keys/?everyone=true", credential=credential), 403, "forbidden")
        problem(call("DELETE", f"keys/{key.uuid}/", credential=credential), 404, "not_found")
    for credential in (token_of(root), token_of(helper), key_of(root, scopes=["keys", "admin"])):
        names = [row["name"] for row in call("GET", "keys/?everyone=true", credential=credential).json()["items"]]
        assert "hers" in names
        assert "hers" not in [row["name"] for row in call("GET", "keys/", credential=credential).json()["items"]]
        assert call("DELETE", f"keys/{key.uuid}/", credential=credential).status_code == 204
    key.refresh_from_db()
    assert key.revoked_by == root


def test_staff_see_but_do_not_end_an_administrators_key(call: Call, root: User) -> None:
    key = api_keys.make(root, name="root's", scopes=["chat"])[0]
    helper = User.objects.create_user("staff@example.com", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_apikey", "delete_apikey"]))
    token = token_of(helper)
    assert call("GET", f"keys/{key.uuid}/", credential=token).status_code == 200
    problem(call("DELETE", f"keys/{key.uuid}/", credential=token), 403, "forbidden")


# --- rolling and revoking ----------------------------------------------------------------------------------------------


def test_rolling_asks_how_long_the_old_one_lives(call: Call, ada: User) -> None:
    token = token_of(ada)
    made = call("POST", "keys/", {"name": "editor"}, credential=token).json()
    path = f"keys/{made['id']}/roll/"
    assert problem(call("POST", path, {}, credential=token), 400, "invalid")["errors"].keys() == {"keep_hours"}
    for hours in (-1, 169, "soon", None, 1.5):
        problem(call("POST", path, {"keep_hours": hours}, credential=token), 400, "invalid")
    answer = call("POST", path, {"keep_hours": 2}, credential=token)
    assert answer.status_code == 201
    new = answer.json()
    assert new["key"] != made["key"]
    old = call("GET", f"keys/{made['id']}/", credential=token).json()
    assert (old["state"], old["replaced_by"]) == ("ending", new["id"])
    for secret in (made["key"], new["key"]):
        assert call("GET", "me/", credential=secret).status_code == 200
    problem(call("POST", path, {"keep_hours": 2}, credential=token), 409, "not_living")
    assert ApiKey.objects.count() == 2


def test_revoking_twice_is_revoking_once(call: Call, ada: User) -> None:
    token = token_of(ada)
    key, secret = api_keys.make(ada, name="editor", scopes=["chat"])
    for _ in range(2):
        answer = call("DELETE", f"keys/{key.uuid}/", credential=token)
        assert (answer.status_code, answer.content) == (204, b"")
    problem(call("GET", "me/", credential=secret), 401, "invalid_key")
    assert call("GET", f"keys/{key.uuid}/", credential=token).json()["state"] == "revoked"
    assert AuditEvent.objects.filter(action="key.revoked").count() == 1


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_takes_the_same_queries_for_one_key_and_for_three(call: Call, ada: User, count: int) -> None:
    Organisation.get()
    for _ in range(count):
        key_of(ada)
    token = token_of(ada)
    call("GET", "keys/", credential=token)
    with CaptureQueriesContext(connection) as asked:
        assert call("GET", "keys/", credential=token).json()["count"] == count
    own = own_queries(asked)
    # sign-in with its person, organisation; how many keys, the keys, organisation
    assert len(own) == 5, own


def test_lists_come_in_pages(call: Call, ada: User) -> None:
    for number in range(3):
        key_of(ada, name=f"key {number}")
    token = token_of(ada)
    first = call("GET", "keys/?page_size=2", credential=token).json()
    assert ([row["name"] for row in first["items"]], first["count"], first["pages"]) == (["key 2", "key 1"], 3, 2)
    second = call("GET", "keys/?page_size=2&page=2", credential=token).json()
    assert [row["name"] for row in second["items"]] == ["key 0"]
    problem(call("GET", "keys/?page=3&page_size=2", credential=token), 404, "not_found")
    problem(call("GET", "keys/?page=x", credential=token), 404, "not_found")
    assert len(call("GET", "keys/?page_size=100000", credential=token).json()["items"]) == 3


def test_a_paused_key_says_so_in_the_list(call: Call, ada: User) -> None:
    key_of(ada)
    token = token_of(ada)
    User.objects.update(sso_at=ago(days=40))
    assert [row["state"] for row in call("GET", "keys/", credential=token).json()["items"]] == ["paused"]


# --- with the page's session -------------------------------------------------------------------------------------------


def test_a_session_writes_only_with_its_csrf_token(call: Call, ada: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert call("GET", "me/", client=browser).json()["credential"]["kind"] == "session"
    problem(call("POST", "keys/", {"name": "x"}, client=browser), 403, "csrf")
    browser.get("/me/")
    token = browser.cookies["csrftoken"].value
    assert call("POST", "keys/", {"name": "x"}, client=browser, headers={"x-csrftoken": token}).status_code == 201
    evil = {"x-csrftoken": token, "origin": "https://evil.example"}
    problem(call("POST", "keys/", {"name": "x"}, client=browser, headers=evil), 403, "csrf")
    assert ApiKey.objects.count() == 1


def test_a_cookie_beside_a_bad_header_lets_nobody_in(call: Call, ada: User) -> None:
    browser = Client()
    browser.force_login(ada)
    problem(call("GET", "me/", client=browser, credential="sk-" + "a" * 48), 401, "invalid_key")


def test_a_token_beside_somebody_elses_cookie_needs_no_csrf_token_and_decides_alone(
    call: Call, ada: User, bob: User
) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(bob)
    answer = call("POST", "keys/", {"name": "x"}, client=browser, credential=token_of(ada))
    assert answer.status_code == 201
    assert ApiKey.objects.get().user == ada


def test_from_which_address_a_key_was_used_is_noted(call: Call, ada: User) -> None:
    secret = key_of(ada)
    call("GET", "me/", credential=secret)
    assert ApiKey.objects.get().last_address == ADDRESS
