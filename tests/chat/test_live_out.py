"""Live text on its way out: written in order, only where the lease is held, and told when it is lost."""

from __future__ import annotations

import threading
import time
import uuid

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import durability, leases, live_out
from chat.live_out import Channel, LiveOut, insert_rows
from chat.models import Delta, Generation, WorkerHeartbeat
from tests.chat import scene
from tests.chat.scene import Hands, State, ask, queue

pytestmark = pytest.mark.django_db


def written() -> list[tuple[int, int, str]]:
    return list(Delta.objects.order_by("generation", "seq").values_list("seq", "kind", "text"))


def test_the_first_piece_makes_it_streaming_in_the_same_step(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    assert hands.show(taken, "Be")
    row = Generation.objects.get()
    assert (row.state, row.first_token_at is None, row.revision) == (State.STREAMING, False, 3)
    assert hands.show(taken, "cause")
    assert Generation.objects.get().revision == 3
    assert written() == [(1, 0, "Be"), (2, 0, "cause")]


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"state": State.QUEUED, "lease_owner": None, "lease_expires_at": None},
        {"state": State.CANCELLED, "finished_at": timezone.now()},
        {"state": State.DONE, "finish_reason": "stop", "finished_at": timezone.now()},
    ],
    ids=["another attempt", "back in the queue", "cancelled", "done"],
)
def test_what_is_not_held_any_more_takes_no_text_and_its_owner_is_told(ada: User, changes: dict[str, object]) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    assert hands.show(taken, "Be")
    Generation.objects.update(**changes)
    assert not hands.show(taken, "cause")
    assert hands.lost == [taken.pk]
    assert written() == [(1, 0, "Be")]
    hands.out.put(hands.channels[taken.pk], kind=0, text="more")
    assert hands.out._dirty == {}


def test_a_lease_that_is_over_takes_no_text(ada: User) -> None:
    ask(ada)
    (taken,) = Hands().take()
    scene.lapse(taken, seconds=0.1)
    assert insert_rows([(taken.pk, taken.attempt, 1, 0, "late")]) == set()
    assert Delta.objects.count() == 0


def test_with_the_fence_switched_off_it_would(ada: User, settings: LazySettings) -> None:
    ask(ada)
    (taken,) = Hands().take()
    scene.lapse(taken)
    settings.ENGINE_FENCE = False
    assert insert_rows([(taken.pk, taken.attempt, 1, 0, "late")]) == {taken.pk}


def test_a_lease_that_only_seems_over_is_renewed_and_the_text_goes_out(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    scene.lapse(taken)
    assert hands.show(taken, "Be")
    row = Generation.objects.get()
    assert row.state == State.STREAMING
    assert row.lease_expires_at is not None
    assert row.lease_expires_at > timezone.now()


def test_what_was_committed_unheard_is_neither_doubled_nor_lost(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    real, calls = hands.out._insert, []

    def unheard(rows: list[tuple[int, int, int, int, str]], *, fresh: list[Channel]) -> set[int]:
        found = real(rows, fresh=fresh)
        calls.append(len(rows))
        if len(calls) == 1:
            raise OperationalError("the connection went away after COMMIT")
        return found

    monkeypatch.setattr(hands.out, "_insert", unheard)
    monkeypatch.setattr(live_out, "connection", _Unclosed())
    assert hands.show(taken, "Be", "cause")
    assert written() == [(1, 0, "Be"), (2, 0, "cause")]
    assert hands.lost == []


@pytest.mark.parametrize("server", [True, False])
def test_what_a_crash_of_the_server_took_back_is_written_again(
    ada: User, monkeypatch: pytest.MonkeyPatch, *, server: bool
) -> None:
    queue(ada, 2)
    hands = Hands()
    taken, other = hands.take(places=2)
    hands.show(taken, "Be", "cause")
    hands.show(other, "closed")
    hands.out.close(hands.channels[other.pk])
    monkeypatch.setattr(durability, "may_be_taken_back", lambda: server)
    Delta.objects.all().delete()
    Generation.objects.update(state=State.RUNNING)
    hands.out._raw = object()  # another connection than the one before
    assert hands.show(taken, " of")
    states = dict(Generation.objects.values_list("pk", "state"))
    if server:
        assert written() == [(1, 0, "Be"), (2, 0, "cause"), (3, 0, " of")]
        assert states == {taken.pk: State.STREAMING, other.pk: State.RUNNING}
    else:
        assert written() == [(3, 0, " of")]


def test_what_went_out_long_ago_is_not_kept(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    hands.show(taken, "Be", "cause")
    assert [row[2] for _at, _channel, row in hands.out._kept] == [1, 2]
    monkeypatch.setattr(live_out, "KEPT_S", 0.0)
    hands.show(taken, " of")
    assert [row[2] for _at, _channel, row in hands.out._kept] == [3]


class _Unclosed:
    """The test's connection, which must outlive the flusher's wish to close it."""

    def close(self) -> None: ...

    def __getattr__(self, name: str) -> object:
        return getattr(connection, name)


def test_one_lost_answer_does_not_touch_the_others_of_its_batch(ada: User) -> None:
    queue(ada, 3)
    hands = Hands()
    taken = hands.take(places=3)
    Generation.objects.filter(pk=taken[1].pk).update(attempt=9)
    for generation in taken:
        hands.out.put(hands.channels[generation.pk], kind=0, text=str(generation.pk))
    hands.out._flush()
    assert hands.lost == [taken[1].pk]
    assert [text for *_, text in written()] == [str(taken[0].pk), str(taken[2].pk)]


def test_a_hundred_answers_share_one_insert(
    ada: User, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.PERSON_CONCURRENCY = 200
    queue(ada, 100)
    hands = Hands()
    taken = hands.take(places=100)
    for word in ("a", "b"):
        for generation in taken:
            hands.out.put(hands.channels[generation.pk], kind=0, text=word)
        if word == "a":
            hands.out._flush()
    server = int(connection.vendor == "postgresql")  # NOTIFY
    with django_assert_num_queries(3 + server):  # with the test's savepoint
        hands.out._flush()
    assert Delta.objects.count() == 200


def test_pieces_of_one_kind_are_joined_and_long_ones_are_cut() -> None:
    out, channel = LiveOut(uuid.uuid4()), Channel(1, 1, on_lost=lambda: None)
    for kind, text in ((1, "th"), (1, "ink"), (0, "x" * 20_000), (0, "y")):
        out.put(channel, kind=kind, text=text)
    rows = channel.take()
    assert [(seq, kind, len(text)) for seq, kind, text in rows] == [(1, 1, 5), (2, 0, 16_384), (3, 0, 3_617)]
    assert channel.take() == []


@pytest.mark.django_db(transaction=True)
def test_the_thread_writes_in_order_and_after_the_close_only_what_was_on_its_way(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    out, channel = LiveOut(hands.owner), Channel(taken.pk, taken.attempt, on_lost=lambda: None)
    out.start()
    for n in range(200):
        out.put(channel, kind=0, text=f"{n} ")
        if n % 20 == 0:
            time.sleep(0.01)
    until = time.monotonic() + 5
    while channel.pending and time.monotonic() < until:
        time.sleep(0.01)
    out.close(channel)
    numbered = channel.seq
    out.put(channel, kind=0, text="after the end")
    out.stop()
    assert Delta.objects.count() == numbered == channel.seq
    assert "".join(text for *_, text in written()) == "".join(f"{n} " for n in range(200))


@pytest.mark.django_db(transaction=True)
def test_the_first_words_of_an_answer_do_not_wait_for_the_tick(ada: User, settings: LazySettings) -> None:
    settings.FLUSH_S = settings.FLUSH_MAX_S = 0.5
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    out, channel = LiveOut(hands.owner), Channel(taken.pk, taken.attempt, on_lost=lambda: None)
    out.start()
    began = time.monotonic()
    out.put(channel, kind=0, text="Be")
    while not channel.shown and time.monotonic() < began + 5:
        time.sleep(0.002)
    assert time.monotonic() - began < 0.3
    out.stop()


def test_first_words_go_out_alone_and_leave_the_others_to_the_tick(ada: User) -> None:
    queue(ada, 2)
    hands = Hands()
    old, new = hands.take(places=2)
    assert hands.show(old, "Long")
    hands.out.put(hands.channels[old.pk], kind=0, text=" ago")
    hands.out.put(hands.channels[new.pk], kind=0, text="Just now")
    assert hands.out._fresh == {new.pk}
    assert hands.out._flush(only={new.pk}) == 1
    assert {text for *_, text in written()} == {"Long", "Just now"}
    assert (hands.out._fresh, [*hands.out._dirty]) == (set(), [old.pk])
    assert hands.out._flush() == 1
    assert {text for *_, text in written()} == {"Long", "Just now", " ago"}


def test_leases_are_renewed_for_their_owner_only_and_only_while_the_loop_answers(ada: User) -> None:
    queue(ada, 2)
    one, other = Hands(), Hands()
    (mine,), (theirs,) = one.take(), other.take()
    for generation in (mine, theirs):
        scene.lapse(generation, seconds=1)
    assert leases.renew(one.owner, running=[]) == 0  # held by name only: nobody works at it, so it runs out
    assert leases.renew(one.owner, running=[mine.pk, theirs.pk]) == 1
    over = Generation.objects.filter(lease_expires_at__lt=timezone.now())
    assert list(over) == [theirs]
    assert leases.renew_these({theirs.pk: theirs.attempt}, owner=one.owner) == set()
    assert leases.renew_these({theirs.pk: theirs.attempt + 1}, owner=other.owner) == set()
    assert leases.renew_these({theirs.pk: theirs.attempt}, owner=other.owner) == {theirs.pk}


@pytest.mark.django_db(transaction=True)
def test_the_keeper_lets_leases_run_out_while_its_loop_hangs(ada: User, settings: LazySettings) -> None:
    settings.RENEW_S = 0.05
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    answers = threading.Event()
    keeper = leases.LeaseKeeper(hands.owner, alive=answers.is_set, running=lambda: [taken.pk])
    keeper.start()
    scene.lapse(taken, seconds=1)
    time.sleep(0.3)
    assert Generation.objects.filter(lease_expires_at__lt=timezone.now()).exists()
    answers.set()
    time.sleep(0.4)
    assert Generation.objects.filter(lease_expires_at__gt=timezone.now()).exists()
    keeper.stop()


@pytest.mark.django_db(transaction=True)
def test_the_keeper_has_its_row_written_anew_when_somebody_swept_it_away() -> None:
    announced: list[int] = []
    hands = Hands()
    keeper = leases.LeaseKeeper(hands.owner, alive=lambda: True, running=list, announce=lambda: announced.append(1))
    assert keeper.beat() and announced == [1]
    WorkerHeartbeat.objects.create(uuid=hands.owner, started_at=timezone.now(), beat_at=timezone.now())
    assert keeper.beat() and announced == [1]


def test_one_slow_flush_delays_nobody_and_a_slow_database_slows_the_rhythm(settings: LazySettings) -> None:
    out = LiveOut(uuid.uuid4())
    for _ in range(10):
        out._settle_pace(0.01, running=400)
    assert out.tick_s == settings.FLUSH_MAX_S
    out._settle_pace(0.12, running=400)
    assert out.tick_s <= settings.FLUSH_MAX_S + 0.01
    for _ in range(30):
        out._settle_pace(0.12, running=400)
    assert 0.3 < out.tick_s <= 0.36
