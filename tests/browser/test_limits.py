"""Money and limits in a real browser: the meter falls, the limit stands in the way, more is asked for and granted, and one goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
MAKE = """
from accounts.models import User
from usage import rules
person = User.objects.get(email=given)
rules.make(scope="person", subject=person, unit="requests", period="day", amount=2)
answer = None
"""
CLEAR = """
from usage.models import Quota
from django.utils import timezone
Quota.objects.filter(removed_at=None).update(removed_at=timezone.now())
answer = None
"""


@pytest.fixture(autouse=True)
def nothing_stays_limited(portal_site: Site) -> Iterator[None]:
    yield
    portal_site.django(CLEAR)


def test_the_limit_is_reached_more_is_asked_for_granted_and_one_goes_on(
    open_page: Open, portal_site: Site, somebody: Person
) -> None:
    portal_site.django(MAKE, somebody.email)
    page = open_page()
    expect(page.locator("#meter")).to_contain_text("100 % left today")
    ends(ask(page, "First"))
    expect(page.locator("#meter")).to_contain_text("50 % left today")
    ends(ask(page, "Second"))
    expect(page.locator("#meter")).to_contain_text("0 % left today")
    notice = page.locator("#limit .note")
    expect(notice).to_contain_text("Your allowance for today is used up: 2 of 2 questions.")
    expect(notice).to_contain_text("It returns tomorrow at 00:00 (")

    page.locator("#text").fill("Third")
    expect(page.locator("#send")).to_be_disabled()
    page.locator("#text").press("Enter")
    expect(page.locator("article.a")).to_have_count(2)
    expect(page.locator("#text")).to_have_value("Third")

    notice.get_by_role("link", name="Request more").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Request more")
    page.get_by_label("What do you need it for?").fill("The report is due today.")
    page.get_by_label(re.compile("How much more")).fill("5")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("status")).to_contain_text("Asked.")
    expect(page.get_by_text("waits for an answer")).to_be_visible()

    desk = open_page("/setup/", person=ADMIN)
    desk.get_by_role("link", name=re.compile("^Limits")).click()
    desk.get_by_role("button", name=re.compile("Grant .* 5 questions more")).click()
    expect(desk.get_by_role("status")).to_contain_text("5 questions more until tomorrow at 00:00")

    page.reload()
    expect(page.get_by_text("granted", exact=True)).to_be_visible()
    page.goto(f"{portal_site.url()}/chat/")
    expect(page.locator("#limit .note")).to_have_count(0)
    expect(page.locator("#meter")).to_contain_text("72 % left today")
    ends(ask(page, "Third"))


def test_a_page_that_was_open_while_the_limit_was_reached_elsewhere_keeps_the_text(
    open_page: Open, portal_site: Site, somebody: Person
) -> None:
    portal_site.django(MAKE, somebody.email)
    page, other = open_page(), open_page()
    for text in ("First", "Second"):
        ends(ask(other, text))
    page.locator("#text").fill("Too late")
    page.locator("#text").press("Enter")
    expect(page.locator("#limit .note")).to_contain_text("is used up: 2 of 2 questions")
    expect(page.locator("#text")).to_have_value("Too late")
    expect(page.locator("#line")).not_to_contain_text("No connection")
    portal_site.django(CLEAR)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#limit .note")).to_have_count(0)
    page.locator("#send").click()
    expect(page.locator("article.a")).to_have_count(1)


def test_a_limit_is_written_as_a_sentence_looked_at_and_set(open_page: Open) -> None:
    desk = open_page("/setup/limits/", person=ADMIN)
    desk.get_by_role("link", name="Set a limit").click()
    desk.get_by_label("Amount").fill("50")
    desk.get_by_label("Per", exact=True).select_option("day")
    expect(desk.get_by_label("Other model")).to_be_hidden()
    expect(desk.get_by_label("E-mail of the person", exact=True)).to_be_hidden()
    desk.get_by_role("button", name="Look whom it touches").click()
    expect(desk.get_by_role("status")).to_contain_text("It touches")
    expect(desk.get_by_role("status")).to_contain_text("Nobody would be over it now.")
    desk.get_by_role("button", name="Set it").click()
    expect(desk.get_by_role("status")).to_contain_text("Made: Each person may use 50 questions a day, then it blocks.")
    _changed(desk)


def _changed(desk: Page) -> None:
    desk.get_by_role("link", name="Change: Each person may use 50 questions a day, then it blocks.").click()
    desk.get_by_label("Amount").fill("60")
    desk.get_by_role("button", name="Save").click()
    expect(desk.get_by_text("Each person may use 60 questions a day")).to_be_visible()


def test_a_file_of_prices_is_looked_at_before_it_is_taken(open_page: Open) -> None:
    desk = open_page("/setup/prices/", person=ADMIN)
    desk.get_by_text("Read a file").click()
    lines = "model,provider,currency,from,input,output\ndemo,Simulator,USD,,1,2\n"
    desk.get_by_label("CSV file").set_input_files({"name": "p.csv", "mimeType": "text/csv", "buffer": lines.encode()})
    desk.get_by_role("button", name="Look at it").click()
    expect(desk.get_by_role("status")).to_contain_text("1 new · 0 there already · 0 wrong")
    desk.get_by_role("button", name="Take 1 line").click()
    expect(desk.get_by_role("status")).to_contain_text("1 line was taken.")
    expect(desk.get_by_text("$1.00 in · $2.00 out")).to_be_visible()
