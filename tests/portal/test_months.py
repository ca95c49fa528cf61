"""The month report's pages: who sees what, closing once, invoices, files that no spreadsheet runs, queries for any number of rows."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import uuid

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts import clock
from accounts.models import AuditEvent, Membership, Organisation, Team, User
from accounts.people_rights import give
from chat.models import Generation
from portal import month_tables
from portal.desk_cards import Cell
from providers.models import LanguageModel, Provider
from tests.accounts.crowd import actions, person, root, signed_in
from tests.chat import scene
from tests.usage import making, month_rows
from tests.usage.month_rows import BERLIN, ENDS, MIDDLE, NOVEMBER_MIDDLE, OCTOBER, corrected, held, used
from usage import invoices, month_closing, rollups
from usage.limit_models import NOBODY
from usage.models import ClosedMonth, Invoice, MonthLine, PersonDay, Rollup

pytestmark = pytest.mark.django_db
LIST, PAGE = "/setup/months/", "/setup/months/2026-10/"
QUERIES, CLOSED_QUERIES, LIST_QUERIES = 18, 13, 14


@pytest.fixture(autouse=True)
def in_november(monkeypatch: pytest.MonkeyPatch) -> None:
    month_rows.berlin()
    monkeypatch.setattr(clock, "now", lambda: ENDS + dt.timedelta(days=2))


@pytest.fixture
def admin() -> Client:
    return signed_in(root())


def words(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_before_the_first_call_the_list_says_so_and_what_to_do(admin: Client) -> None:
    page = words(admin, LIST)
    assert "Nothing was counted yet" in page
    assert "Ask the first question" in page
    assert "November 2026" in page
    assert 'style="' not in page


def test_the_list_has_each_month_with_its_state_money_and_difference(admin: Client) -> None:
    pro = Provider.objects.create(name="Pro")
    used(MIDDLE - dt.timedelta(days=40), provider=pro)
    used(provider=pro)
    month_closing.close(dt.date(2026, 9, 1), tz=BERLIN, by=None)
    invoices.enter(
        OCTOBER, provider=(pro.uuid, "Pro"), model=(NOBODY, ""), amount_micro=2_100_000, currency="USD", by=root("eve")
    )
    rows = [plain(row) for row in re.findall(r"<tr>(.*?)</tr>", words(admin, LIST), re.S)[1:]]
    assert [row.split("$")[0].strip() for row in rows] == [
        "November 2026 running",
        "October 2026 not closed",
        "September 2026 closed",
    ]
    assert "$2.00 1 – +$0.10 +5.0 %" in rows[1].replace("&nbsp;", " ")
    assert "none entered" in rows[2]


def test_the_report_says_figures_corrections_and_what_is_unknown(admin: Client) -> None:
    sales = Team.objects.create(name="Sales", cost_centre="4711")
    entry = used(person=person("ada"), team=sales, own=("CNY", 10_000_000), micro=1_400_000)
    used(own=None, micro=None)
    corrected(entry, -100_000, at=MIDDLE, by=User.objects.get(email="ada@example.com"))
    corrected(entry, -200_000, at=NOVEMBER_MIDDLE)
    text = plain(words(admin))
    for said in ("$1.30", "$1.40 for calls", "-$0.10 corrections", "1 call without a price: not in it", "¥10.00", "0.1400", "4711",
                 "Sales", "Ada", "The provider billed less.", "1 call of this month was corrected later"):  # fmt: skip
        assert said in text, said


def test_it_is_for_staff_with_the_right_and_closing_asks_for_more(admin: Client) -> None:
    used(person=person("ada"))
    staff, eve = person("staff", is_staff=True), person("eve")
    for path in (LIST, PAGE, f"{PAGE}teams.csv", f"{PAGE}close/"):
        assert [signed_in(who).get(path).status_code for who in (staff, eve)] == [403, 403], path
        assert Client().get(path).status_code == 302
    give(staff, bundles=["months"])
    client = signed_in(staff)
    assert [client.get(path).status_code for path in (LIST, PAGE, f"{PAGE}teams.csv", f"{PAGE}close/")] == [200] * 4
    assert "Ada" not in words(client)
    assert client.get(f"{PAGE}people.csv").status_code == 404
    give(staff, bundles=["months", "desk_people"])
    client = signed_in(staff)
    assert "Ada" in words(client)
    assert "Ada" in words(client, f"{PAGE}people.csv")
    staff.user_permissions.remove(*staff.user_permissions.filter(codename="add_closedmonth"))
    client = signed_in(staff)
    assert client.get(PAGE).status_code == 200
    assert "Close this month" not in words(client)
    assert client.post(f"{PAGE}close/").status_code == 403
    assert client.post(f"{LIST}rules/").status_code == 403
    assert client.post(f"{PAGE}invoices/{uuid.uuid4()}/{NOBODY}/").status_code == 403
    assert ClosedMonth.objects.count() == 0


def test_a_manager_reads_her_teams_months_alone(admin: Client) -> None:
    mary, tom, eve = person("mary"), person("tom"), person("eve")
    sales, labs = making.team("Sales", mary, tom), Team.objects.create(name="Labs")
    Membership.objects.filter(user=mary).update(role="manager")
    entry = used(person=tom, team=sales)
    used(person=eve, team=labs, micro=5_000_000, own=("USD", 5_000_000))
    corrected(entry, -100_000, at=MIDDLE, by=mary)
    base = f"/me/team/{sales.uuid}/months/"
    for is_closed in (False, True):
        for path in (base, f"{base}2026-10/", f"{base}2026-10/people.csv"):
            assert [signed_in(who).get(path).status_code for who in (mary, tom, eve)] == [200, 404, 404], path
        text = words(signed_in(mary), f"{base}2026-10/")
        assert ("$1.90" in text, "Tom" in text, "Labs" in text, "$5.00" in text) == (True, True, False, False)
        for hidden in ("The provider billed less.", "/setup/", "Invoices", "Close this month"):
            assert hidden not in text.split("<main", 1)[1], hidden
        assert "$1.90" in words(signed_in(mary), base)
        for what in ("teams", "invoices", "cost-centres"):
            assert signed_in(mary).get(f"{base}2026-10/{what}.csv").status_code == 404
        if not is_closed:
            month_closing.close(OCTOBER, tz=BERLIN, by=None)
    assert signed_in(mary).get(f"/me/team/{labs.uuid}/months/2026-10/").status_code == 404


@pytest.mark.parametrize(
    "name", ["2026-13", "2026-1", "1999-12", "2999-01", "2026-12", "x", "2026-10-01", "0000-00", "rules"]
)
def test_what_is_no_month_or_one_to_come_is_not_there(admin: Client, name: str) -> None:
    assert admin.get(f"/setup/months/{name}/").status_code == (405 if name == "rules" else 404)


# --- closing -----------------------------------------------------------------------------------------------------------------


def test_closing_asks_once_and_is_done_once(admin: Client) -> None:
    used(person=person("ada"))
    assert "Close October 2026 for good" in words(admin, f"{PAGE}close/")
    assert ClosedMonth.objects.count() == 0
    said = [admin.post(f"{PAGE}close/", follow=True).content.decode() for _ in range(2)]
    assert "Closed. What stands here stays as it is." in said[0]
    assert "This month is closed already." in said[1]
    assert "closed on" in said[1]
    assert "by Root" in said[1]
    assert actions() == ["month.closed"]
    assert "Close this month" not in words(admin)
    assert admin.get(f"{PAGE}close/").status_code == 302


def test_while_an_answer_of_the_month_runs_the_page_says_so_and_refuses(admin: Client) -> None:
    used()
    held(MIDDLE)
    assert "1 answer of this month is still being written or waits." in words(admin, f"{PAGE}close/")
    assert "is still being written" in admin.post(f"{PAGE}close/", follow=True).content.decode()
    assert ClosedMonth.objects.count() == 0


def test_an_answer_that_waits_for_its_hold_is_one_that_runs(admin: Client) -> None:
    scene.model()
    row = scene.queue(person("ada"), 1)[0]
    Generation.objects.filter(pk=row.pk).update(state="waiting", created_at=MIDDLE)
    assert "is still being written" in admin.post(f"{PAGE}close/", follow=True).content.decode()
    assert ClosedMonth.objects.count() == 0
    Generation.objects.filter(pk=row.pk).update(created_at=ENDS)
    assert "Closed." in admin.post(f"{PAGE}close/", follow=True).content.decode()


def test_the_running_month_is_not_closed(admin: Client) -> None:
    assert "This month is not over yet" in words(admin, "/setup/months/2026-11/close/")
    assert "This month is not over yet" in admin.post("/setup/months/2026-11/close/", follow=True).content.decode()
    assert ClosedMonth.objects.count() == 0


# --- invoices ----------------------------------------------------------------------------------------------------------------


def test_an_invoice_is_entered_changed_and_taken_back_before_and_after_closing(admin: Client) -> None:
    model = LanguageModel.objects.create(slug="g", name="GPT")
    pro = Provider.objects.create(name="Pro")
    used(model=model, provider=pro)
    url = f"{PAGE}invoices/{pro.uuid}/{model.uuid}/"
    assert "The ledger says $2.00." in words(admin, url)
    assert admin.post(url, {"amount": "2.50", "currency": "USD"}).headers["Location"] == f"{PAGE}#h-invoices"
    text = plain(words(admin))
    assert "GPT $2.00 $2.50 +$0.50 +25.0 %" in text.replace("\xa0", " ")
    admin.post(f"{PAGE}close/")
    admin.post(url, {"amount": "2", "currency": "USD"})
    assert "agrees with the ledger" in words(admin)
    assert MonthLine.objects.get().organisation_cost_micro == 2_000_000
    for wrong in (
        {"amount": "-1", "currency": "USD"},
        {"amount": "1,000.5", "currency": "USD"},
        {"amount": "1", "currency": "XXX"},
    ):
        assert admin.post(url, wrong).status_code == 422
    admin.post(url, {"amount": "", "currency": "USD"})
    assert Invoice.objects.count() == 0
    assert actions() == ["invoice.entered", "month.closed", "invoice.entered", "invoice.removed"]
    event = AuditEvent.objects.filter(action="invoice.entered").order_by("number").last()
    assert event is not None
    assert (event.target_name, event.changes["amount"]) == ("2026-10 Pro GPT", ["2.5 USD", "2 USD"])


def test_an_invoice_of_a_provider_that_nothing_was_counted_of_can_be_entered(admin: Client) -> None:
    pro = Provider.objects.create(name="Idle")
    used()
    url = f"{PAGE}invoices/{pro.uuid}/{NOBODY}/"
    assert url in words(admin)
    admin.post(url, {"amount": "9.99", "currency": "EUR"})
    pro.delete()
    text = plain(words(admin))
    assert "Idle" in text
    assert "9.99" in text
    for unknown in (f"{uuid.uuid4()}/{NOBODY}", f"{Provider.objects.create(name='P').uuid}/{uuid.uuid4()}"):
        assert admin.get(f"{PAGE}invoices/{unknown}/").status_code == 404


# --- files, queries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", sorted(month_tables.TABLES))
@pytest.mark.parametrize("is_closed", [False, True])
def test_each_table_is_a_file_and_a_name_that_is_a_formula_is_none_there(
    admin: Client, what: str, is_closed: bool
) -> None:
    model = LanguageModel.objects.create(slug="g", name="=HYPERLINK(1)")
    team, pro = Team.objects.create(name="+Sales", cost_centre="@1"), Provider.objects.create(name="-Pro")
    entry = used(person=person("=tom"), team=team, model=model, provider=pro)
    corrected(entry, -100_000, at=MIDDLE)
    if is_closed:
        month_closing.close(OCTOBER, tz=BERLIN, by=None)
    answer = admin.get(f"{PAGE}{what}.csv")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert answer["Content-Disposition"] == f'attachment; filename="2026-10-{what}.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    cells = [cell for row in rows[1:] for cell in row]
    assert cells
    assert [cell for cell in cells if cell[:1] in "=+@" and cell] == []
    # A minus begins a number, and nothing else.
    assert all(float(cell) < 0 for cell in cells if cell.startswith("-"))
    assert admin.get(f"{PAGE}nothing.csv").status_code == 404


def test_amounts_in_files_are_numbers_and_a_correction_has_its_sign(admin: Client) -> None:
    corrected(used(person=person("ada")), -100_000, at=MIDDLE)
    head, row = list(csv.reader(io.StringIO(words(admin, f"{PAGE}people.csv").lstrip("\ufeff"))))
    found = dict(zip(head, row, strict=True))
    assert (found["Person"], found["Calls"], found["Cost, USD"], found["Corrections"], found["Together"]) == (
        "Ada", "1", "2", "-0.1", "1.9",
    )  # fmt: skip


def _many(groups: int) -> None:
    """In October, after a September that is closed."""
    used(MIDDLE - dt.timedelta(days=40))
    month_closing.close(dt.date(2026, 9, 1), tz=BERLIN, by=None)
    bucket, ids = rollups.bucket_of(MIDDLE), [uuid.uuid4() for _ in range(groups)]
    money = {
        "currency": "USD",
        "organisation_currency": "USD",
        "cost_micro": 5,
        "organisation_cost_micro": 5,
        "calls": 2,
    }
    Rollup.objects.bulk_create(
        [Rollup(bucket=bucket, model=i, provider=i, source="page", outcome="done", **money) for i in ids]
    )
    PersonDay.objects.bulk_create([PersonDay(day=MIDDLE.date(), person=i, team=i, model=i, **money) for i in ids])
    Invoice.objects.bulk_create(
        [
            Invoice(first=OCTOBER, provider=i, provider_name="P", currency="USD", amount_micro=4, entered_at=MIDDLE)
            for i in ids
        ]
    )


@pytest.mark.parametrize("groups", [1, 3, 1_000])
def test_the_pages_cost_the_same_number_of_queries_for_any_number_of_groups(
    admin: Client, groups: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _many(groups)
    admin.get(PAGE)
    with django_assert_num_queries(QUERIES):
        page = words(admin)
    assert f"{groups * 2:,}" in page
    with django_assert_num_queries(LIST_QUERIES):
        assert f"{groups * 2:,}" in words(admin, LIST)


@pytest.mark.parametrize("groups", [1, 3, 1_000])
def test_a_closed_month_costs_the_same_number_of_queries_for_any_number_of_lines(
    admin: Client, groups: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    month = ClosedMonth.objects.create(
        first=OCTOBER,
        zone="Europe/Berlin",
        starts_at=month_rows.BEGINS,
        ends_at=ENDS,
        currency="USD",
        closed_at=ENDS,
        lines=groups,
    )
    ids = [uuid.uuid4() for _ in range(groups)]
    MonthLine.objects.bulk_create(
        [
            MonthLine(month=month, team=i, team_name="T", person=i, person_name="P", model=i, model_name="M", provider=i,
                      provider_name="V", currency="USD", organisation_currency="USD", calls=2, organisation_cost_micro=5)
            for i in ids
        ]
    )  # fmt: skip
    ClosedMonth.objects.update(sealed=True)
    admin.get(PAGE)
    with django_assert_num_queries(CLOSED_QUERIES):
        assert f"{groups * 2:,}" in words(admin)
    with django_assert_num_queries(LIST_QUERIES):
        assert f"{groups * 2:,}" in words(admin, LIST)


def test_a_table_shows_so_many_rows_and_its_file_all_of_them(admin: Client) -> None:
    _many(month_tables.MOST + 1)
    assert "and 1 more" in words(admin)
    assert len(words(admin, f"{PAGE}teams.csv").splitlines()) == month_tables.MOST + 2


def test_an_amount_of_several_currencies_is_written_side_by_side() -> None:
    assert month_tables.several({"USD": 12_300_000, "CNY": 4_000_000, "EUR": 0}) == Cell(
        "¥4.00 + $12.30", "4 CNY + 12.3 USD"
    )
    assert month_tables.several({}) == Cell("–", "")


def test_the_ways_to_it_are_on_the_overview_the_desk_and_the_teams_page(admin: Client) -> None:
    mary = person("mary")
    sales = making.team("Sales", mary)
    Membership.objects.filter(user=mary).update(role="manager")
    assert 'href="/setup/months/"' in words(admin, "/setup/")
    assert 'href="/setup/months/"' in words(admin, "/setup/desk/")
    assert f'href="/me/team/{sales.uuid}/months/"' in words(signed_in(mary), f"/me/team/{sales.uuid}/")
    assert f'href="/me/team/{sales.uuid}/months/"' in words(signed_in(mary), f"/me/team/{sales.uuid}/desk/")
    assert Organisation.get().currency == "USD"
