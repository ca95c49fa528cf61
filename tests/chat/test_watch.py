"""What the watcher asks: one query a tick for all answers that are watched, the same rounds however many wait."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import LazySettings
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import watch_queries
from chat.models import Generation
from tests.chat import scene
from tests.chat.scene import Hands

pytestmark = pytest.mark.django_db


def test_many_answers_are_looked_at_with_one_query_a_tick(
    ada: User, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.PERSON_CONCURRENCY = 200
    rows = scene.queue(ada, 100)
    hands = Hands()
    answers = [watch_queries.load(str(g.uuid), user_id=ada.pk) for g in rows]
    taken = hands.take(places=100)
    for generation in taken:
        hands.out.put(hands.channels[generation.pk], kind=0, text=f"text {generation.pk}")
    hands.out._flush()
    found = [a for a in answers if a is not None]
    with django_assert_num_queries(1):
        changed = watch_queries.advance(found)
    assert len(changed) == 100
    assert {a.pk: a.blocks.open_source for a in found} == {g.pk: f"text {g.pk}" for g in rows}
    with django_assert_num_queries(1):
        assert watch_queries.advance(found) == []
    for generation in taken:
        hands.end(generation)
    with django_assert_num_queries(2):
        watch_queries.advance(found)
    assert {a.state for a in found} == {"done"}


@pytest.mark.parametrize("count", [1, 30])
def test_looking_around_costs_the_same_for_any_number_of_waiting_answers(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    rows = scene.queue(ada, count)
    Generation.objects.update(created_at=timezone.now() - dt.timedelta(seconds=5))
    answers = [watch_queries.load(str(g.uuid), user_id=ada.pk) for g in rows]
    found = [a for a in answers if a is not None]
    server = int(connection.vendor == "postgresql")
    with django_assert_num_queries(6 + server):
        watch_queries.look_around(found)
    assert [a.facts.ahead for a in found if a.facts] == list(range(count))
    assert {a.facts.no_worker for a in found if a.facts} == {True}
