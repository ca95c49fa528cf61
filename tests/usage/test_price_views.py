"""The pages of prices: what is unknown, a new price from a day on, the price list as an offer, what was stays."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.clock import now
from accounts.models import AuditEvent, Organisation, User
from providers import prices
from providers.models import LanguageModel, ModelRoute, Price, Provider
from providers.prices import Draft
from tests.accounts.test_setup_views import signed_in
from usage.models import ExchangeRate, Invocation

pytestmark = pytest.mark.django_db
OVERVIEW, RATES = "/setup/prices/", "/setup/prices/rates/"
TOMORROW = dt.timedelta(days=1)


@pytest.fixture
def admin() -> Client:
    root = User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC")
    Organisation.get()
    Organisation.objects.update(time_zone="Asia/Shanghai")
    return signed_in(root)


@pytest.fixture
def route() -> ModelRoute:
    return made("gpt-4o")


def made(name: str, *, base_url: str = "https://api.openai.com/v1") -> ModelRoute:
    provider, _new = Provider.objects.get_or_create(name="P", defaults={"base_url": base_url})
    model = LanguageModel.objects.create(slug=name, name=name, enabled=True)
    return ModelRoute.objects.create(model=model, provider=provider, upstream_name=name)


def page_of(route: ModelRoute) -> str:
    return reverse("prices:pair", args=[route.model.uuid, route.provider.uuid])


def enter(client: Client, route: ModelRoute, **fields: str) -> str:
    answer = client.post(page_of(route), {"currency": "USD"} | fields, follow=True)
    return str(answer.content.decode())


def shanghai(days: int) -> str:
    return (now().astimezone(dt.timezone(dt.timedelta(hours=8))).date() + dt.timedelta(days=days)).isoformat()


def test_whoever_may_not_connect_providers_sees_no_prices(route: ModelRoute) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    for page in (OVERVIEW, RATES, page_of(route), f"{OVERVIEW}export/"):
        assert signed_in(staff).get(page).status_code == 403
        assert Client().get(page)["Location"].startswith("/accounts/login/")
    assert signed_in(staff).post(page_of(route), {"currency": "USD", "input_micro": "1"}).status_code == 403
    assert not Price.objects.exists()


def test_a_price_that_is_saved_is_in_force_at_once_and_the_trail_knows(admin: Client, route: ModelRoute) -> None:
    assert "Saved. It is in force." in enter(admin, route, input_micro="2.50", output_micro="10", reasoning_micro="")
    price = Price.objects.get()
    assert (price.input_micro, price.output_micro, price.reasoning_micro) == (2_500_000, 10_000_000, 0)
    assert price.effective_from <= now()
    assert AuditEvent.objects.get(action="price.entered").changes["input_micro"] == [None, "2.5"]
    assert "$2.50 in · $10.00 out" in admin.get(OVERVIEW).content.decode()


def test_a_day_begins_on_the_organisations_clock(admin: Client, route: ModelRoute) -> None:
    day = shanghai(2)
    assert "Saved. It begins on its date." in enter(admin, route, input_micro="1", starts=day)
    begins = Price.objects.get().effective_from
    assert begins == dt.datetime.fromisoformat(f"{day}T00:00:00+08:00")
    assert "begins at this moment already" in enter(admin, route, input_micro="2", starts=day)
    shown = admin.get(page_of(route)).content.decode()
    assert "To come" in shown
    assert admin.post(reverse("prices:remove", args=[Price.objects.get().uuid])).status_code == 302
    assert not Price.objects.exists()


def test_the_past_is_refused_and_a_price_in_force_is_not_taken_back(admin: Client, route: ModelRoute) -> None:
    assert "The past stays as it was" in enter(admin, route, input_micro="1", starts=shanghai(-1))
    assert not Price.objects.exists()
    enter(admin, route, input_micro="1")
    answer = admin.post(reverse("prices:remove", args=[Price.objects.get().uuid]), follow=True)
    assert "in force already" in answer.content.decode()
    assert Price.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_micro", "-1"),
        ("output_micro", "1,000"),
        ("currency", "XXXX"),
        ("starts", "soon"),
        ("starts", "9999-12-31x"),
    ],
)
def test_what_is_no_price_is_refused(admin: Client, route: ModelRoute, field: str, value: str) -> None:
    answer = admin.post(page_of(route), {"currency": "USD", "input_micro": "1", field: value})
    assert answer.status_code == 422
    assert not Price.objects.exists()


def test_the_price_list_is_an_offer_and_replaces_nothing(admin: Client, route: ModelRoute) -> None:
    assert 'value="2.5"' in admin.get(page_of(route)).content.decode()
    assert not Price.objects.exists()
    prices.enter(route, Draft("CNY", {"input_micro": 7_000_000}))
    own = admin.get(page_of(route)).content.decode()
    assert 'value="7"' in own
    assert "Put this into the form" in own
    assert 'value="2.5"' in admin.get(page_of(route), {"list": "1"}).content.decode()
    assert Price.objects.count() == 1
    enter(admin, route, input_micro="2.5", cached_input_micro="1.25", output_micro="10")
    assert Price.objects.first().origin == "list"  # type: ignore[union-attr]  # it was just made


def test_unknown_costs_are_listed_with_their_calls_and_filled_in_by_one_click(admin: Client, route: ModelRoute) -> None:
    made("nobody-knows-this")
    moment = timezone.now()
    Invocation.objects.create(
        request_id=route.model.uuid, source="page", model=route.model.uuid, created_at=moment, finished_at=moment,
        outcome="done", input_tokens=5,
    )  # fmt: skip
    shown = admin.get(OVERVIEW).content.decode()
    assert shown.count("Enter a price for") == 2
    assert "1 call in 30 days" in shown
    assert "2 models have no price" in admin.get(reverse("providers:overview")).content.decode()
    after = admin.post(f"{OVERVIEW}fill/", follow=True).content.decode()
    assert "1 price was filled in." in after
    assert "1 model is not in the price list." in after
    assert list(Price.objects.values_list("model__slug", "origin")) == [("gpt-4o", "list")]
    admin.post(f"{OVERVIEW}fill/")
    assert Price.objects.count() == 1


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_the_same_number_of_times_for_any_number_of_models(
    admin: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(count):
        prices.enter(made(f"m{n}"), Draft("USD", {"input_micro": 1}))
    admin.get(OVERVIEW)
    with django_assert_num_queries(10):
        admin.get(OVERVIEW)


def test_an_empty_portal_has_a_page_of_prices(admin: Client) -> None:
    assert "No models are known yet." in admin.get(OVERVIEW).content.decode()
    assert "None yet." in admin.get(RATES).content.decode()


def test_rates_are_entered_and_only_those_to_come_are_taken_back(admin: Client, route: ModelRoute) -> None:
    prices.enter(route, Draft("CNY", {"input_micro": 1}))
    assert "There is no exchange rate for CNY" in admin.get(OVERVIEW).content.decode()
    assert admin.post(RATES, {"currency": "CNY", "rate": "0.14"}).status_code == 302
    admin.post(RATES, {"currency": "CNY", "rate": "0.15", "starts": shanghai(3)})
    now_row, later = ExchangeRate.objects.order_by("effective_from")
    assert (now_row.rate_micro, now_row.into, later.rate_micro) == (140_000, "USD", 150_000)
    assert "There is no exchange rate" not in admin.get(OVERVIEW).content.decode()
    for row in (now_row, later):
        admin.post(reverse("prices:rates_remove", args=[row.uuid]))
    assert list(ExchangeRate.objects.all()) == [now_row]
    told = AuditEvent.objects.filter(action__startswith="rate.").order_by("number").values_list("action", flat=True)
    assert list(told) == ["rate.entered", "rate.entered", "rate.removed"]


@pytest.mark.parametrize(
    "fields",
    [
        {"currency": "CNY", "rate": "0"},
        {"currency": "USD", "rate": "1"},
        {"currency": "CNY", "rate": "x"},
        {"currency": "CNY", "rate": "1", "starts": "2001-01-01"},
    ],
)
def test_what_is_no_rate_is_refused(admin: Client, fields: dict[str, str]) -> None:
    assert admin.post(RATES, fields).status_code == 422
    assert not ExchangeRate.objects.exists()


def test_the_currency_changes_and_what_was_entered_stays(admin: Client) -> None:
    admin.post(RATES, {"currency": "CNY", "rate": "0.14"})
    admin.post(f"{RATES}currency/", {"currency": "CNY"})
    assert Organisation.get().currency == "CNY"
    assert AuditEvent.objects.get(action="organisation.changed").changes == {"currency": ["USD", "CNY"]}
    assert ExchangeRate.objects.get().into == "USD"
    admin.post(f"{RATES}currency/", {"currency": "nonsense"})
    assert Organisation.get().currency == "CNY"
