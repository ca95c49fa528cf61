"""Holds: written once, within all limits or not at all, closed once, whoever closes them; the ledger has each call once."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django import DjangoAssertNumQueries

from tests.chat import scene
from tests.usage import making
from tests.usage.making import NOW, call, counters, hold, reserve
from usage import quotas
from usage.limit_models import QuotaNotice, QuotaPeriod
from usage.models import LedgerEntry, Reservation, ReservationLine

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(seconds=5)


def refused(given: quotas.Hold, *, now: dt.datetime = NOW) -> quotas.LimitReached:
    with pytest.raises(quotas.LimitReached) as caught:
        reserve(given, now=now)
    return caught.value


def test_a_hold_is_written_once() -> None:
    given = hold()
    reserve(given)
    with pytest.raises(IntegrityError):
        reserve(given)
    row = Reservation.objects.get()
    assert (row.state, row.tokens, row.input_tokens, row.output_tokens) == ("held", 500, 100, 400)
    assert (row.person, row.created_at, row.lines) == (given.person, NOW, 0)


def test_the_first_close_wins_and_a_repeat_closes_nothing() -> None:
    one, two = hold(), hold()
    for given in (one, two):
        reserve(given)
    assert quotas.settle([call(one), call(hold())], now=LATER) == {one.request_id}
    assert quotas.settle([call(one)], now=LATER) == set()
    assert quotas.release([one.request_id, two.request_id], now=LATER) == {two.request_id}
    states = dict(Reservation.objects.values_list("request_id", "state"))
    assert states == {one.request_id: "settled", two.request_id: "released"}
    assert set(Reservation.objects.values_list("closed_at", flat=True)) == {LATER}
    assert list(LedgerEntry.objects.values_list("request_id", "kind")) == [(one.request_id, "settle")]


def test_nothing_to_close_costs_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert quotas.settle([], now=NOW) == quotas.release([], now=NOW) == set()


@pytest.mark.parametrize("broken", [{"tokens": -1}, {"closed_at": NOW}, {"state": "settled"}])
def test_the_database_refuses_impossible_holds(broken: dict[str, object]) -> None:
    reserve(hold())
    with pytest.raises(IntegrityError), transaction.atomic():
        Reservation.objects.update(**broken)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_close_at_once_one_does() -> None:
    making.limit(5, scope="organisation")
    given = hold()
    reserve(given)
    settles: list[Callable[[], set[uuid.UUID]]] = [lambda: quotas.settle([call(given)], now=LATER)] * 5
    releases: list[Callable[[], set[uuid.UUID]]] = [partial(quotas.release, [given.request_id], now=LATER)] * 5
    results = scene.at_once(*map(in_transaction, settles + releases))
    assert sorted(map(str, results)) == ["0"] * 9 + ["1"]
    assert counters()[0][2] == 0
    assert LedgerEntry.objects.count() == counters()[0][1] <= 1


def in_transaction(work: Callable[[], set[uuid.UUID]]) -> Callable[[], int]:
    def run() -> int:
        with transaction.atomic():
            return len(work())

    return run


# --- limits -------------------------------------------------------------------------------------------------------------


def test_a_hold_takes_from_every_limit_and_its_settlement_counts_what_was_used() -> None:
    ada = making.person()
    for unit in ("requests", "tokens", "input", "output", "at_once"):
        making.limit(5_000, unit, "none" if unit == "at_once" else "day")
    given = hold(ada)
    reserve(given)
    held = [("requests", 0, 1), ("tokens", 0, 500), ("input", 0, 100), ("output", 0, 400), ("at_once", 0, 1)]
    assert sorted(counters()) == sorted(held)
    quotas.settle([call(given)], now=LATER)
    used = [("requests", 1, 0), ("tokens", 140, 0), ("input", 90, 0), ("output", 50, 0), ("at_once", 0, 0)]
    assert sorted(counters()) == sorted(used)
    assert sorted(ReservationLine.objects.values_list("amount", "used")) == [
        (1, 0),
        (1, 1),
        (100, 90),
        (400, 50),
        (500, 140),
    ]


def test_what_never_went_out_gives_all_of_it_back() -> None:
    ada = making.person()
    making.limit(5)
    given = hold(ada)
    reserve(given)
    quotas.release([given.request_id], now=LATER)
    assert counters() == [("requests", 0, 0)]
    assert not LedgerEntry.objects.exists()
    assert ReservationLine.objects.get().used == 0


def test_at_the_limit_it_says_which_one_and_when_it_returns_and_nothing_is_written() -> None:
    ada = making.person()
    making.in_zone("Asia/Shanghai")
    making.limit(2, scope="organisation", period="month")
    making.limit(1)
    first = hold(ada)
    reserve(first)
    quotas.settle([call(first)], now=NOW)
    reached = refused(hold(ada))
    assert (reached.limit.scope, reached.limit.used, reached.limit.held, reached.limit.cap) == ("each", 1, 0, 1)
    assert (reached.only_held, reached.needs) == (False, 1)
    assert reached.limit.resets_at == NOW.replace(hour=16)
    assert counters() == [("requests", 1, 0), ("requests", 1, 0)]
    assert Reservation.objects.count() == 1


def test_where_only_running_calls_are_in_the_way_it_says_so() -> None:
    ada = making.person()
    making.limit(1)
    reserve(hold(ada))
    assert refused(hold(ada)).only_held
    assert counters() == [("requests", 0, 1)]


def test_a_new_day_is_a_new_row_and_a_late_settlement_counts_into_the_old_one() -> None:
    ada = making.person()
    making.limit(1)
    given = hold(ada)
    late = NOW.replace(hour=23, minute=59, second=59)
    reserve(given, now=late)
    tomorrow = late + dt.timedelta(seconds=1)
    reserve(hold(ada), now=tomorrow)
    quotas.settle([call(given)], now=tomorrow)
    rows = QuotaPeriod.objects.order_by("starts_at").values_list("starts_at", "used", "held")
    assert list(rows) == [(NOW.replace(hour=0), 1, 0), (tomorrow, 0, 1)]


def test_a_limit_changed_acts_on_the_next_hold_and_lowered_below_what_is_used_it_only_refuses() -> None:
    ada = making.person()
    quota = making.limit(5)
    for _ in range(3):
        given = hold(ada)
        reserve(given)
        quotas.settle([call(given)], now=NOW)
    type(quota).objects.update(amount=2)
    reached = refused(hold(ada))
    assert (reached.limit.used, reached.limit.cap, reached.limit.left) == (3, 2, 0)
    type(quota).objects.update(amount=4)
    reserve(hold(ada))


def test_a_limit_made_in_the_midst_of_a_month_counts_what_the_ledger_knows() -> None:
    ada, bob, model = making.person("ada"), making.person("bob"), uuid.uuid4()
    for user, of_model in ((ada, model), (ada, None), (bob, model)):
        given = hold(user, model=of_model)
        reserve(given)
        quotas.settle([call(given)], now=NOW)
    making.limit(5, period="month")
    making.limit(300, "tokens", "month", models=[model])
    making.limit(1_000, "tokens", "month", scope="organisation")
    reached = refused(hold(ada, model=model))
    assert (reached.limit.unit, reached.limit.used, reached.needs) == ("tokens", 140, 500)
    reserve(hold(ada, output=50, model=model))
    assert [(used, held) for _, used, held in counters()] == [(2, 1), (140, 150), (420, 150)]
    assert set(QuotaPeriod.objects.values_list("opening", flat=True)) == {420, 2, 140}


def test_an_answer_is_made_shorter_where_less_is_left_and_no_shorter_than_allowed() -> None:
    ada = making.person()
    making.limit(1_000, "tokens")
    first = hold(ada)
    reserve(first)
    quotas.settle([call(first, input=100, output=400)], now=NOW)  # 500 left, 100 of them for the prompt
    given = reserve(hold(ada, output=900, least_output=256))
    assert given.output == 400
    assert Reservation.objects.order_by("-pk")[0].tokens == 500
    assert counters() == [("tokens", 500, 500)]
    quotas.release([given.request_id], now=NOW)
    assert refused(hold(ada, output=900, least_output=401)).needs == 1_000
    assert refused(hold(ada, output=900)).needs == 1_000


def test_who_only_needs_a_shorter_answer_that_others_hold_waits() -> None:
    ada = making.person()
    making.limit(1_000, "tokens")
    reserve(hold(ada))
    assert refused(hold(ada, output=950, least_output=256)).only_held


def test_limits_on_the_size_of_one_call() -> None:
    ada = making.person()
    making.limit(1_000, "prompt", "none")
    making.limit(300, "answer", "none")
    assert reserve(hold(ada)).output == 300
    reached = refused(hold(ada, input=1_001))
    assert (reached.limit.unit, reached.needs, reached.limit.cap) == ("prompt", 1_001, 1_000)
    assert counters() == []


def test_a_limit_that_only_warns_counts_and_refuses_nobody() -> None:
    ada = making.person()
    making.limit(1, at_limit="warn")
    for _ in range(3):
        given = hold(ada)
        reserve(given)
        quotas.settle([call(given)], now=NOW)
    assert counters() == [("requests", 3, 0)]


def test_a_limit_that_names_another_model_lets_that_one_through() -> None:
    ada, dear, cheap = making.person(), uuid.uuid4(), uuid.uuid4()
    making.limit(1, at_limit="switch", switch_to=cheap)
    given = hold(ada, model=dear)
    reserve(given)
    quotas.settle([call(given)], now=NOW)
    assert refused(hold(ada, model=dear)).switch_to == cheap
    reserve(hold(ada, model=cheap))
    assert counters() == [("requests", 1, 1)]


def test_a_title_is_no_question_but_its_tokens_count() -> None:
    ada = making.person()
    making.limit(1)
    making.limit(1_000, "tokens")
    making.limit(1, "at_once", "none")
    title = hold(ada, source="title", requests=0)
    reserve(title)
    reserve(hold(ada))
    quotas.settle([call(title)], now=NOW)
    assert sorted(counters()) == [("at_once", 0, 1), ("requests", 0, 1), ("tokens", 140, 500)]
    assert LedgerEntry.objects.get().requests == 0


def test_twelve_limits_cost_two_statements_more_than_none(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ada, eve = making.person("ada"), making.person("eve")
    making.in_zone("UTC")
    sales, priced = making.team("Sales", ada), making.priced_model()
    kinds = [(unit, period) for unit in ("requests", "tokens", "cost") for period in ("day", "month")]
    for scope, subject in (("person", ada), ("team", sales)):
        for unit, period in kinds:
            making.limit(100_000, unit, period, scope=scope, subject=subject)
    reserve(hold(ada, model=priced))
    assert QuotaPeriod.objects.count() == 12
    for user, statements in ((eve, 2), (ada, 4)):  # the look and the hold; the counters and the lines
        given = hold(user, model=priced)
        with django_assert_num_queries(statements):
            under = quotas.look(person=given.person, key=None, model=priced, now=NOW)
            quotas.reserve(given, under=under, now=NOW)


# --- what is said afterwards ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "counted", "clamped"),
    [
        ({"input": 0, "output": 0}, (0, 0), False),
        ({"input": 120, "output": 400}, (120, 400), False),
        ({"input": 400, "output": 10}, (400, 10), False),
        ({"input": 10**12, "output": 10**12}, (400, 400), True),
        ({"input": -5, "output": -5}, (0, 0), True),
    ],
)
def test_a_usage_that_cannot_be_is_cut_to_what_was_held_and_flagged(
    said: dict[str, Any], counted: tuple[int, int], clamped: bool
) -> None:
    ada = making.person()
    making.limit(10_000, "tokens")
    given = hold(ada)
    reserve(given)
    row = call(given, **said)
    quotas.settle([row], now=NOW)
    entry = LedgerEntry.objects.get()
    assert (entry.input_tokens, entry.output_tokens) == counted == (row.input_tokens, row.output_tokens)
    assert (entry.clamped, entry.overrun) == (clamped, counted[0] > 100)
    assert counters() == [("tokens", sum(counted), 0)]


def test_a_period_that_comes_to_80_and_100_percent_is_noted_once_each() -> None:
    ada = making.person()
    making.limit(5)
    noted = []
    for _ in range(5):
        given = hold(ada)
        reserve(given)
        quotas.settle([call(given)], now=NOW)
        noted.append(sorted(QuotaNotice.objects.values_list("percent", flat=True)))
    assert noted == [[], [], [], [80], [80, 100]]


def test_the_ledger_cannot_be_changed_or_removed_but_a_person_can_be_blanked() -> None:
    given = hold(making.person())
    reserve(given)
    quotas.settle([call(given)], now=NOW)
    for change in ({"input_tokens": 0}, {"person_name": "Bob"}, {"person": None}, {"outcome": "x"}, {"model_name": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            LedgerEntry.objects.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.all().delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.update(person=None, person_name="", key=None, team=None, input_tokens=0)
    LedgerEntry.objects.update(person=None, person_name="", key=None)
    entry = LedgerEntry.objects.get()
    assert (entry.person, entry.person_name, entry.input_tokens) == (None, "", 90)


def test_one_call_has_one_settlement_in_the_ledger_whatever_the_code_does() -> None:
    given = hold(making.person())
    reserve(given)
    quotas.settle([call(given)], now=NOW)
    again = LedgerEntry.objects.get()
    again.pk, again.uuid, again.attempt = None, uuid.uuid4(), 9
    again._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()
