"""The trail in a real browser: an administrator looks for what somebody did, by keyboard, and takes it along as a file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.conftest import chromium
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("trail"), workers=0)
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(locale="en-US", viewport={"width": 390, "height": 844})
        context.set_default_timeout(15_000)
        known = site.sign_in(ADMIN).items()
        context.add_cookies([{"name": name, "value": value, "url": site.url()} for name, value in known])
        page = context.new_page()
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        yield page
        assert faults == []
        browser.close()


def test_an_administrator_finds_by_keyboard_what_somebody_did_and_exports_it(
    site: Site, page: Page, tmp_path: Path
) -> None:
    (person,) = site.people()
    site.sign_in(person)
    page.goto(f"{site.url()}/setup/audit/")
    page.get_by_label("Who", exact=True).fill(person.email)
    page.keyboard.press("Enter")
    page.wait_for_url("**who=**")
    rows = page.locator(".trail li")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("signed in.")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export as CSV").click()
    target = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(target)
    with target.open(encoding="utf-8-sig", newline="") as file:
        told = [(row["action"], row["who"]) for row in csv.DictReader(file)]
    assert [action for action, _ in told] == ["sign_in.succeeded"]
    assert person.email in told[0][1]
    page.get_by_role("link", name="Show everything").click()
    expect(page.locator(".trail li").first).to_contain_text("exported the audit trail.")
    expect(page.locator(".trail li").first).to_contain_text(f"who = {person.email}")


def test_a_name_in_a_sentence_leads_to_what_else_was_done(site: Site, page: Page) -> None:
    page.goto(f"{site.url()}/setup/audit/")
    page.locator(".trail a", has_text=ADMIN.email).first.click()
    expect(page.get_by_label("Who", exact=True)).to_have_value(ADMIN.email)
    assert page.locator(".trail li").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_everybody_finds_the_own_list_from_the_settings(site: Site, page: Page) -> None:
    page.goto(f"{site.url()}/me/")
    page.get_by_role("link", name="Show everything").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What was done to my account")
    expect(page.locator(".trail li").first).to_contain_text("You signed in.")
