"""My usage: one's own figures and limits, as the organisation shows them; a file; asking for more of what applies to oneself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.clock import now
from accounts.models import Organisation, User
from tests.accounts.test_setup_views import signed_in
from tests.usage.making import limit, new, team
from usage import moments, spending
from usage.models import LedgerEntry, QuotaRequest

pytestmark = pytest.mark.django_db
PAGE = "/me/usage/"


def person(name: str) -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!", language="en")


@pytest.fixture
def ada() -> User:
    return person("ada")


@pytest.fixture
def page(ada: User) -> Client:
    Organisation.get()
    Organisation.objects.update(usage_shown="money", time_zone="Asia/Shanghai")
    return signed_in(ada)


def used(who: User, *, model: str = "Quick", days: int = 0, cost: int | None = 1_500_000, **fields: Any) -> None:
    at = now() - dt.timedelta(days=days)
    LedgerEntry.objects.create(
        request_id=new(), kind="settle", reserved_at=at, at=at, source="page", person=who.uuid, model_name=model,
        input_tokens=100, output_tokens=20, organisation_currency="USD" if cost is not None else "",
        organisation_cost_micro=cost, **fields,
    )  # fmt: skip


def shown(client: Client, **query: str) -> str:
    return str(client.get(PAGE, query).content.decode())


def test_an_empty_page_says_so_and_strangers_sign_in_first(page: Client) -> None:
    assert "Nothing limits you here." in shown(page)
    assert "Nothing in these days." in shown(page)
    assert Client().get(PAGE)["Location"] == f"/accounts/login/?next={PAGE}"


def test_one_sees_only_what_one_used_oneself(page: Client, ada: User) -> None:
    used(ada)
    used(ada, model="Thorough", days=3, cost=None)
    used(ada, model="Long ago", days=20)
    used(person("bob"), model="Of another")
    week = shown(page, days="7")
    assert "$1.50" in week
    assert "1 call has no price and is not in the cost." in week
    assert "Long ago" not in week
    assert "Of another" not in week
    assert "$3.00" in shown(page, days="30")
    assert shown(page, days="4x").count('aria-current="page"') == 1


def test_money_of_another_currency_is_not_added_to_this_one(page: Client, ada: User) -> None:
    used(ada)
    Organisation.objects.update(currency="CNY")
    assert "¥0.00" in shown(page)
    assert "1 call has no price" in shown(page)


def test_limits_say_used_held_left_and_when_they_return(page: Client, ada: User) -> None:
    used(ada)
    limit(200)
    limit(2_000_000, "cost", "month")
    limit(3, "at_once", "none")
    first = shown(page)
    assert "1 of 200 used · 199 left" in first
    assert "$1.50 of $2.00 used · $0.50 left" in first
    assert "at most 3" in first
    assert "(Asia/Shanghai)." in first
    Organisation.objects.update(usage_shown="share")
    as_share = shown(page)
    assert "75 % used · 25 % left" in as_share
    assert "$1.50" not in as_share


def test_a_day_begins_on_the_organisations_clock(page: Client, ada: User) -> None:
    at = dt.datetime(2026, 1, 14, 17, tzinfo=dt.UTC)  # the next day in Shanghai

    LedgerEntry.objects.create(request_id=new(), kind="settle", reserved_at=at, at=at, source="page", person=ada.uuid)
    tz = moments.zone(Organisation.get())
    days = [dt.date(2026, 1, 14), dt.date(2026, 1, 15)]
    rows = spending.of_person(ada.uuid, days=days, tz=tz, currency="USD")
    assert [row.day for row in rows] == [dt.date(2026, 1, 15)]


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_asks_the_same_number_of_times_for_any_number_of_calls(
    page: Client, ada: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in range(count):
        used(ada, model=f"M{n}")
    page.get(PAGE)
    with django_assert_num_queries(7):
        page.get(PAGE)


def test_the_file_holds_one_line_a_day_and_model_and_no_formula(page: Client, ada: User) -> None:
    used(ada, model="=cmd()")
    used(ada, model="=cmd()")
    answer = page.get(f"{PAGE}export/", {"days": "7"})
    assert answer["Content-Disposition"].startswith('attachment; filename="usage-')
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0] == "day,model,questions,input tokens,output tokens,cost,currency,calls of unknown cost"
    assert lines[1].partition(",")[2] == "'=cmd(),2,200,40,3,USD,0"
    Organisation.objects.update(usage_shown="tokens")
    assert "cost" not in page.get(f"{PAGE}export/").content.decode()


def ask(client: Client, quota: Any, **fields: str) -> Any:
    return client.post(reverse("usage:ask", args=[quota.uuid]), {"reason": "The report is due"} | fields)


def test_more_is_asked_for_once_with_a_reason(page: Client, ada: User) -> None:
    mine = limit(200)
    assert "Request more" in shown(page)
    assert ask(page, mine, reason="").status_code == 422
    assert ask(page, mine, amount="50").status_code == 302
    request = QuotaRequest.objects.get()
    assert (request.person, request.person_name, request.amount, request.state) == (ada.uuid, "Ada", 50, "open")
    after = shown(page)
    assert "waits for an answer" in after
    assert "asked for more" in after
    assert ask(page, mine).status_code == 422
    assert QuotaRequest.objects.count() == 1


def test_an_amount_of_money_is_typed_as_money(page: Client) -> None:
    money = limit(2_000_000, "cost", "month")
    assert ask(page, money, amount="1,000").status_code == 422
    assert ask(page, money, amount="2.50").status_code == 302
    assert QuotaRequest.objects.get().amount == 2_500_000


def test_limits_of_others_do_not_exist(page: Client) -> None:
    bob = person("bob")
    for theirs in (limit(9, scope="person", subject=bob), limit(9, scope="team", subject=team("Sales", bob))):
        assert ask(page, theirs).status_code == 404
        assert page.get(reverse("usage:ask", args=[theirs.uuid])).status_code == 404
    assert not QuotaRequest.objects.exists()
