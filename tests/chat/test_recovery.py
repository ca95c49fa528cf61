"""What was left half-done is ended or begins again: lost leases, passed deadlines, rows that nobody needs."""

from __future__ import annotations

import datetime as dt
import time
import uuid

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts import clock
from accounts.models import User
from chat import recovery, suspects
from chat.models import Delta, Generation, WorkerHeartbeat
from tests.chat import scene
from tests.chat.scene import Hands, State, ask, queue
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db


def now() -> dt.datetime:
    return timezone.now()


def lost(user: User, *shown: str) -> Generation:
    """An answer whose worker died a minute ago."""
    ask(user)
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, *shown)
    scene.lapse(taken)
    return taken


def test_a_question_whose_worker_died_before_any_text_is_queued_again_at_once(ada: User, rings: list[str]) -> None:
    taken = lost(ada)
    assert recovery.reap(now=now()) == 1
    row = Generation.objects.get()
    assert (row.state, row.crashes, row.attempt, row.tries, row.lease_owner) == (State.QUEUED, 1, 1, 0, None)
    assert (Invocation.objects.count(), Reservation.objects.get().state) == (0, "held")
    assert rings
    assert Hands().take() == [taken]


def test_the_second_worker_that_dies_makes_it_poison(ada: User) -> None:
    lost(ada)
    recovery.reap(now=now())
    hands = Hands()
    (taken,) = hands.take()
    suspects.note(taken, hands.owner, in_hand=True)
    scene.lapse(taken)
    assert recovery.reap(now=now()) == 1
    row = Generation.objects.get()
    assert (row.state, row.error_kind, row.attempt) == (State.FAILED, "poisoned", 2)
    assert recovery.leaked_holds(now=now() + dt.timedelta(hours=1)) == 0


def test_an_answer_that_had_begun_is_interrupted_with_its_text(ada: User) -> None:
    lost(ada, "Be", "cause")
    assert recovery.reap(now=now()) == 1
    row = Generation.objects.select_related("message").get()
    assert (row.state, row.error_kind, row.message.text) == (State.INTERRUPTED, "worker_lost", "Because")
    assert (Delta.objects.count(), Invocation.objects.get().outcome) == (0, "interrupted")


@pytest.mark.parametrize("shown", [(), ("Be",)])
def test_a_cancelled_one_is_cancelled(ada: User, shown: tuple[str, ...]) -> None:
    lost(ada, *shown)
    Generation.objects.update(cancel_requested_at=now())
    assert recovery.reap(now=now()) == 1
    row = Generation.objects.select_related("message").get()
    assert (row.state, row.message.text) == (State.CANCELLED, "".join(shown))


def test_a_lease_that_just_ran_out_is_left_to_its_worker_for_a_moment(ada: User, settings: LazySettings) -> None:
    taken = lost(ada)
    scene.lapse(taken, seconds=settings.LEASE_GRACE_S - 1)
    assert recovery.reap(now=now()) == 0
    assert scene.states([taken]) == [State.RUNNING]


def test_any_number_of_reapers_end_each_once(ada: User) -> None:
    lost(ada, "Be")
    assert [recovery.reap(now=now()) for _ in range(3)] == [1, 0, 0]
    assert Invocation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_reapers_at_once_end_each_once(ada: User) -> None:
    for _ in range(3):
        lost(ada, "Be")
    results = scene.at_once(*[lambda: recovery.reap(now=now())] * 4)
    assert not [r for r in results if isinstance(r, Exception)], results
    assert sum(r for r in results if isinstance(r, int)) == 3
    assert Invocation.objects.count() == 3


def test_a_zombie_that_wakes_after_the_reaper_writes_nothing(ada: User) -> None:
    ask(ada)
    zombie = Hands()
    (taken,) = zombie.take()
    scene.lapse(taken)
    recovery.reap(now=now())
    heir = Hands()
    (again,) = heir.take()
    assert not zombie.show(taken, "zombie")
    assert zombie.lost == [taken.pk]
    assert not zombie.end(taken, text="zombie")
    assert heir.show(again, "Be")
    assert heir.end(again)
    again.message.refresh_from_db()
    assert again.message.text == "Because."


def test_what_is_past_its_deadline_ends_with_its_text(ada: User, bob: User, settings: LazySettings) -> None:
    (waiting,) = queue(bob, 1)
    ask(ada)
    ask(ada)
    hands = Hands()
    silent, begun = [g for g in hands.take(places=3) if g.user == ada]
    hands.show(begun, "Be")
    Generation.objects.filter(pk=waiting.pk).update(state=State.QUEUED, lease_owner=None, lease_expires_at=None)
    past = now() - dt.timedelta(seconds=1)
    Generation.objects.update(deadline_at=past)
    assert recovery.overdue(now=now()) == 1  # a worker has a moment to end its own ones
    assert scene.states([waiting, silent, begun]) == [State.FAILED, State.RUNNING, State.STREAMING]
    later = now() + dt.timedelta(seconds=settings.REAP_S + settings.LEASE_GRACE_S)
    assert recovery.overdue(now=later) == 2
    assert scene.states([waiting, silent, begun]) == [State.FAILED, State.FAILED, State.INTERRUPTED]
    assert set(Generation.objects.values_list("error_kind", flat=True)) == {"deadline"}
    begun.message.refresh_from_db()
    assert begun.message.text == "Be"


def test_a_round_is_quiet_for_a_lease_after_its_start_and_after_a_step_of_the_clock(
    ada: User, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE_S = 0.3
    lost(ada, "Be")
    reaper = recovery.Recovery()
    reaper.round()
    assert Generation.objects.get().state == State.STREAMING
    time.sleep(0.35)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + dt.timedelta(hours=1))
    reaper.round()
    assert Generation.objects.get().state == State.STREAMING
    time.sleep(0.35)
    reaper.round()
    assert Generation.objects.get().state == State.INTERRUPTED


def test_sweeping_removes_only_what_nobody_needs_and_may_be_repeated(ada: User) -> None:
    done, running = queue(ada, 2)
    Hands().take(places=2)
    Delta.objects.create(generation=done, seq=1, text="old")
    Delta.objects.create(generation=running, seq=1, text="live")
    Generation.objects.filter(pk=done.pk).update(
        state=State.FAILED, finished_at=now(), lease_owner=None, lease_expires_at=None
    )
    for hours in (0, 2):
        beat = now() - dt.timedelta(hours=hours)
        WorkerHeartbeat.objects.create(uuid=uuid.uuid4(), started_at=beat, beat_at=beat)
    assert recovery.sweep(now=now()) == {"deltas": 1, "heartbeats": 1}
    assert recovery.sweep(now=now()) == {"deltas": 0, "heartbeats": 0}
    assert Delta.objects.get().generation == running


def test_a_hold_without_its_answer_is_noticed(ada: User) -> None:
    sent = ask(ada)
    later = now() + dt.timedelta(minutes=2)
    assert recovery.leaked_holds(now=later) == 0
    Generation.objects.filter(pk=sent.generation.pk).update(state=State.FAILED, finished_at=now())
    assert recovery.leaked_holds(now=later) == 1


def test_a_question_beside_a_poisoned_one_is_not_poison(ada: User) -> None:
    innocent, poison = queue(ada, 2)
    Hands().take(places=2)
    for generation in (innocent, poison):
        scene.lapse(generation)
    assert recovery.reap(now=now()) == 2
    again = Hands()
    taken = {generation.pk: generation for generation in again.take(places=2)}
    suspects.note(taken[poison.pk], again.owner, in_hand=True)
    for generation in (innocent, poison):
        scene.lapse(generation)
    assert recovery.reap(now=now()) == 2
    rows = {g.pk: (g.state, g.error_kind, g.attempt, g.crashes) for g in Generation.objects.all()}
    assert rows[poison.pk] == (State.FAILED, "poisoned", 2, 1)
    assert rows[innocent.pk] == (State.QUEUED, "", 2, 2)


def test_nobody_ends_workers_without_end(ada: User) -> None:
    """What kills them may be noted nowhere."""
    queue(ada, 1)
    for death in range(1, suspects.MOST_CRASHES + 1):
        (taken,) = Hands().take()
        assert (taken.attempt, taken.in_hand) == (death, False)
        scene.lapse(taken)
        assert recovery.reap(now=now()) == 1
    row = Generation.objects.get()
    assert (row.state, row.error_kind, row.attempt) == (State.FAILED, "poisoned", suspects.MOST_CRASHES)


def test_a_note_is_the_holders_only_and_gone_with_the_next_claim(ada: User) -> None:
    queue(ada, 1)
    hands = Hands()
    (taken,) = hands.take()
    suspects.note(taken, uuid.uuid4(), in_hand=True)
    assert not Generation.objects.get().in_hand
    suspects.note(taken, hands.owner, in_hand=True)
    assert Generation.objects.get().in_hand
    scene.lapse(taken)
    recovery.reap(now=now())
    Hands().take()
    assert not Generation.objects.get().in_hand
