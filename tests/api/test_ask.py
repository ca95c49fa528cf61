"""Asking through the API: the pages' own verbs, one effect a key, and a limit that says what a program can act on."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiKey, User
from chat.models import Conversation, Generation, Message
from providers.models import LanguageModel
from tests.api.conftest import Call, key_of, own_queries, problem, token_of
from tests.chat import scene
from tests.chat.scene import Hands
from tests.usage import making
from usage.models import Invocation, LedgerEntry, Reservation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("a_worker_in_this_connection")]
NO_WAIT = {"wait": 0}


@pytest.fixture
def gpt(db: None) -> LanguageModel:
    return scene.model("gpt")


@pytest.fixture
def key(ada: User) -> str:
    return key_of(ada)


def test_a_question_is_taken_and_the_address_of_its_answer_told(
    call: Call, ada: User, key: str, gpt: LanguageModel
) -> None:
    answer = call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key)
    found, row = answer.json(), Generation.objects.get()
    assert answer.status_code == 202
    assert answer["Location"] == f"/api/v1/generations/{row.uuid}/"
    assert (found["id"], found["state"], found["ended"], found["text"]) == (str(row.uuid), "queued", False, "")
    assert found["question"] == str(Message.objects.get(role="user").uuid)
    assert (row.source, row.key, row.user) == ("api", ApiKey.objects.get().uuid, ada)
    assert Reservation.objects.get().key == row.key


def test_a_repeat_gets_the_same_rows_and_another_text_under_its_key_is_refused(
    call: Call, key: str, gpt: LanguageModel
) -> None:
    once = {"headers": {"Idempotency-Key": "Größe 1"}, "credential": key}
    first, again = [call("POST", "ask/", {"text": "Why?", **NO_WAIT}, **once).json() for _ in range(2)]
    assert first == again
    problem(call("POST", "ask/", {"text": "How?", **NO_WAIT}, **once), 422, "client_id_reused")
    assert Generation.objects.count() == 1
    long = {"headers": {"Idempotency-Key": "k" * 201}, "credential": key}
    problem(call("POST", "ask/", {"text": "Why?", **NO_WAIT}, **long), 400, "bad_idempotency_key")


def test_what_was_written_so_far_is_read_from_where_the_reader_stands(call: Call, key: str, gpt: LanguageModel) -> None:
    row = call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key).json()["id"]
    hands = Hands()
    (taken,) = hands.take()
    assert hands.show(taken, "Because ", "of 猫.")
    whole = call("GET", f"generations/{row}/", credential=key).json()
    assert (whole["state"], whole["text"], whole["next_after"]) == ("streaming", "Because of 猫.", 13)
    rest = call("GET", f"generations/{row}/?after=8", credential=key).json()
    assert (rest["text"], rest["next_after"]) == ("of 猫.", 13)
    assert call("GET", f"generations/{row}/?after=13", credential=key).json()["text"] == ""
    assert hands.end(taken, text="Because of 猫.")
    over = call("GET", f"generations/{row}/?after=99", credential=key).json()
    assert (over["state"], over["ended"], over["text"], over["next_after"]) == ("done", True, "", 99)
    assert over["usage"] == {"input_tokens": 10, "output_tokens": 3, "estimated": False}
    assert LedgerEntry.objects.get().source == "api"


def test_a_question_is_stopped_and_a_repeat_does_nothing(call: Call, key: str, gpt: LanguageModel) -> None:
    row = call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key).json()["id"]
    for _ in range(2):
        answer = call("POST", f"generations/{row}/cancel/", credential=key)
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")


@pytest.mark.parametrize("conversations", [1, 3])
def test_conversations_are_listed_renamed_thrown_away_and_taken_back(
    call: Call, ada: User, key: str, gpt: LanguageModel, conversations: int
) -> None:
    for n in range(conversations):
        scene.answered(ada, f"Question {n}")
    call("GET", "conversations/", credential=key)  # statements are built once
    with CaptureQueriesContext(connection) as asked:
        items = call("GET", "conversations/", credential=key).json()["items"]
    assert len(own_queries(asked)) == 3, own_queries(asked)  # the key, the organisation, the list
    assert [item["title"] for item in items] == [f"Question {n}" for n in reversed(range(conversations))]
    one = f"conversations/{items[0]['id']}/"
    renamed = call("PATCH", one, {"title": " Cats "}, credential=key).json()
    assert (renamed["title"], renamed["model"]) == ("Cats", "gpt")
    problem(call("PATCH", one, {"title": " "}, credential=key), 422, "empty")
    for _ in range(2):
        assert call("DELETE", one, credential=key).status_code == 204
    problem(call("GET", one, credential=key), 404, "not_found")
    binned = call("GET", "conversations/?bin=true", credential=key).json()["items"]
    assert [item["title"] for item in binned] == ["Cats"]
    for _ in range(2):
        assert call("POST", f"{one}restore/", credential=key).json()["deleted_at"] is None
    assert call("GET", one, credential=key).json()["title"] == "Cats"


def test_pages_of_conversations_follow_a_cursor(call: Call, ada: User, key: str, gpt: LanguageModel) -> None:
    for n in range(3):
        scene.answered(ada, f"Question {n}")
    first = call("GET", "conversations/?limit=2", credential=key).json()
    rest = call("GET", f"conversations/?limit=2&cursor={first['next_cursor']}", credential=key).json()
    assert [item["title"] for item in first["items"]] == ["Question 2", "Question 1"]
    assert ([item["title"] for item in rest["items"]], rest["next_cursor"]) == (["Question 0"], None)
    problem(call("GET", "conversations/?limit=101", credential=key), 400, "invalid")


@pytest.mark.parametrize("turns", [1, 3])
def test_messages_are_read_as_a_path_and_asked_on(
    call: Call, ada: User, key: str, gpt: LanguageModel, turns: int
) -> None:
    sent = scene.answered(ada, "Question 0")
    for n in range(1, turns):
        scene.ask(ada, f"Question {n}", conversation=Conversation.objects.get())
        hands = Hands()
        (taken,) = hands.take()
        hands.end(taken)
    home = f"conversations/{sent.conversation.uuid}/messages/"
    call("GET", home, credential=key)
    with CaptureQueriesContext(connection) as asked:
        found = call("GET", home, credential=key).json()
    assert len(own_queries(asked)) == 6, own_queries(asked)
    assert [item["text"] for item in found["items"]] == [
        text for n in range(turns) for text in (f"Question {n}", "Because.")
    ]
    assert found["items"][0]["parent"] is None and not found["has_older"]
    assert [item["parent"] for item in found["items"][1:]] == [item["id"] for item in found["items"][:-1]]
    assert found["items"][1]["generation"]["state"] == "done"
    version = Conversation.objects.get().version
    problem(call("POST", home, {"text": "And?", "version": version - 1}, credential=key), 409, "moved_on")
    answer = call("POST", home, {"text": "And?", "version": version}, credential=key)
    assert (answer.status_code, answer.json()["conversation"]) == (202, str(sent.conversation.uuid))
    busy = problem_with(call("POST", home, {"text": "More"}, credential=key), 409, "busy")
    assert busy["generation_id"] == answer.json()["id"]


def problem_with(answer: Any, status: int, code: str) -> Any:
    """A problem that has members of its own."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    found = answer.json()
    assert (found["code"], found["status"]) == (code, status) and found["detail"]
    return found


def test_an_answer_is_asked_for_again_in_every_way(call: Call, ada: User, key: str, gpt: LanguageModel) -> None:
    sent = scene.answered(ada)
    question, answer = sent.question, sent.answer
    assert question is not None

    def again(path: str, body: Any) -> Any:
        found = call("POST", f"messages/{path}/", body, credential=key)
        assert found.status_code == 202, found.content
        call("POST", f"generations/{found.json()['id']}/cancel/", credential=key)
        return found.json()

    assert again(f"{question.uuid}/edit", {"text": "How?"})["question"] != str(question.uuid)
    beside = again(f"{answer.uuid}/regenerate", {"model": "gpt"})
    assert beside["message"] != str(answer.uuid)
    assert again(f"{answer.uuid}/continue", {})["message"] == str(answer.uuid)
    assert again(f"{beside['message']}/retry", {})["message"] == beside["message"]
    problem(call("POST", f"messages/{answer.uuid}/edit/", {"text": "x"}, credential=key), 422, "not_a_question")
    problem(call("POST", f"messages/{answer.uuid}/retry/", {"text": "x"}, credential=key), 400, "invalid")


def test_a_key_of_one_model_asks_no_other_whatever_the_conversation_or_a_limit_says(
    call: Call, ada: User, gpt: LanguageModel
) -> None:
    cheap = scene.model("cheap")
    key = key_of(ada, models=["cheap"])
    assert [item["id"] for item in call("GET", "models/", credential=key).json()["items"]] == ["cheap"]
    problem(call("POST", "ask/", {"text": "Why?", "model": "gpt", **NO_WAIT}, credential=key), 422, "no_model")
    sent = scene.answered(ada)  # by gpt, on the page
    body = {"text": "And?", "conversation": str(sent.conversation.uuid), **NO_WAIT}
    assert call("POST", "ask/", body, credential=key).json()["model"] == "cheap"
    making.limit(0, scope="person", subject=ada, models=[cheap.uuid], at_limit="switch", switch_to=gpt.uuid)
    problem_with(call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key), 429, "limit_reached")


def test_a_limit_says_which_how_much_and_when_it_returns(call: Call, ada: User, key: str, gpt: LanguageModel) -> None:
    making.in_zone("UTC")
    quota = making.limit(1, scope="person", subject=ada)
    scene.answered(ada)
    answer = call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key)
    found = problem_with(answer, 429, "limit_reached")
    about = {name: found[name] for name in ("quota", "scope", "unit", "period", "used", "held", "limit")}
    assert about == {
        "quota": str(quota.uuid), "scope": "person", "unit": "requests", "period": "day", "used": 1, "held": 0, "limit": 1,
    }  # fmt: skip
    assert 0 < int(answer["Retry-After"]) <= 24 * 3600
    assert answer.get("x-should-retry") == ("false" if int(answer["Retry-After"]) > 60 else None)
    assert found["resets_at"].endswith("00:00:00Z")
    row = Invocation.every.get(request_id=found["request_id"])
    assert (row.outcome, row.source, row.error_kind, row.key) == (
        "refused",
        "api",
        "limit_reached",
        ApiKey.objects.get().uuid,
    )
    assert Generation.objects.count() == 1


def test_what_only_running_answers_hold_is_worth_a_short_wait(
    call: Call, ada: User, key: str, gpt: LanguageModel
) -> None:
    making.limit(1, scope="person", subject=ada)
    scene.ask(ada)
    answer = call("POST", "ask/", {"text": "Why?", **NO_WAIT}, credential=key)
    found = problem_with(answer, 429, "limit_reached")
    assert (found["used"], found["held"]) == (0, 1)
    assert (answer["Retry-After"], answer.get("x-should-retry")) == ("10", None)


def test_every_answer_says_how_often_may_still_be_asked(call: Call, ada: User, key: str) -> None:
    answers = [call("GET", "me/", credential=key) for _ in range(2)] + [call("GET", "nothing/", credential=key)]
    assert [answer.get("X-RateLimit-Limit") for answer in answers] == ["300", "300", None]
    left = [int(answer["X-RateLimit-Remaining"]) for answer in answers[:2]]
    assert left == [299, 298]
    assert all(1 <= int(answer["X-RateLimit-Reset"]) <= 60 for answer in answers[:2])


def test_house_rules_stop_a_person_and_no_key(call: Call, ada: User, key: str, gpt: LanguageModel) -> None:
    making.in_zone("UTC")
    organisation = ada.__class__._meta.apps.get_model("accounts", "Organisation")
    organisation.objects.update(house_rules="Be kind.")
    body = {"text": "Why?", **NO_WAIT}
    problem(call("POST", "ask/", body, credential=token_of(ada)), 403, "house_rules")
    assert call("POST", "ask/", body, credential=key).status_code == 202


def test_strangers_and_teammates_find_nothing(call: Call, ada: User, gpt: LanguageModel) -> None:
    sent = scene.answered(ada)
    eve, dan = scene.person("eve"), scene.person("dan")
    making.team("Sales", ada, dan)
    places = [
        ("GET", f"generations/{sent.generation.uuid}/"),
        ("POST", f"generations/{sent.generation.uuid}/cancel/"),
        ("GET", f"conversations/{sent.conversation.uuid}/"),
        ("DELETE", f"conversations/{sent.conversation.uuid}/"),
        ("POST", f"conversations/{sent.conversation.uuid}/restore/"),
        ("GET", f"conversations/{sent.conversation.uuid}/messages/"),
        ("POST", f"messages/{sent.answer.uuid}/regenerate/"),
    ]
    for other in (eve, dan):
        secret = key_of(other)
        for method, path in places:
            problem(call(method, path, {} if method == "POST" else None, credential=secret), 404, "not_found")
        body = {"text": "x", "conversation": str(sent.conversation.uuid), **NO_WAIT}
        problem(call("POST", "ask/", body, credential=secret), 404, "not_found")
        assert call("GET", "conversations/", credential=secret).json()["items"] == []
    assert call("GET", places[0][1], credential=key_of(ada)).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"text": ["x"]}, {"text": "x", "wait": 56}, {"text": "x", "wait": "soon"}, {"text": "x", "n": 2}, []]
)
def test_bodies_that_can_not_be_taken_change_nothing(call: Call, key: str, gpt: LanguageModel, body: Any) -> None:
    problem(call("POST", "ask/", body, credential=key), 400, "invalid")
    problem(call("POST", "ask/", {"text": "  ", **NO_WAIT}, credential=key), 422, "empty")
    problem(call("GET", f"generations/{uuid.uuid4()}/?after=-1", credential=key), 400, "invalid")
    assert not Generation.objects.exists()
