"""How a generation ends: everything in one transaction, once, and only by whoever still holds it."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.conf import LazySettings
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import endings, messages
from chat.models import Conversation, Delta, Generation
from tests.chat import scene
from tests.chat.scene import Hands, State, answered, ask, ending, queue
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db
Title = Conversation.TitleState


def test_an_ending_stores_text_state_usage_hold_and_call_and_drops_the_live_text(ada: User) -> None:
    sent = ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, "Be", "cau")
    assert hands.end(taken)
    row = Generation.objects.select_related("message").get()
    assert (row.state, row.finish_reason, row.lease_owner, row.lease_expires_at) == (State.DONE, "stop", None, None)
    assert (row.input_tokens, row.output_tokens, row.usage_estimated) == (10, 3, False)
    assert (row.message.text, row.message.html) == ("Because.", ["<p>Because.</p>"])
    assert row.finished_at is not None
    assert Delta.objects.count() == 0
    assert Reservation.objects.get().state == "settled"
    call = Invocation.objects.get()
    assert (call.request_id, call.outcome, call.person, call.person_name) == (row.uuid, "done", ada.uuid, "Ada")
    assert (call.input_tokens, call.output_tokens, call.attempts, call.ttft_ms) == (10, 3, 1, 5)
    assert call.queue_ms is not None
    assert Conversation.objects.get().title_state == Title.PENDING
    assert sent.generation.uuid == call.request_id


def test_the_seq_of_a_reader_only_rises_over_an_ending(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, "Be", "cau", "se.")
    before = Generation.objects.get().revision + 3
    assert hands.end(taken)
    assert Generation.objects.get().revision > before


@pytest.mark.parametrize("what", ["other owner", "older attempt", "lease over", "ended", "back in the queue"])
def test_whoever_does_not_hold_it_changes_nothing(ada: User, what: str) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    if what == "other owner":
        hands.owner = uuid.uuid4()
    elif what == "older attempt":
        Generation.objects.update(attempt=2)
    elif what == "lease over":
        scene.lapse(taken, seconds=0.1)
    elif what == "ended":
        Generation.objects.update(state=State.CANCELLED, finished_at=timezone.now())
    else:
        Generation.objects.update(state=State.QUEUED, lease_owner=None, lease_expires_at=None)
    before = Generation.objects.values().get()
    assert not hands.end(taken)
    assert Generation.objects.values().get() == before
    assert (Invocation.objects.count(), Reservation.objects.get().state) == (0, "held")
    taken.message.refresh_from_db()
    assert taken.message.text == ""


def test_with_the_fence_switched_off_a_late_worker_would_write(ada: User, settings: LazySettings) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    scene.lapse(taken)
    settings.ENGINE_FENCE = False
    assert hands.end(taken)


def test_of_a_group_only_what_is_still_held_ends(ada: User) -> None:
    rows = queue(ada, 3)
    hands = Hands()
    taken = hands.take(places=3)
    scene.lapse(taken[1])
    assert endings.finish([ending(g) for g in taken], owner=hands.owner) == {taken[0].pk, taken[2].pk}
    assert scene.states(rows) == [State.DONE, State.RUNNING, State.DONE]


def test_ending_ten_costs_a_fixed_number_of_statements(
    ada: User, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.PERSON_CONCURRENCY = 20
    queue(ada, 10)
    hands = Hands()
    taken = hands.take(places=10)
    given = [ending(g) for g in taken]
    for each in given:
        each.last_seq = 0  # a worker knows it
    # Two for each answer (state, text); live text, settle, calls, mark and titles; the sums over calls: zone, quarters, times, days.
    # On a server the time and NOTIFY.
    with django_assert_num_queries(20 + 4 + 4 + 2 * int(connection.vendor == "postgresql")):
        assert len(endings.finish(given, owner=hands.owner)) == 10


def test_only_a_first_finished_answer_asks_for_a_title(ada: User, settings: LazySettings) -> None:
    assert answered(ada, state=State.FAILED).conversation.pk
    assert Conversation.objects.get().title_state == Title.NONE
    settings.TITLES = False
    answered(ada)
    settings.TITLES = True
    named = ask(ada)
    Conversation.objects.filter(pk=named.conversation.pk).update(title_state=Title.MANUAL, title="Mine")
    hands = Hands()
    for taken in hands.take(places=5):
        hands.end(taken)
    assert set(Conversation.objects.values_list("title_state", flat=True)) == {Title.NONE, Title.MANUAL}


def test_a_call_that_costs_nothing_gives_its_hold_back(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    free = ending(taken, state=State.FAILED, kind="bad_key")
    free.charged = False
    assert endings.finish([free], owner=hands.owner)
    assert Reservation.objects.get().state == "released"


def test_a_queued_question_is_cancelled_once_and_a_continued_answer_keeps_its_text(ada: User) -> None:
    sent = answered(ada, state=State.INTERRUPTED, reply="Be")
    more = messages.continue_(ada, message=sent.answer, client_id=scene.new_id())
    assert endings.cancel_queued(more.generation.pk, now=timezone.now())
    assert not endings.cancel_queued(more.generation.pk, now=timezone.now())
    sent.answer.refresh_from_db()
    assert sent.answer.text == "Be"
    assert scene.states([more.generation]) == [State.CANCELLED]
    assert Invocation.objects.count() == 2


def test_a_running_answer_is_not_cancelled_as_a_queued_one(ada: User) -> None:
    sent = ask(ada)
    Hands().take()
    assert not endings.cancel_queued(sent.generation.pk, now=timezone.now())


def test_an_abandoned_answer_keeps_what_readers_saw_and_is_estimated(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    Generation.objects.update(dispatched=True, request={"sent": {"tokens": 40}})
    hands.show(taken, "hmm", kind=Delta.Kind.REASONING)
    hands.show(taken, "Be", "cause *so*")
    row = Generation.objects.select_related(*endings.LOADED).get()
    guard = Q(lease_expires_at__gt=timezone.now() - dt.timedelta(days=1))
    assert [
        endings.abandon(row, state=State.INTERRUPTED, kind="worker_lost", guard=guard, now=timezone.now())
        for _ in range(2)
    ] == [True, False]
    row = Generation.objects.select_related("message").get()
    assert (row.state, row.error_kind) == (State.INTERRUPTED, "worker_lost")
    assert (row.message.text, row.message.reasoning) == ("Because *so*", "hmm")
    assert row.message.html == ["<p>Because <em>so</em></p>\n"]
    assert (row.input_tokens, row.output_tokens, row.usage_estimated) == (40, 4, True)
    assert Reservation.objects.get().state == "settled"
    assert not hands.end(taken, text="A zombie's text")


def test_an_abandoned_continuation_keeps_the_old_text_before_the_new(ada: User) -> None:
    sent = answered(ada, state=State.INTERRUPTED, reply="Be")
    messages.continue_(ada, message=sent.answer, client_id=scene.new_id())
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, "cause")
    row = Generation.objects.select_related(*endings.LOADED).get(pk=taken.pk)
    assert endings.abandon(row, state=State.INTERRUPTED, kind="worker_lost", guard=Q(), now=timezone.now())
    sent.answer.refresh_from_db()
    assert sent.answer.text == "Because"


def test_an_answer_whose_lease_was_renewed_meanwhile_is_not_abandoned(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, "Be")
    row = Generation.objects.select_related(*endings.LOADED).get()  # what a reaper read a moment ago
    guard = Q(lease_expires_at__lt=timezone.now())
    assert not endings.abandon(row, state=State.INTERRUPTED, kind="worker_lost", guard=guard, now=timezone.now())
    assert scene.states([taken]) == [State.STREAMING]
    assert hands.show(taken, "cause")
    assert hands.end(taken)
