"""The desk: who sees it, what waits first, figures that lead to their rows, files that no spreadsheet runs."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re
import uuid

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.clock import now
from accounts.models import Membership, Organisation, Team, User
from accounts.people_rights import give
from portal import desk_cards
from providers.models import LanguageModel, ProviderState
from tests.accounts.test_setup_views import signed_in
from tests.chat import scene
from tests.usage import making
from usage import rollups
from usage.models import Invocation, PersonDay, QuotaRequest, Rollup, RollupTimes

pytestmark = pytest.mark.django_db
PAGE = "/setup/desk/"
QUERIES = 35


def person(name: str, **fields: object) -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!", language="en", **fields)


@pytest.fixture
def admin() -> Client:
    Organisation.get()
    Organisation.objects.update(currency="USD", time_zone="Europe/Berlin")
    return signed_in(User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC"))


def asked(
    who: User,
    *,
    model: LanguageModel | None = None,
    team: Team | None = None,
    cost: int = 2_000_000,
    outcome: str = "done",
    source: str = "page",
) -> None:
    """A call that is in the sums."""
    at = now()
    row = Invocation(
        request_id=uuid.uuid4(), source=source, person=who.uuid, team=team.uuid if team else None,
        model=model.uuid if model else None, created_at=at, finished_at=at, ttft_ms=900, duration_ms=5_000, outcome=outcome,
        organisation_currency="USD", organisation_cost_micro=cost,
    )  # fmt: skip
    row.save()
    tally = rollups.Tally()
    tally.calls([row])
    tally.write()
    PersonDay.objects.update(organisation_currency="USD", organisation_cost_micro=cost)
    Rollup.objects.update(organisation_currency="USD", organisation_cost_micro=cost)


def test_an_empty_desk_says_what_to_do_first_and_that_nothing_happened(admin: Client) -> None:
    page = admin.get(PAGE)
    words = page.content.decode()
    assert page.status_code == 200
    assert "No call in this time." in words
    assert "none has shown itself" in words
    assert 'style="' not in words
    assert "No answer failed." in words


def test_it_is_for_staff_with_the_right_and_a_manager_sees_her_team_alone(admin: Client) -> None:
    staff, mary, tom, eve = person("staff", is_staff=True), person("mary"), person("tom"), person("eve")
    sales = making.team("Sales", mary, tom)
    Membership.objects.filter(user=mary).update(role="manager")
    asked(tom, team=sales)
    assert signed_in(staff).get(PAGE).status_code == 403
    give(staff, bundles=["desk"])
    assert signed_in(staff).get(PAGE).status_code == 200
    of_team = f"/me/team/{sales.uuid}/desk/"
    assert [signed_in(who).get(of_team).status_code for who in (mary, tom, eve)] == [200, 404, 404]
    assert [signed_in(who).get(PAGE).status_code for who in (mary, eve)] == [403, 403]
    assert [signed_in(who).get(f"{of_team}models.csv").status_code for who in (mary, tom, eve)] == [200, 404, 404]
    assert signed_in(mary).get(f"/me/team/{uuid.uuid4()}/desk/").status_code == 404
    words = signed_in(mary).get(of_team).content.decode()
    assert "$2.00" in words
    assert "/setup/" not in words.split("<main", 1)[1]
    assert Client().get(PAGE).status_code == 302


def test_names_of_people_are_for_those_who_may_see_them(admin: Client) -> None:
    staff, tom = person("staff", is_staff=True), person("tom")
    asked(tom)
    give(staff, bundles=["desk"])
    client = signed_in(staff)
    assert "Tom" not in client.get(PAGE).content.decode()
    assert client.get(f"{PAGE}people.csv").status_code == 404
    give(staff, bundles=["desk", "desk_people"])
    client = signed_in(staff)
    assert "Tom" in client.get(PAGE).content.decode()
    assert "Tom" in client.get(f"{PAGE}people.csv").content.decode()


def test_what_waits_stands_first_each_with_its_button(admin: Client) -> None:
    model = scene.model("thorough")
    provider = model.providers.get()
    ProviderState.objects.create(
        provider=provider, circuit="open", reason="unreachable", retry_at=now() + dt.timedelta(minutes=5)
    )
    row = QuotaRequest.objects.create(quota=making.limit(5), person=uuid.uuid4(), person_name="Ada", reason="Tender")
    words = admin.get(PAGE).content.decode()
    found = re.findall(r'<a class="btn" href="([^"]+)" aria-label="([^"]+)"', words)
    assert found == [
        (f"/setup/models/provider/{provider.uuid}/", "Look: “provider of thorough” does not answer"),
        (f"/setup/limits/requests/{row.uuid}/", "Answer: Ada asks for more"),
        ("/setup/prices/", "Enter it: “THOROUGH” has no price"),
        ("/setup/", "How: No backup for more than a week"),
    ]
    assert words.index("Waiting for you") < words.index("Cost by model") < words.index("Answering / waiting")


def test_a_figure_leads_to_the_calls_behind_it(admin: Client) -> None:
    model = scene.model("thorough")
    asked(person("tom"), model=model)
    words = admin.get(f"{PAGE}?range=hour").content.decode()
    links = re.findall(r'href="(/setup/calls/[^"]+)"', words)
    assert any(f"model={model.uuid}" in link for link in links)
    assert all("from=2" in link and "to=2" in link for link in links)


def test_a_figure_leads_to_as_many_calls_as_it_says(admin: Client) -> None:
    ada, model = person("ada"), scene.model("thorough")
    for outcome in ("done", "failed", "interrupted", "cancelled"):
        asked(ada, model=model, outcome=outcome)
    asked(ada, model=model, source="title")
    refused = Invocation.objects.get(source="title")
    refused.pk, refused.request_id, refused.source, refused.outcome = None, uuid.uuid4(), "page", "refused"
    refused.error_kind = "limit_reached"
    refused.save()
    rollups.refused(team=None, source="page", reason="limit_reached", now=now())
    words = admin.get(f"{PAGE}?range=hour").content.decode()
    links = dict.fromkeys(re.findall(r'href="(/setup/calls/[^"]+)">([^<]+)<', words))
    found = {(html.unescape(link), figure) for link, figure in links if figure.isdecimal()}
    assert {figure for _link, figure in found} == {"1", "4"}
    for link, figure in found:
        listed = admin.get(link).content.decode()
        assert listed.count('<span class="state ') == int(figure), link
    bad = next(link for link in re.findall(r'href="(/setup/calls/[^"]+)"', words) if "outcome=bad" in link)
    states = re.findall(r'<span class="state [a-z]*">([^<]+)</span>', admin.get(html.unescape(bad)).content.decode())
    assert sorted(states) == ["failed", "not finished"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("range=hour", "Last hour"), ("range=day", "24 hours"), ("range=week", "7 days"), ("range=last", "Last month"),
        ("range=x", "This month"), ("from=2026-03-01&to=2026-04-02", ""), ("from=2026-03-01", ""), ("from=x", "This month"),
        ("from=2026-04-02&to=2026-03-01", "This month"), ("from=0001-01-01&to=9999-12-31", "This month"),
    ],
)  # fmt: skip
def test_any_range_is_shown_and_a_wrong_one_is_told(admin: Client, query: str, shown: str) -> None:
    words = admin.get(f"{PAGE}?{query}").content.decode()
    assert re.findall(r'aria-current="page">([^<]+)<', words.split('class="grid"')[0]) == ([shown] if shown else [])
    assert ('role="alert"' in words) == (query.startswith("from") and shown != "")


@pytest.mark.parametrize("what", sorted(desk_cards.TABLES))
def test_each_table_is_a_file_and_a_name_that_is_a_formula_is_none_there(admin: Client, what: str) -> None:
    model = scene.model("thorough")
    LanguageModel.objects.update(name="=HYPERLINK(1)")
    team = making.team("+Sales")
    asked(person("=tom"), model=model, team=team)
    User.objects.filter(email="=tom@example.com").update(name="@Tom")
    answer = admin.get(f"{PAGE}{what}.csv?range=hour")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    cells = [cell for line in csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))) for cell in line]
    assert cells
    assert [cell for cell in cells if cell[:1] in "=+@" and cell] == []
    assert admin.get(f"{PAGE}nothing.csv").status_code == 404


@pytest.mark.parametrize("groups", [1, 3, 1_000])
def test_the_page_costs_the_same_number_of_queries_for_any_number_of_groups(
    admin: Client, groups: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bucket, ids = rollups.bucket_of(now()), [uuid.uuid4() for _ in range(groups)]
    day = now().date()
    Rollup.objects.bulk_create(
        [Rollup(bucket=bucket, model=i, provider=i, source="page", outcome="done", calls=2) for i in ids]
    )
    RollupTimes.objects.bulk_create(
        [RollupTimes(bucket=bucket, model=i, provider=i, ttft_05=1, ttft_max=300) for i in ids]
    )
    PersonDay.objects.bulk_create([PersonDay(day=day, person=i, team=i, key=i, model=i, calls=2) for i in ids])
    admin.get(PAGE)
    with django_assert_num_queries(QUERIES):
        assert admin.get(PAGE).status_code == 200


def test_the_plain_administration_begins_with_the_desks_figures_for_those_who_may_see_them(admin: Client) -> None:
    asked(person("tom"))
    words = admin.get("/admin/").content.decode()
    assert '<a href="/setup/desk/">' in words
    assert "$2.00" in words
    staff = signed_in(person("staff", is_staff=True))
    assert "/setup/desk/" not in staff.get("/admin/").content.decode()
