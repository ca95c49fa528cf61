"""Holds: written once, closed once, whoever closes them."""

from __future__ import annotations

import datetime as dt
import uuid
from functools import partial

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from tests.chat import scene
from usage import quotas
from usage.models import Reservation

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def hold(request_id: uuid.UUID | None = None) -> quotas.Hold:
    return quotas.Hold(request_id or uuid.uuid4(), "page", uuid.uuid4(), None, None, None, 500)


def test_a_hold_is_written_once() -> None:
    given = hold()
    quotas.reserve(given, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        quotas.reserve(given, now=NOW)
    row = Reservation.objects.get()
    assert (row.state, row.tokens, row.person, row.created_at) == ("held", 500, given.person, NOW)


def test_the_first_close_wins_and_a_repeat_closes_nothing() -> None:
    one, two = hold(), hold()
    for given in (one, two):
        quotas.reserve(given, now=NOW)
    later = NOW + dt.timedelta(seconds=5)
    assert quotas.settle([one.request_id, uuid.uuid4()], now=later) == 1
    assert quotas.settle([one.request_id], now=later) == 0
    assert quotas.release([one.request_id, two.request_id], now=later) == 1
    states = dict(Reservation.objects.values_list("request_id", "state"))
    assert states == {one.request_id: "settled", two.request_id: "released"}
    assert set(Reservation.objects.values_list("closed_at", flat=True)) == {later}


def test_nothing_to_close_costs_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert quotas.settle([], now=NOW) == quotas.release([], now=NOW) == 0


@pytest.mark.parametrize("broken", [{"tokens": -1}, {"closed_at": NOW}, {"state": "settled"}])
def test_the_database_refuses_impossible_holds(broken: dict[str, object]) -> None:
    quotas.reserve(hold(), now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Reservation.objects.update(**broken)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_close_at_once_one_does() -> None:
    given = hold()
    quotas.reserve(given, now=NOW)
    closes = [quotas.settle, quotas.release] * 5
    results = scene.at_once(*[partial(close, [given.request_id], now=NOW) for close in closes])
    assert sorted(map(str, results)) == ["0"] * 9 + ["1"]
