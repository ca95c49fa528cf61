"""The bill: rounded up once, never negative, never less for more; prices and rates act from their moment on, at once."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts.clock import now
from accounts.models import Organisation
from providers import prices
from providers.models import LanguageModel, ModelRoute, PastIsFixed, Provider
from providers.prices import Draft
from usage.models import ExchangeRate
from usage.pricing import MILLION, PriceRow, convert, cost_micro, price_at

DAY = dt.timedelta(days=1)
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
AMOUNT, TOKENS = st.integers(0, 10**15), st.integers(0, 10**9)


def row(**amounts: int) -> PriceRow:
    every = dict.fromkeys(
        ("input", "cached_input", "output", "reasoning", "per_call", "per_image", "per_audio_minute"), 0
    )
    return PriceRow(uuid4(), "USD", **{f"{name}_micro": micro for name, micro in (every | amounts).items()})


PRICES = st.builds(row, input=AMOUNT, cached_input=AMOUNT, output=AMOUNT, reasoning=AMOUNT, per_call=AMOUNT)
CALLS = st.fixed_dictionaries({"input": TOKENS, "cached": TOKENS, "output": TOKENS, "reasoning": TOKENS})


def exact(price: PriceRow, call: dict[str, int]) -> Fraction:
    """The bill without rounding, written another way: token by token of its kind."""
    cached, thought = min(call["cached"], call["input"]), min(call["reasoning"], call["output"])
    kinds = [
        (call["input"] - cached, price.input_micro),
        (cached, price.cached_input_micro or price.input_micro),
        (call["output"] - thought, price.output_micro),
        (thought, price.reasoning_micro or price.output_micro),
    ]
    return sum((Fraction(count * micro, MILLION) for count, micro in kinds), Fraction(price.per_call_micro))


@CALM
@given(PRICES, CALLS)
def test_a_bill_is_the_exact_sum_rounded_up_once(price: PriceRow, call: dict[str, int]) -> None:
    bill = cost_micro(price, **call)
    assert 0 <= bill - exact(price, call) < 1
    assert bill >= 0


@CALM
@given(PRICES, CALLS, st.sampled_from(["input", "output"]), st.integers(0, 10**6))
def test_more_tokens_never_cost_less(price: PriceRow, call: dict[str, int], kind: str, more: int) -> None:
    # A cached part stays what it was: the whole grows.
    call |= {"cached": min(call["cached"], call["input"]), "reasoning": min(call["reasoning"], call["output"])}
    assert cost_micro(price, **call | {kind: call[kind] + more}) >= cost_micro(price, **call)


@CALM
@given(PRICES, CALLS, st.integers(0, 10**9))
def test_a_dearer_price_never_costs_less(price: PriceRow, call: dict[str, int], more: int) -> None:
    dearer = row(**{
        name: getattr(price, f"{name}_micro") + (more if getattr(price, f"{name}_micro") or name in ("input", "output") else 0)
        for name in ("input", "cached_input", "output", "reasoning", "per_call")
    })  # fmt: skip
    assert cost_micro(dearer, **call) >= cost_micro(price, **call)


@CALM
@given(PRICES, st.lists(CALLS, min_size=1, max_size=20))
def test_bills_one_by_one_are_above_the_bill_of_all_by_less_than_one_each(
    price: PriceRow, calls: list[dict[str, int]]
) -> None:
    whole = sum(exact(price, call) for call in calls)
    assert 0 <= sum(cost_micro(price, **call) for call in calls) - whole < len(calls)


@CALM
@given(PRICES, st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_absurd_usage_makes_no_negative_bill(price: PriceRow, first: int, second: int) -> None:
    assert cost_micro(price, input=first, cached=second, output=second, reasoning=first, calls=first) >= 0


def test_what_has_no_price_of_its_own_costs_what_the_whole_costs() -> None:
    plain = row(input=2_000_000, output=8_000_000)
    apart = row(input=2_000_000, output=8_000_000, cached_input=500_000, reasoning=1_000_000, per_call=7)
    call = {"input": 1_000_000, "cached": 400_000, "output": 500_000, "reasoning": 100_000}
    assert cost_micro(plain, **call) == 2_000_000 + 4_000_000
    assert cost_micro(apart, **call) == 1_200_000 + 200_000 + 3_200_000 + 100_000 + 7
    assert cost_micro(row(input=1), input=1, cached=0, output=0, reasoning=0) == 1
    assert (row().is_free, row(per_call=1).is_free) == (True, False)


# --- from the database ---------------------------------------------------------------------------------------------------


@pytest.fixture
def route(db: None) -> ModelRoute:
    provider = Provider.objects.create(name="P", base_url="http://127.0.0.1:9/v1")
    model = LanguageModel.objects.create(slug="m", name="m")
    return ModelRoute.objects.create(model=model, provider=provider, upstream_name="m")


def at(route: ModelRoute, moment: dt.datetime) -> int | None:
    found = price_at(route.model.uuid, route.provider.uuid, moment)
    return None if found is None else found.input_micro


def test_a_price_acts_from_its_moment_on_and_on_the_next_call(
    route: ModelRoute, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert at(route, now()) is None
    first = prices.enter(route, Draft("CNY", {"input_micro": 1}))
    coming = prices.enter(route, Draft("CNY", {"input_micro": 2}, starts=now() + DAY))
    assert at(route, first.effective_from - dt.timedelta(microseconds=1)) is None
    assert (at(route, now()), at(route, coming.effective_from)) == (1, 2)
    prices.enter(route, Draft("CNY", {"input_micro": 3}))
    with django_assert_num_queries(1):
        assert at(route, now()) == 3
    assert price_at(route.model.uuid, uuid4(), now()) is None


def rate(currency: str, into: str, rate_micro: int, *, days: int = -1) -> ExchangeRate:
    return ExchangeRate.objects.create(
        currency=currency, into=into, rate_micro=rate_micro, effective_from=now() + days * DAY
    )


@pytest.mark.django_db
def test_money_is_converted_with_the_rate_of_its_date(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Organisation.get()
    rate("CNY", "USD", 140_000, days=-9)
    rate("CNY", "USD", 138_889)
    rate("CNY", "USD", 999_999, days=1)
    rate("EUR", "CNY", 7_000_000)
    with django_assert_num_queries(1):
        assert convert("CNY", 1_000_001, now()) == (138_890, 138_889)
    assert convert("CNY", 1_000_000, now() - 3 * DAY) == (140_000, 140_000)
    assert convert("CNY", 1, now() - 30 * DAY) is None
    assert convert("USD", 17, now()) == (17, MILLION)
    assert convert("EUR", 17, now()) is None
    Organisation.objects.update(currency="CNY")
    assert convert("EUR", 2, now()) == (14, 7_000_000)
    assert convert("CNY", 5, now()) == (5, MILLION)


@pytest.mark.django_db
def test_money_is_converted_where_no_organisation_has_been_made_yet() -> None:
    Organisation.objects.all().delete()
    assert convert("USD", 5, now()) == (5, MILLION)


@pytest.mark.django_db
def test_a_rate_that_has_begun_stays() -> None:
    row = rate("CNY", "USD", 140_000)
    row.rate_micro = 1
    for deed in (row.save, row.delete, ExchangeRate.objects.all().delete):
        with pytest.raises(PastIsFixed):
            deed()
    assert ExchangeRate.objects.get().rate_micro == 140_000
    assert rate("CNY", "USD", 1, days=1).delete()[0] == 1
