"""The worker's writer: groups, what is not ours, a bad item, a database that is away, somebody who stopped waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError

from accounts.models import User
from chat.models import Generation
from chat.writer import Dispatch, Item, Writer
from tests.chat import scene
from tests.chat.scene import Hands, State, ask, ending, queue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def writer(hands: Hands) -> Iterator[Writer]:
    made = Writer(hands.owner)
    made.start()
    yield made
    made.stop()


def test_what_is_handed_over_is_stored_and_says_whether_it_was_ours(ada: User, hands: Hands, writer: Writer) -> None:
    queue(ada, 3)
    taken = hands.take(places=3)
    Generation.objects.filter(pk=taken[2].pk).update(attempt=7)
    note = writer.submit(Dispatch(taken[0], {"model": "m", "sent": {"tokens": 4}}))
    assert note.result(timeout=10) is True
    row = Generation.objects.get(pk=taken[0].pk)
    assert (row.dispatched, row.request) == (True, {"model": "m", "sent": {"tokens": 4}})
    futures = [writer.submit(ending(g)) for g in taken]
    assert [f.result(timeout=10) for f in futures] == [True, True, False]
    assert scene.states(taken) == [State.DONE, State.DONE, State.RUNNING]
    assert writer.submit(Dispatch(taken[0], {})).result(timeout=10) is False


def test_a_lease_that_only_seems_over_is_renewed_for_the_ending(ada: User, hands: Hands, writer: Writer) -> None:
    ask(ada)
    (taken,) = hands.take()
    scene.lapse(taken)
    assert writer.submit(ending(taken)).result(timeout=10) is True
    assert scene.states([taken]) == [State.DONE]


def test_one_that_cannot_be_stored_does_not_take_the_others_with_it(ada: User, hands: Hands, writer: Writer) -> None:
    queue(ada, 3)
    taken = hands.take(places=3)
    items = [ending(taken[0]), ending(taken[1], text="a lone \ud800 surrogate"), ending(taken[2])]
    with writer._lock:  # so that they make one group
        futures = [writer.submit(item) for item in items]
    assert [futures[0].result(timeout=10), futures[2].result(timeout=10)] == [True, True]
    assert isinstance(futures[1].exception(timeout=10), Exception)
    assert scene.states(taken) == [State.DONE, State.RUNNING, State.DONE]
    assert writer.submit(ending(taken[1])).result(timeout=10) is True


def test_somebody_who_stops_waiting_does_not_end_the_writer(ada: User, hands: Hands, writer: Writer) -> None:
    queue(ada, 2)
    first, second = hands.take(places=2)
    with writer._lock:
        future = writer.submit(Dispatch(first, {}))
        future.cancel()
    assert writer.submit(ending(second)).result(timeout=10) is True
    assert writer._thread.is_alive()


def test_while_the_database_is_away_everything_waits_and_is_stored_then(
    ada: User, hands: Hands, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(ada, 2)
    taken = hands.take(places=2)
    real, failures = writer.store, [OperationalError("away")] * 3

    def store(items: Sequence[Item]) -> set[int]:
        if failures:
            raise failures.pop()
        return real(items)

    monkeypatch.setattr(writer, "store", store)
    futures = [writer.submit(ending(g)) for g in taken]
    assert [f.result(timeout=20) for f in futures] == [True, True]
    assert failures == []


def test_stopping_writes_what_waits(ada: User, hands: Hands) -> None:
    queue(ada, 4)
    taken = hands.take(places=4)
    writer = Writer(hands.owner)
    futures = [writer.submit(ending(g)) for g in taken]
    writer.start()
    writer.stop()
    assert [f.result(timeout=0) for f in futures] == [True] * 4
