"""A try of which nothing came, but which its provider may bill: counted once, beside the hold, flagged where there was no room."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Organisation, User
from providers.models import Price
from tests.chat import scene
from tests.usage import making
from tests.usage.making import NOW, call, counters, hold, reserve
from usage import proof, quotas
from usage.models import Invocation, LedgerEntry, Reservation

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(seconds=5)


def tried(given: quotas.Hold, *, attempt: int = 1, prompt: int = 80, **more: Any) -> Invocation:
    made = call(given, input=prompt, output=0, estimated=True, **more)
    made.attempts = attempt
    return made


def lose(given: quotas.Hold, **more: Any) -> bool:
    with transaction.atomic():
        return quotas.count_lost(tried(given, **more), now=LATER)


def entries() -> list[tuple[str, int, int, int, bool, bool]]:
    names = ("kind", "attempt", "requests", "input_tokens", "estimated", "overrun")
    return list(LedgerEntry.objects.order_by("pk").values_list(*names))


def test_it_counts_its_prompt_and_no_question_while_the_hold_stays_whole() -> None:
    ada = making.person()
    making.limit(5)
    making.limit(1_000, "tokens")
    making.limit(1_000, "output")
    given = reserve(hold(ada))
    assert lose(given)
    assert counters() == [("requests", 0, 1), ("tokens", 80, 500), ("output", 0, 400)]
    assert entries() == [("attempt", 1, 0, 80, True, False)]
    assert list(proof.drifts()) == []
    quotas.settle([tried(given, attempt=2, prompt=90)], now=LATER)
    assert counters() == [("requests", 1, 0), ("tokens", 170, 0), ("output", 0, 0)]
    assert [entry[0] for entry in entries()] == ["attempt", "settle"]
    assert list(proof.drifts()) == []


def test_a_repeat_and_a_call_that_has_ended_count_nothing() -> None:
    making.limit(1_000, "tokens")
    given = reserve(hold(making.person()))
    assert [lose(given), lose(given, prompt=7), lose(given, attempt=2)] == [True, False, True]
    quotas.release([given.request_id], now=LATER)
    assert [lose(given, attempt=3), lose(hold())] == [False, False]
    assert counters() == [("tokens", 160, 0)]
    assert [entry[:2] for entry in entries()] == [("attempt", 1), ("attempt", 2)]
    assert Reservation.objects.get().state == "released"
    assert list(proof.drifts()) == []


@pytest.mark.parametrize(("amount", "over"), [(580, False), (579, True)])
def test_without_room_beside_the_hold_it_is_an_overrun(amount: int, over: bool) -> None:
    making.limit(amount, "tokens")
    lose(reserve(hold(making.person())))
    assert counters() == [("tokens", 80, 500)]
    assert entries() == [("attempt", 1, 0, 80, True, over)]
    with pytest.raises(quotas.LimitReached):
        reserve(hold(User.objects.get(), input=1, output=1))


def test_a_limit_that_only_warns_or_names_this_model_is_not_passed_by_it() -> None:
    model = making.new()
    making.limit(500, "tokens", at_limit="warn")
    making.limit(500, "tokens", "week", at_limit="switch", switch_to=model)
    lose(reserve(hold(making.person(), model=model)), provider=making.new())
    assert [used for _unit, used, _held in counters()] == [80, 80]
    assert entries() == [("attempt", 1, 0, 80, True, False)]


@pytest.mark.parametrize("known", [True, False])
def test_it_costs_its_prompt_and_what_was_held_where_nobody_knows_the_price_any_more(known: bool) -> None:
    Organisation.get()
    Organisation.objects.update(currency="USD")
    model = scene.model()
    price = {"effective_from": NOW - dt.timedelta(days=1), "input_micro": 2_000_000, "output_micro": 3_000_000}
    Price.objects.create(model=model, provider=model.providers.get(), **price)
    making.limit(10_000, "cost", "month")
    given = reserve(hold(making.person(), model=model.uuid))
    provider = model.providers.get().uuid if known else making.new()
    assert lose(given, provider=provider)
    counted = 160 if known else 1_400
    assert counters() == [("cost", counted, 1_400)]
    assert LedgerEntry.objects.get().organisation_cost_micro == (160 if known else None)
    assert list(proof.drifts()) == []
    quotas.settle([tried(given, attempt=2, provider=model.providers.get().uuid)], now=LATER)
    assert counters() == [("cost", counted + 160, 0)]
    assert list(proof.drifts()) == []


def test_a_lost_try_that_its_counter_does_not_know_is_a_drift() -> None:
    making.limit(1_000, "tokens")
    given = reserve(hold(making.person()))
    entry = tried(given)
    kept = {name: getattr(entry, name) for name in ("request_id", "source", "person", "input_tokens")}
    LedgerEntry.objects.create(**kept, attempt=1, kind="attempt", requests=0, reserved_at=NOW, at=LATER)
    assert len(list(proof.drifts())) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_count_the_same_try_at_once_one_does() -> None:
    making.limit(1_000, "tokens")
    given = reserve(hold(making.person()))
    results = scene.at_once(*[partial(lose, given)] * 4)
    assert sorted(map(str, results)) == ["False"] * 3 + ["True"]
    assert counters() == [("tokens", 80, 500)]
