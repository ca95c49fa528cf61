"""Closing a month in a real browser: read, an invoice that does not agree, closed for good; a later correction lands in its own month."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
MAKE = """
import datetime as dt, uuid
from accounts.models import Organisation, Team, User
from django.db import transaction
from django.utils import timezone
from providers.models import LanguageModel, ModelRoute, Price, Provider
from usage import invocations, moments, months, quotas, rollups
from usage.models import Invocation, LedgerEntry
tz = moments.zone(Organisation.get())
first = months.before(months.before(months.current(timezone.now(), tz=tz)))
at = moments.begin_of(first, tz=tz) + dt.timedelta(days=9)
team = Team.objects.create(name="Tenders", cost_centre="8100")
model = LanguageModel.objects.create(slug="journey", name="Journey", enabled=False)
house = Provider.objects.create(name="House of Models", base_url="http://127.0.0.1:9/v1")
ModelRoute.objects.create(model=model, provider=house, upstream_name="journey")
Price.objects.create(model=model, provider=house, currency="USD", input_micro=4_000_000, effective_from=at - dt.timedelta(days=1))
root = User.objects.filter(is_superuser=True).order_by("pk").first()
hold = quotas.Hold(uuid.uuid4(), "page", root.uuid, team.uuid, None, model.uuid, input=1_000_000, output=1_000)
with transaction.atomic():
    quotas.reserve(hold, under=quotas.look(person=hold.person, key=None, model=model.uuid, now=at), now=at)
call = Invocation(request_id=hold.request_id, source="page", person=hold.person, person_name=str(root), team=team.uuid,
    team_name=team.name, model=model.uuid, model_name=model.name, provider=house.uuid, provider_name=house.name, created_at=at,
    finished_at=at, outcome="done", attempts=1, input_tokens=1_000_000)
tally = rollups.Tally()
with transaction.atomic():
    quotas.settle([call], now=at, tally=tally)
    invocations.record([call], tally=tally)
entry = LedgerEntry.objects.get(request_id=hold.request_id)
answer = {"month": f"{first:%Y-%m}", "entry": str(entry.uuid)}
"""


def row_of(page: Page, name: str, *, card: str) -> str:
    """The words of a table's row."""
    region = page.get_by_role("region", name=card, exact=True)
    return " ".join(region.get_by_role("row").filter(has_text=name).first.inner_text().split())


def test_a_month_is_read_held_against_an_invoice_closed_and_stays(
    open_page: Open, portal_site: Site, tmp_path: Path
) -> None:
    made = portal_site.django(MAKE)
    page = open_page("/setup/", person=ADMIN)
    page.get_by_role("link", name=re.compile("^Months")).click()
    page.locator(f'a[href="/setup/months/{made["month"]}/"]').click()
    expect(page.locator("h1")).to_contain_text("not closed")
    assert row_of(page, "8100", card="Cost centres").endswith("$4.00 – $4.00")
    assert "Tenders 8100 1 1,000,000" in row_of(page, "Tenders", card="Teams")

    page.get_by_role("link", name="Enter the invoice of House of Models", exact=True).click()
    page.get_by_label("Sum").fill("4,50")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert "$4.00 $4.50 +$0.50 +12.5 %" in row_of(page, "House of Models", card="Invoices").replace("\xa0", " ")

    file = tmp_path / "month.pdf"
    page.pdf(path=str(file), prefer_css_page_size=True)
    data = file.read_bytes()
    assert b"/MediaBox [0 0 594.95996 841.91998]" in data or b"/MediaBox [0 0 595" in data

    page.get_by_role("link", name="Close this month").click()
    page.get_by_role("button", name=re.compile("for good$")).click()
    expect(page.get_by_role("status")).to_contain_text("Closed. What stands here stays as it is.")
    expect(page.locator("h1")).to_contain_text("closed")
    expect(page.get_by_role("link", name="Close this month")).to_have_count(0)

    page.goto(f"{portal_site.url()}/setup/limits/calls/{made['entry']}/")
    page.get_by_label("Amount").fill("1.25")
    page.get_by_label("Reason").fill("The house gave a discount.")
    page.get_by_role("button", name="Add the entry").click()
    expect(page.get_by_role("status")).to_contain_text("Corrected")

    page.goto(f"{portal_site.url()}/setup/months/{made['month']}/")
    assert row_of(page, "8100", card="Cost centres").endswith("$4.00 – $4.00")
    expect(page.locator("main")).to_contain_text("1 call of this month was corrected later")
    page.get_by_role("link", name="Months").click()
    page.locator("tr", has_text="running").get_by_role("link").click()
    assert "-$1.25" in row_of(page, "The house gave a discount.", card="Corrections")
    assert "-$1.25" in row_of(page, "8100", card="Cost centres")
