"""Prices with history: what was in force stays, what is to come may be taken back, and the offline list never replaces anything."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.clock import now
from accounts.models import AuditEvent, User
from accounts.refusals import NotPossible
from providers import prices
from providers.models import AMOUNTS, LanguageModel, ModelRoute, PastIsFixed, Price, Provider
from providers.prices import Draft

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def route() -> ModelRoute:
    return route_of("gpt-4o")


def route_of(name: str, *, base_url: str = "https://api.openai.com/v1") -> ModelRoute:
    provider, _made = Provider.objects.get_or_create(name=base_url[:80], defaults={"base_url": base_url})
    model = LanguageModel.objects.create(slug=name, name=name, enabled=True)
    return ModelRoute.objects.create(model=model, provider=provider, upstream_name=name)


def usd(**amounts: int) -> Draft:
    return Draft("USD", {f"{name}_micro": micro for name, micro in amounts.items()})


def from_in(days: int, **amounts: int) -> Draft:
    return Draft("USD", {f"{name}_micro": micro for name, micro in amounts.items()}, starts=now() + days * DAY)


def test_a_price_that_has_begun_is_neither_changed_nor_removed(route: ModelRoute) -> None:
    price = prices.enter(route, usd(input=1))
    price.input_micro = 2
    rows = Price.objects.filter(pk=price.pk)
    for deed in (price.save, price.delete, rows.delete, lambda: rows.update(input_micro=2)):
        with pytest.raises(PastIsFixed):
            deed()
    with pytest.raises(PastIsFixed), transaction.atomic():
        Price.objects.bulk_update([price], ["input_micro"])
    assert list(Price.objects.values_list("input_micro", flat=True)) == [1]


def test_one_row_that_has_begun_keeps_all_rows_from_being_removed_at_once(route: ModelRoute) -> None:
    prices.enter(route, usd(input=1))
    prices.enter(route, from_in(1, input=2))
    with pytest.raises(PastIsFixed):
        Price.objects.all().delete()
    assert Price.objects.count() == 2
    assert Price.objects.future().delete()[0] == 1


def test_the_past_takes_no_new_price(route: ModelRoute) -> None:
    with pytest.raises(NotPossible, match="past"):
        prices.enter(route, Draft("USD", {}, starts=now() - DAY))
    with pytest.raises(ValidationError):
        Price(model=route.model, provider=route.provider, effective_from=now() - DAY).full_clean()
    assert not Price.objects.exists()


def test_a_new_price_starts_on_its_date_and_the_old_one_stays(route: ModelRoute) -> None:
    old, new = prices.enter(route, usd(input=1)), prices.enter(route, from_in(1, input=2))
    key = (route.model_id, route.provider_id)
    assert prices.in_force([route]) == {key: old}
    assert prices.to_come([route]) == {key: new}
    assert list(prices.history(route)) == [new, old]


def test_two_prices_never_begin_at_the_same_moment(route: ModelRoute) -> None:
    draft = from_in(1, input=1)
    prices.enter(route, draft)
    with pytest.raises(NotPossible, match="taken"):
        prices.enter(route, draft)
    assert Price.objects.count() == 1
    assert AuditEvent.objects.filter(action="price.entered").count() == 1


def test_the_trail_tells_what_the_price_was_before(route: ModelRoute) -> None:
    prices.enter(route, usd(input=2_500_000, output=10_000_000))
    prices.enter(route, Draft("CNY", {"input_micro": 3_000_000, "output_micro": 10_000_000}))
    changes = AuditEvent.objects.order_by("number").filter(action="price.entered").last().changes  # type: ignore[union-attr]  # two were written
    assert (changes["currency"], changes["input_micro"]) == (["USD", "CNY"], ["2.5", "3"])
    assert "output_micro" not in changes


def test_only_a_price_to_come_is_taken_back(route: ModelRoute, rf: RequestFactory) -> None:
    begun, coming = prices.enter(route, usd(input=1)), prices.enter(route, from_in(1, input=2))
    request = rf.post("/")
    request.user = User.objects.create(email="a@example.com")
    prices.remove(coming, request=request)
    with pytest.raises(NotPossible, match="past"):
        prices.remove(begun, request=request)
    assert list(Price.objects.all()) == [begun]
    assert AuditEvent.objects.filter(action="price.removed").count() == 1


def test_the_list_fills_in_only_what_never_had_a_price(route: ModelRoute, settings: Settings) -> None:
    filled = prices.fill(route)
    assert filled is not None
    assert (filled.origin, filled.currency, filled.input_micro, filled.output_micro) == (
        "list",
        "USD",
        2_500_000,
        10_000_000,
    )
    assert (filled.cached_input_micro, filled.reasoning_micro, filled.per_image_micro) == (1_250_000, 0, 0)
    other = route_of("gpt-4o-mini")
    own = prices.enter(other, from_in(1, input=7))
    assert (prices.fill(route), prices.fill(other)) == (None, None)
    assert list(prices.history(other)) == [own]


def test_the_list_says_nothing_about_a_model_elsewhere() -> None:
    assert prices.fill(route_of("gpt-4o", base_url="https://gateway.example.com/v1")) is None
    assert not Price.objects.exists()


def test_the_demonstration_costs_nothing(route: ModelRoute) -> None:
    Provider.objects.update(source=Provider.Source.SIMULATOR)
    route.provider.refresh_from_db()
    filled = prices.fill(route)
    assert filled is not None
    assert filled.is_free
    assert prices.amounts_of(filled) == dict.fromkeys(AMOUNTS, 0)


@pytest.mark.parametrize("count", [1, 3])
def test_models_without_a_price_are_listed(count: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    without = [route_of(f"local-{n}", base_url="http://127.0.0.1:9/v1") for n in range(count)]
    later, priced, off = route_of("later"), route_of("priced"), route_of("off")
    prices.enter(priced, usd())
    prices.enter(later, from_in(1, input=1))
    LanguageModel.objects.filter(pk=off.model_id).update(enabled=False)
    with django_assert_num_queries(1):
        assert [route.pk for route in prices.unpriced()] == [*(route.pk for route in without), later.pk]
    with django_assert_num_queries(1):
        assert len(prices.in_force([*without, later, priced])) == 1


def test_pairs_are_found_by_parts_of_names(route: ModelRoute) -> None:
    other = route_of("qwen", base_url="http://qwen.example.com/v1")
    assert list(prices.pairs("GPT")) == [route]
    assert list(prices.pairs("qwen.example")) == [other]
    assert len(prices.pairs()) == 2
