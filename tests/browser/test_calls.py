"""The log of calls in a real browser: an id is quoted, the call is found and says why it failed, and a file is taken along."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked
from tests.processes import PASSWORD, Person

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)


def test_a_failed_call_is_found_by_the_id_that_was_shown_and_exported(open_page: Open, somebody: Person) -> None:
    page = open_page()
    # A failure that leaves the provider's circuit closed: every test of this process asks the same site.
    answer = ends(ask(page, marked("A secret question", mode="e404", seed="calls")), "failed")
    shown = answer.locator(".note .id").inner_text()
    quoted = re.search(r"[0-9a-f-]{36}", shown)
    assert quoted is not None

    desk = open_page("/setup/", person=ADMIN)
    desk.get_by_role("link", name=re.compile("^Calls")).click()
    desk.get_by_label("Word or id").fill(quoted[0])
    desk.get_by_role("button", name="Search").click()
    row = desk.locator(".calls li")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("failed")
    row.get_by_role("link").click()
    expect(desk.get_by_text("the provider does not have the model").first).to_be_visible()
    expect(desk.locator(".life")).to_contain_text("The provider failed: the provider does not have the model.")
    expect(desk.locator(".life")).to_contain_text("HTTP 404")
    expect(desk.locator("body")).not_to_contain_text("A secret question")

    desk.get_by_role("link", name="Calls").click()
    desk.get_by_label("How it ended").select_option("failed")
    desk.get_by_label("Person").fill(somebody.email)
    desk.get_by_role("button", name="Search").click()
    with desk.expect_download() as taken:
        desk.get_by_role("button", name="Export as CSV").click()
    with Path(taken.value.path()).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(each["request"], each["error"]) for each in rows] == [(quoted[0], "model_gone")]
    assert "A secret question" not in str(rows)
