"""The meter and the notice by the box: what is left of the tightest limit, and what stands in the way, with what still works."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.clock import now
from accounts.models import Organisation, User
from chat.models import Conversation
from providers import prices
from providers.models import LanguageModel, ModelRoute, Provider
from providers.prices import Draft
from tests.accounts.test_setup_views import signed_in
from tests.usage.making import limit, new
from usage.models import LedgerEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    Organisation.get()
    return User.objects.create(email="ada@example.com", name="Ada", password="!", language="en")


@pytest.fixture
def page(ada: User) -> Client:
    provider = Provider.objects.create(name="P", base_url="http://127.0.0.1:9/v1")
    for place, name in enumerate(("Thorough", "Quick")):
        model = LanguageModel.objects.create(slug=name.lower(), name=name, enabled=True, position=place)
        route = ModelRoute.objects.create(model=model, provider=provider, upstream_name=name)
        if name == "Quick":
            prices.enter(route, Draft("USD", {}))
    return signed_in(ada)


def used(ada: User, requests: int, **fields: Any) -> None:
    at = now()
    LedgerEntry.objects.create(
        request_id=new(),
        kind="settle",
        reserved_at=at,
        at=at,
        source="page",
        person=ada.uuid,
        requests=requests,
        **fields,
    )


def shown(client: Client) -> str:
    return str(client.get("/chat/").content.decode())


def send(client: Client, **fields: Any) -> Any:
    body = {"text": "Why?", "client_id": "0123456789abcdef", **fields}
    return client.post(
        "/chat/messages/", json.dumps(body), content_type="application/json", headers={"accept": "application/json"}
    )


def model_of(name: str) -> str:
    return str(LanguageModel.objects.get(slug=name).uuid)


def test_without_limits_there_is_no_meter(page: Client) -> None:
    assert 'class="meter' not in shown(page)
    assert 'role="alert"></p>' in shown(page)


def test_the_meter_shows_the_tightest_limit_as_the_organisation_wants_it(page: Client, ada: User) -> None:
    limit(10)
    limit(1_000, "tokens", "month")
    used(ada, 2, input_tokens=100)
    assert "80 % left today" in shown(page)
    Organisation.objects.update(usage_shown="tokens")
    assert "900 tokens left this month" in shown(page)
    Organisation.objects.update(usage_shown="money")
    assert "8 questions left today" in shown(page)  # nothing is limited in money
    used(ada, 6)
    assert "meter num warn" in shown(page)


def test_a_limit_in_the_way_is_told_with_what_still_works(page: Client, ada: User) -> None:
    mine = limit(2, models=[model_of("thorough")])
    used(ada, 2, model=model_of("thorough"))
    told = shown(page)
    assert "Your allowance for today is used up: 2 of 2 questions." in told
    assert "It returns tomorrow at 00:00 (UTC)." in told
    assert "“Quick” still works." in told
    assert f"/me/usage/ask/{mine.uuid}/" in told
    assert "is used up" not in page.get("/chat/limit/", {"model": "quick"}).content.decode()


def test_a_refused_send_carries_the_notice_and_nothing_is_stored(page: Client, ada: User) -> None:
    mine = limit(2)
    used(ada, 2)
    answer = send(page)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["quota"], error["used"]) == (
        429,
        "limit_reached",
        str(mine.uuid),
        2,
    )
    assert "Request more" in error["notice"]
    plain = page.post("/chat/messages/", {"text": "Why not?", "client_id": "fedcba9876543210"})
    assert plain.status_code == 429
    assert "Why not?" in plain.content.decode()
    assert "is used up: 2 of 2 questions" in plain.content.decode()
    assert not Conversation.objects.exists()


def test_a_question_that_needs_more_than_is_left_is_told_so(page: Client, ada: User) -> None:
    limit(1_000, "input", "day")
    used(ada, 1, input_tokens=999)
    notice = send(page, text="word " * 400).json()["error"]["notice"]
    assert "What is left today is not enough for this: 1 of 1,000 tokens." in notice


def test_money_stops_what_has_no_price_and_never_what_is_free(page: Client, ada: User) -> None:
    limit(1_000_000, "cost", "month")
    used(ada, 1, organisation_cost_micro=1_000_000, organisation_currency="USD")
    told = shown(page)
    assert "nobody has entered a price for “Thorough”" in told
    assert "“Quick” still works." in told
    assert 'role="alert"' not in page.get("/chat/limit/", {"model": "quick"}).content.decode()


def test_what_only_warns_or_switches_is_not_in_the_way(page: Client, ada: User) -> None:
    limit(2, at_limit="warn")
    limit(2, "requests", "week", at_limit="switch", switch_to=model_of("quick"))
    used(ada, 5)
    assert "is used up" not in shown(page)
    assert "0 % left" in shown(page)


def test_an_unknown_model_has_no_allowance_of_its_own(page: Client, ada: User) -> None:
    limit(2)
    assert "100 % left" in page.get("/chat/limit/", {"model": "nothing\x00"}).content.decode()
