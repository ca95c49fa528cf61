"""The verbs before the queue: what they write, what they refuse, and that a repeat or a race writes nothing twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.conf import LazySettings
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts import clock
from accounts.models import Organisation, User
from chat import endings, messages
from chat.models import Conversation, Generation, Message
from chat.recovery import leaked_holds, overdue
from providers.models import LanguageModel
from tests.chat import scene
from tests.chat.scene import Hands, State, answered, ask, new_id
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db
Verb = Callable[..., messages.Sent]


def refusal(call: Callable[[], object]) -> messages.Refused:
    with pytest.raises(messages.Refused) as caught:
        call()
    return caught.value


def stored() -> tuple[int, ...]:
    rows = (Conversation, Message, Generation, Reservation)
    return tuple(model.objects.count() for model in rows)


def test_a_send_writes_question_answer_job_and_hold_and_moves_the_leaf(ada: User, gpt: LanguageModel) -> None:
    sent = messages.send(ada, text="Why is the sky blue?", client_id="client-0001")
    assert stored() == (1, 2, 1, 1)
    home = Conversation.objects.get()
    assert (home.user, home.leaf, home.version, home.model) == (ada, sent.answer, 1, gpt)
    assert home.title == "Why is the sky blue?"
    assert sent.question is not None
    assert (sent.question.text, sent.question.depth, sent.question.parent) == ("Why is the sky blue?", 0, None)
    assert (sent.answer.text, sent.answer.depth, sent.answer.parent) == ("", 1, sent.question)
    assert (sent.generation.state, sent.generation.attempt, sent.generation.start_offset) == (State.QUEUED, 0, 0)
    hold = Reservation.objects.get()
    assert (hold.request_id, hold.state, hold.person) == (sent.generation.uuid, "held", ada.uuid)
    assert sent.generation.request["most"] == {"input": hold.input_tokens, "output": hold.output_tokens}
    # the question and the instructions with a margin, and the usual answer: nothing like the whole window
    assert (hold.input_tokens < 100, hold.output_tokens, hold.tokens) == (True, 4_096, hold.input_tokens + 4_096)


@pytest.mark.django_db(transaction=True)
def test_the_bell_rings_once_the_rows_are_committed(ada: User, rings: list[str]) -> None:
    ask(ada)
    assert rings == ["ring"]


def test_a_follow_up_stands_under_the_leaf(ada: User) -> None:
    first = answered(ada)
    second = ask(ada, "And why?", conversation=first.conversation)
    assert second.question is not None
    assert (second.question.parent, second.question.depth) == (first.answer, 2)
    assert Conversation.objects.get().leaf == second.answer
    assert Conversation.objects.get().version == 2


def test_a_repeat_answers_with_the_same_rows(ada: User) -> None:
    first = messages.send(ada, text="Why?", client_id="client-0001")
    again = messages.send(ada, text="Why?", client_id="client-0001")
    assert (first.repeated, again.repeated) == (False, True)
    assert (again.generation, again.answer, again.question) == (first.generation, first.answer, first.question)
    assert stored() == (1, 2, 1, 1)


def test_the_same_client_id_with_another_text_is_refused_and_another_persons_is_not(ada: User, bob: User) -> None:
    messages.send(ada, text="Why?", client_id="client-0001")
    refused = refusal(lambda: messages.send(ada, text="How?", client_id="client-0001"))
    assert (refused.status, refused.code) == (422, "client_id_reused")
    assert not messages.send(bob, text="How?", client_id="client-0001").repeated
    assert stored() == (2, 4, 2, 2)


def test_a_second_send_while_one_is_answered_names_the_active_one(ada: User) -> None:
    first = ask(ada)
    refused = refusal(lambda: ask(ada, "And?", conversation=first.conversation))
    assert (refused.status, refused.code) == (409, "busy")
    assert refused.extra == {"generation_id": str(first.generation.uuid)}
    assert stored() == (1, 2, 1, 1)


def test_a_stale_tab_is_told_that_the_conversation_moved_on(ada: User) -> None:
    first = answered(ada)
    home = first.conversation
    refused = refusal(
        lambda: messages.send(ada, text="And?", client_id=new_id(), conversation=home, version=home.version - 1)
    )
    assert (refused.status, refused.code) == (409, "moved_on")
    assert not messages.send(ada, text="And?", client_id=new_id(), conversation=home, version=home.version).repeated


def test_a_send_that_read_an_old_leaf_goes_to_the_new_one(ada: User) -> None:
    first = answered(ada)
    stale = Conversation.objects.select_related("leaf").get()
    other = ask(ada, "Second", conversation=first.conversation)
    finish_all()
    third = ask(ada, "Third", conversation=stale)
    assert third.question is not None
    assert third.question.parent == other.answer


def finish_all() -> None:
    hands = Hands()
    for generation in hands.take(places=50):
        hands.end(generation)


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("", 422, "empty"),
        (" \n\t", 422, "empty"),
        ("a\x00b", 400, "bad_text"),
        ("a\ud800b", 400, "bad_text"),
        ("x" * 200_001, 413, "too_long"),
    ],
)
def test_a_text_that_cannot_be_asked_is_refused_and_nothing_is_stored(
    ada: User, text: str, status: int, code: str
) -> None:
    refused = refusal(lambda: ask(ada, text))
    assert (refused.status, refused.code) == (status, code)
    assert refused.message
    assert stored() == (0, 0, 0, 0)


@pytest.mark.parametrize("client_id", ["", "short", "x" * 65, "with space", "quote'quote", "é" * 10, "line\nbreak1"])
def test_a_client_id_of_another_shape_is_refused(ada: User, client_id: str) -> None:
    refused = refusal(lambda: messages.send(ada, text="Why?", client_id=client_id))
    assert (refused.status, refused.code) == (422, "bad_client_id")


def test_without_a_model_the_question_is_refused_and_a_lost_model_falls_back_to_the_default(
    ada: User, gpt: LanguageModel
) -> None:
    other = scene.model("other")
    sent = messages.send(ada, text="Why?", client_id=new_id(), model=other)
    finish_all()
    LanguageModel.objects.filter(pk=other.pk).update(enabled=False)
    sent.conversation.refresh_from_db()
    assert ask(ada, conversation=sent.conversation).generation.model == gpt
    assert refusal(lambda: messages.send(ada, text="Why?", client_id=new_id(), model=other)).code == "no_model"
    LanguageModel.objects.update(enabled=False)
    assert refusal(lambda: ask(ada)).code == "no_model"


def test_regenerate_writes_a_sibling_and_keeps_the_old_answer(ada: User) -> None:
    first = answered(ada)
    again = messages.regenerate(ada, message=first.answer, client_id=new_id())
    assert again.answer.parent == first.question
    assert again.answer.depth == first.answer.depth
    assert again.answer != first.answer
    assert Conversation.objects.get().leaf == again.answer
    first.answer.refresh_from_db()
    assert first.answer.text == "Because."


def test_edit_writes_a_sibling_question_with_an_answer_of_its_own(ada: User) -> None:
    first = answered(ada)
    second = ask(ada, "And?", conversation=first.conversation)
    finish_all()
    assert second.question is not None
    edited = messages.edit(ada, message=second.question, text="But?", client_id=new_id())
    assert edited.question is not None
    assert (edited.question.parent, edited.question.depth, edited.question.text) == (first.answer, 2, "But?")
    assert Conversation.objects.get().leaf == edited.answer
    assert Message.objects.count() == 6
    assert refusal(lambda: messages.edit(ada, message=first.answer, text="x", client_id=new_id())).status == 422


def test_continue_writes_on_where_the_answer_stopped(ada: User) -> None:
    first = answered(ada, state=State.INTERRUPTED, reply="Be")
    more = messages.continue_(ada, message=first.answer, client_id=new_id())
    assert (more.answer, more.generation.start_offset) == (first.answer, 2)
    assert more.generation != first.generation
    assert Message.objects.count() == 2


def test_a_continue_that_read_the_answer_before_it_ended_writes_over_nothing(ada: User) -> None:
    sent = ask(ada)
    stale = Message.objects.select_related("conversation").get(pk=sent.answer.pk)
    finish_all()
    refused = refusal(lambda: messages.continue_(ada, message=stale, client_id=new_id()))
    assert refused.code == "moved_on"
    assert Generation.objects.count() == 1


def test_retry_tries_the_same_empty_answer_again_and_a_written_one_beside_it(ada: User) -> None:
    failed = answered(ada, state=State.FAILED, reply="")
    again = messages.retry(ada, message=failed.answer, client_id=new_id())
    assert (again.answer, again.generation.start_offset) == (failed.answer, 0)
    finish_all()
    again.answer.refresh_from_db()
    beside = messages.retry(ada, message=again.answer, client_id=new_id())
    assert beside.answer != again.answer
    assert beside.answer.parent == again.answer.parent


def test_a_retry_that_is_repeated_after_its_answer_came_is_still_the_same(ada: User) -> None:
    failed = answered(ada, state=State.FAILED, reply="")
    first = messages.retry(ada, message=failed.answer, client_id="client-0001")
    finish_all()
    now = Message.objects.get(pk=failed.answer.pk)
    again = messages.retry(ada, message=now, client_id="client-0001")
    assert (again.repeated, again.generation) == (True, first.generation)


@pytest.mark.parametrize("verb", [messages.regenerate, messages.continue_, messages.retry])
def test_verbs_on_answers_refuse_questions_and_busy_conversations(ada: User, verb: Verb) -> None:
    first = ask(ada)
    refused = refusal(lambda: verb(ada, message=first.question, client_id=new_id()))
    assert (refused.status, refused.code) == (422, "not_an_answer")
    assert refusal(lambda: verb(ada, message=first.answer, client_id=new_id())).code == "busy"


def test_cancelling_a_queued_question_ends_it_at_once_and_a_repeat_is_harmless(ada: User) -> None:
    sent = ask(ada)
    for _ in range(3):
        messages.cancel(ada, generation=sent.generation)
    sent.generation.refresh_from_db()
    assert sent.generation.state == State.CANCELLED
    assert Reservation.objects.get().state == "released"
    assert Invocation.objects.get().outcome == "cancelled"
    assert not ask(ada, conversation=sent.conversation).repeated


def test_cancelling_a_running_answer_tells_its_worker_and_an_ended_one_is_left_alone(ada: User) -> None:
    sent = ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    messages.cancel(ada, generation=sent.generation)
    first = Generation.objects.get()
    assert (first.state, first.cancel_requested_at is None) == (State.RUNNING, False)
    messages.cancel(ada, generation=sent.generation)
    assert Generation.objects.get().cancel_requested_at == first.cancel_requested_at
    assert hands.end(taken)
    messages.cancel(ada, generation=sent.generation)
    assert Generation.objects.get().state == State.DONE


def test_a_cancel_that_meets_a_claim_or_a_return_to_the_queue_is_not_lost(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = ask(ada)
    real = endings.cancel_queued
    looks: list[int] = []

    def taken_first(pk: int, *, now: dt.datetime) -> bool:
        looks.append(pk)
        if len(looks) == 1:
            return False  # as if a worker held it just then and gave it back a moment later
        return real(pk, now=now)

    monkeypatch.setattr(endings, "cancel_queued", taken_first)
    messages.cancel(ada, generation=sent.generation)
    assert Generation.objects.get().state == State.CANCELLED


def test_a_send_costs_a_fixed_number_of_statements(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    asks_for_the_time = int(connection.vendor == "postgresql")  # two of the others are the test's own savepoint
    Organisation.get()
    with django_assert_num_queries(11 + asks_for_the_time):  # one looks which limits apply
        sent = ask(ada)
    finish_all()
    with django_assert_num_queries(11 + asks_for_the_time):
        ask(ada, conversation=sent.conversation)


@pytest.mark.django_db(transaction=True)
def test_twenty_sends_at_once_with_one_client_id_make_one_generation(ada: User) -> None:
    def call() -> messages.Sent:
        return messages.send(User.objects.get(pk=ada.pk), text="Why?", client_id="client-0001")

    results = scene.at_once(*[call] * 20)
    sent = [r for r in results if isinstance(r, messages.Sent)]
    assert len(sent) == 20, results
    assert len({s.generation.pk for s in sent}) == 1
    assert sum(not s.repeated for s in sent) == 1
    assert stored() == (1, 2, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_twenty_different_sends_at_once_in_one_conversation_make_one_and_refuse_the_others(ada: User) -> None:
    home = answered(ada).conversation

    def call() -> messages.Sent:
        return ask(User.objects.get(pk=ada.pk), new_id(), conversation=Conversation.objects.get(pk=home.pk))

    results = scene.at_once(*[call] * 20)
    (winner,) = [r for r in results if isinstance(r, messages.Sent)]
    refused = [r for r in results if isinstance(r, messages.Refused)]
    assert len(refused) == 19, results
    assert {(r.code, r.extra["generation_id"]) for r in refused} == {("busy", str(winner.generation.uuid))}
    assert stored() == (1, 4, 2, 2)


@pytest.mark.django_db(transaction=True)
def test_without_the_unique_index_two_sends_at_once_would_both_be_active(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = answered(ada).conversation
    monkeypatch.setattr(messages, "_refuse_if_busy", lambda conversation: None)
    results = scene.at_once(
        *[lambda: ask(User.objects.get(pk=ada.pk), new_id(), conversation=Conversation.objects.get(pk=home.pk))] * 5
    )
    # The look before is only a courtesy: without it the index still lets one through.
    assert sum(isinstance(r, messages.Sent) for r in results) == 1, results


def test_a_question_that_was_never_taken_ends_at_its_deadline(ada: User, settings: LazySettings) -> None:
    settings.DEADLINE_S = -1
    sent = ask(ada)
    assert overdue(now=clock.now()) == 1
    sent.generation.refresh_from_db()
    assert (sent.generation.state, sent.generation.error_kind) == (State.FAILED, "deadline")
    assert leaked_holds(now=clock.now()) == 0
