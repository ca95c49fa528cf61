"""The desk in a real browser: it is read, and a figure is followed to the calls behind it, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked
from tests.processes import PASSWORD, Person

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)


def test_the_desk_is_read_and_a_figure_followed_to_its_calls(open_page: Open, somebody: Person) -> None:
    page = open_page()
    ends(ask(page, marked("A first secret", seed="desk1", n=12)), "done")
    ends(ask(page, marked("A second secret", seed="desk2", n=12)), "done")

    desk = open_page("/setup/", person=ADMIN)
    desk.get_by_role("link", name=re.compile("^The desk")).click()
    expect(desk.get_by_role("heading", name="The desk", level=1)).to_be_visible()
    expect(desk.get_by_role("link", name="This month")).to_have_attribute("aria-current", "page")
    expect(desk.get_by_role("heading", name="Waiting for you")).to_be_visible()
    desk.get_by_role("link", name="Last hour").click()
    number = re.findall(r"\d+", somebody.email)[0]
    row = desk.get_by_role("row", name=re.compile(rf"^Person {number}\b")).first
    figure = row.get_by_role("link", name="2", exact=True)
    figure.focus()
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", name="Calls", level=1)).to_be_visible()
    expect(desk.locator(".calls li")).to_have_count(2)
    expect(desk.locator("body")).not_to_contain_text("secret")
