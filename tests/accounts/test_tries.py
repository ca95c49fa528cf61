"""Counts of tries: exact with any number at once, over by themselves, and given back."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import F

from accounts import tries
from accounts.models import Tries
from accounts.tries import Limit

DOOR = Limit("a door", most=3, per=900)
HOUSE = Limit("the house", most=5, per=900)


@pytest.mark.django_db
def test_so_many_tries_are_admitted_and_the_next_one_is_told_how_long_to_wait() -> None:
    assert [tries.take(DOOR) for _ in range(3)] == [0, 0, 0]
    assert 890 <= tries.take(DOOR) <= 900
    assert Tries.objects.get().count == 3


@pytest.mark.django_db
def test_a_count_ends_when_it_was_to_end_whatever_is_tried_meanwhile() -> None:
    for _ in range(3):
        tries.take(DOOR)
    ends = Tries.objects.get().ends
    for _ in range(20):
        tries.take(DOOR)
    assert Tries.objects.get().ends == ends
    Tries.objects.update(ends=F("ends") - 901)
    assert tries.take(DOOR) == 0
    assert Tries.objects.get().count == 1


@pytest.mark.django_db
def test_a_try_that_one_limit_refuses_counts_against_no_other() -> None:
    for _ in range(3):
        tries.take(DOOR, HOUSE)
    assert tries.take(DOOR, HOUSE) > 0
    assert sorted(Tries.objects.values_list("count", flat=True)) == [3, 3]


@pytest.mark.django_db
def test_a_right_try_is_given_back_and_a_count_can_be_forgotten() -> None:
    tries.take(DOOR)
    tries.give_back(DOOR, HOUSE)
    tries.give_back(DOOR)
    assert Tries.objects.get().count == 0
    assert (tries.forget(DOOR, HOUSE), Tries.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_neither_names_nor_addresses_stand_in_the_database() -> None:
    tries.take(Limit("ada@example.com", most=1, per=60))
    assert "ada" not in str(Tries.objects.values().get())


@pytest.mark.django_db
def test_counts_that_have_ended_are_swept_away_and_others_stay() -> None:
    tries.take(DOOR, HOUSE)
    Tries.objects.filter(key=DOOR.key).update(ends=1)
    assert (tries.sweep(), Tries.objects.get().key) == (1, HOUSE.key)


def careless() -> int:
    """How it must not be done: read, then write."""
    row, _ = Tries.objects.get_or_create(key=DOOR.key, defaults={"count": 0, "ends": 2**40})
    if row.count >= DOOR.most:
        return 1
    Tries.objects.filter(pk=row.pk).update(count=row.count + 1)
    return 0


def admitted(take: Callable[[], int]) -> int:
    """How many of 40 tries in 8 threads at once are admitted."""
    begin, found, guard = threading.Barrier(8), [], threading.Lock()

    def work() -> None:
        begin.wait()
        own = [take() for _ in range(5)]
        connection.close()
        with guard:
            found.extend(own)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40
    return found.count(0)


@pytest.mark.django_db(transaction=True)
def test_of_forty_at_once_just_three_are_admitted() -> None:
    assert admitted(lambda: tries.take(DOOR, HOUSE)) == 3


@pytest.mark.django_db(transaction=True)
def test_reading_before_writing_would_admit_more() -> None:
    """The race is there without the guard (some round shows it)."""
    for _ in range(20):
        Tries.objects.all().delete()
        if admitted(careless) > 3:
            return
    pytest.fail("the careless way admitted three in each of 20 rounds: this test proves nothing")
