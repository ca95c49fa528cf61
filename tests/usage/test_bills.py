"""What a call may cost at most is never less than what it can cost; what nobody knows is not guessed."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from providers.models import LanguageModel, ModelRoute, Price, Provider
from tests.usage import making
from tests.usage.making import NOW
from usage import pricing, tariffs
from usage.models import ExchangeRate

pytestmark = pytest.mark.django_db
BEGIN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
MICRO = st.integers(0, 90_000_000)
TOKENS = st.integers(0, 10**6)


def model(*names: str) -> LanguageModel:
    made = LanguageModel.objects.create(slug="m", name="M", enabled=True)
    for name in names:
        ModelRoute.objects.create(model=made, provider=Provider.objects.create(name=name), upstream_name="m")
    return made


def price(of: LanguageModel, name: str, *, since: dt.datetime = BEGIN, currency: str = "USD", **micro: int) -> Price:
    provider = Provider.objects.get(name=name)
    return Price.objects.create(model=of, provider=provider, currency=currency, effective_from=since, **micro)


def test_the_dearest_way_counts_and_it_is_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    making.in_zone("")
    made = model("A", "B")
    price(made, "A", input_micro=1_000_000, output_micro=2_000_000)
    price(made, "B", input_micro=3_000_000, output_micro=1_000_000, per_call_micro=7)
    with django_assert_num_queries(1):
        tariff = tariffs.of(made.uuid, at=NOW)
    assert tariff.most(input=100, output=0) == 307
    assert tariff.most(input=0, output=100) == 200


def test_the_price_of_the_moment_counts_in_the_organisations_currency() -> None:
    making.in_zone("")
    Organisation.objects.update(currency="CNY")
    made = model("A")
    price(made, "A", input_micro=1_000_000)
    price(made, "A", since=NOW, input_micro=2_000_000)
    assert not tariffs.of(made.uuid, at=NOW).known
    ExchangeRate.objects.create(currency="USD", into="CNY", rate_micro=7_000_000, effective_from=BEGIN)
    assert tariffs.of(made.uuid, at=NOW).most(input=10, output=0) == 140
    assert tariffs.of(made.uuid, at=NOW - dt.timedelta(seconds=1)).most(input=10, output=0) == 70


def test_one_way_without_a_price_is_enough_not_to_know() -> None:
    making.in_zone("")
    made = model("A", "B")
    price(made, "A", input_micro=1)
    assert not tariffs.of(made.uuid, at=NOW).known
    ModelRoute.objects.filter(provider__name="B").update(enabled=False)
    assert tariffs.of(made.uuid, at=NOW).known
    assert not tariffs.of(None, at=NOW).known


@given(
    micro=st.tuples(MICRO, MICRO, MICRO, MICRO), call=st.integers(0, 10**6), rate=st.integers(1, 10**9), size=st.tuples(TOKENS, TOKENS),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)  # fmt: skip
def test_whatever_a_call_within_the_hold_takes_it_costs_no_more_than_was_held(
    micro: tuple[int, int, int, int], call: int, rate: int, size: tuple[int, int], parts: tuple[float, ...]
) -> None:
    row = pricing.PriceRow(making.new(), "USD", *micro, call, 0, 0)
    most = tariffs.Tariff(((row, rate),)).most(input=size[0], output=size[1])
    taken, made = int(size[0] * parts[0]), int(size[1] * parts[1])
    cost = pricing.cost_micro(
        row, input=taken, cached=int(taken * parts[2]), output=made, reasoning=int(made * parts[3])
    )
    assert -(-cost * rate // 1_000_000) <= most
