"""A repeat with the same Idempotency-Key has no second effect and gets the same answer; two writers do not write over each other."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import clock
from accounts.models import ApiKey, User
from api import repeats
from api.models import StoredAnswer
from chat.models import Conversation
from tests.accounts.programs import ADDRESS, bearer
from tests.api.conftest import Call, key_of, problem, token_of
from tests.chat import scene

pytestmark = pytest.mark.django_db
ONCE = {"Idempotency-Key": "one"}
WANTED = {"name": "Night", "scopes": ["usage"]}


@pytest.fixture
def token(ada: User) -> str:
    return token_of(ada)


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_make_one_key_and_all_get_its_secret(ada: User) -> None:
    headers = bearer(token_of(ada)) | {"idempotency-key": "one"}
    wanted: dict[str, Any] = {"content_type": "application/json", "headers": headers, "REMOTE_ADDR": ADDRESS}
    call = partial(Client().post, "/api/v1/keys/", json.dumps(WANTED), **wanted)
    answers: list[Any] = scene.at_once(*[call] * 20)
    assert [getattr(answer, "status_code", answer) for answer in answers] == [201] * 20
    (key,) = ApiKey.objects.filter(name="Night")
    assert {answer.json()["key"][:11] for answer in answers} == {key.prefix}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer["Location"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 19


@pytest.mark.django_db(transaction=True)
def test_without_the_key_twenty_at_once_make_twenty(ada: User) -> None:
    """The control."""
    wanted: dict[str, Any] = {
        "content_type": "application/json",
        "headers": bearer(token_of(ada)),
        "REMOTE_ADDR": ADDRESS,
    }
    scene.at_once(*[partial(Client().post, "/api/v1/keys/", json.dumps(WANTED), **wanted)] * 20)
    assert ApiKey.objects.filter(name="Night").count() == 20


def test_the_same_key_with_another_body_is_refused_and_nothing_is_done(call: Call, token: str) -> None:
    assert call("POST", "keys/", WANTED, credential=token, headers=ONCE).status_code == 201
    refused = call("POST", "keys/", WANTED | {"name": "Other"}, credential=token, headers=ONCE)
    problem(refused, 422, "client_id_reused")
    problem(call("PATCH", "me/", {"theme": "dark"}, credential=token, headers=ONCE), 422, "client_id_reused")
    assert [key.name for key in ApiKey.objects.all()] == ["Night"]
    long = {"Idempotency-Key": "k" * 201}
    problem(call("POST", "keys/", WANTED, credential=token, headers=long), 400, "bad_idempotency_key")


def test_what_was_refused_may_be_tried_again_under_the_same_key(call: Call, token: str) -> None:
    problem(call("POST", "keys/", WANTED | {"scopes": ["*"]}, credential=token, headers=ONCE), 400, "unknown_scope")
    assert not StoredAnswer.objects.exists()
    assert call("POST", "keys/", WANTED, credential=token, headers=ONCE).status_code == 201


def test_an_answer_is_kept_sealed_for_a_day_and_another_credential_does_not_get_it(
    call: Call, ada: User, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = call("POST", "keys/", WANTED, credential=token, headers=ONCE).json()
    row = StoredAnswer.objects.get()
    assert made["key"] not in row.body and "Night" not in row.body and row.status == 201
    leaked = key_of(ada, scopes=["keys"])
    problem(call("POST", "keys/", WANTED, credential=leaked, headers=ONCE), 403, "key_makes_no_keys")
    assert repeats.sweep(now=row.created_at + repeats.KEPT) == 0
    assert repeats.sweep(now=row.created_at + repeats.KEPT + dt.timedelta(seconds=1)) == 1
    assert call("POST", "keys/", WANTED, credential=token, headers=ONCE).json()["id"] != made["id"]
    StoredAnswer.objects.update(body="of another secret")
    problem(call("POST", "keys/", WANTED, credential=token, headers=ONCE), 409, "done_before")


def test_a_repeated_rename_does_not_undo_what_came_after(call: Call, ada: User) -> None:
    scene.model()
    home, key = scene.answered(ada).conversation, key_of(ada)
    path = f"conversations/{home.uuid}/"
    first = call("PATCH", path, {"title": "One"}, credential=key, headers=ONCE)
    assert call("PATCH", path, {"title": "Two"}, credential=key).json()["title"] == "Two"
    again = call("PATCH", path, {"title": "One"}, credential=key, headers=ONCE)
    assert (again.json(), again["ETag"], again["Idempotency-Replayed"]) == (first.json(), first["ETag"], "true")
    assert Conversation.objects.get().title == "Two"


def test_what_is_still_being_carried_out_is_not_done_twice_and_what_was_lost_is(
    call: Call, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.model()
    home, key = scene.answered(ada).conversation, key_of(ada)
    path = f"conversations/{home.uuid}/"
    monkeypatch.setattr(repeats, "PATIENCE_S", 0.0)
    assert call("DELETE", path, credential=key, headers=ONCE).status_code == 204
    assert call("POST", f"{path}restore/", credential=key).status_code == 200
    assert call("DELETE", path, credential=key, headers=ONCE).status_code == 204
    assert Conversation.objects.get().deleted_at is None  # the repeat did nothing
    StoredAnswer.objects.update(status=None)
    waits = call("DELETE", path, credential=key, headers=ONCE)
    problem(waits, 409, "in_progress")
    assert waits["Retry-After"] == "1"
    later = timezone.now() + repeats.LOST + dt.timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert call("DELETE", path, credential=key, headers=ONCE).status_code == 204
    assert Conversation.objects.get().deleted_at is not None
    assert StoredAnswer.objects.get().status == 204


def test_of_two_writers_the_second_is_told_that_it_was_changed_meanwhile(call: Call, ada: User) -> None:
    scene.model()
    home, key = scene.answered(ada).conversation, key_of(ada)
    path = f"conversations/{home.uuid}/"
    known = call("GET", path, credential=key)["ETag"]
    first = call("PATCH", path, {"title": "One"}, credential=key, headers={"If-Match": known})
    assert first.status_code == 200 and first["ETag"] != known
    for method, body in (("PATCH", {"title": "Two"}), ("DELETE", None)):
        late = call(method, path, body, credential=key, headers={"If-Match": known})
        assert (late.status_code, late.json()["code"], late.json()["etag"]) == (412, "changed", first["ETag"])
    assert Conversation.objects.get().title == "One"
    for condition in ("*", f'"x", {first["ETag"]}'):
        good = call("PATCH", path, {"title": "One"}, credential=key, headers={"If-Match": condition})
        assert good.status_code == 200
    mine = call("GET", "me/", credential=token_of(ada))
    other = call("PATCH", "me/", {"theme": "dark"}, credential=token_of(ada), headers={"If-Match": '"x"'})
    assert other.status_code == 412 and mine["ETag"] == other.json()["etag"]


@pytest.mark.django_db(transaction=True)
def test_of_eight_writers_who_mean_the_same_state_one_writes(ada: User) -> None:
    scene.model()
    home = scene.answered(ada).conversation
    path, key = f"/api/v1/conversations/{home.uuid}/", key_of(ada)
    known = Client().get(path, headers=bearer(key), REMOTE_ADDR=ADDRESS)["ETag"]
    headers = bearer(key) | {"if-match": known}

    def rename(number: int) -> int:
        body = json.dumps({"title": f"Title {number}"})
        return (
            Client()
            .patch(path, body, content_type="application/json", headers=headers, REMOTE_ADDR=ADDRESS)
            .status_code
        )

    assert sorted(map(str, scene.at_once(*[partial(rename, number) for number in range(8)]))) == ["200"] + ["412"] * 7
