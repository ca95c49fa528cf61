"""An API key's life in a real browser: made in the page, copied, used with curl, given a new secret, revoked."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.browser


def curl(line: str) -> tuple[int, Any]:
    """What a person sees who pastes the line into a terminal: the status and the answer."""
    words = [*shlex.split(line), "--silent", "--max-time", "20", "--write-out", "\n%{http_code}"]
    assert words[0] == "curl"
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def make(page: Page, name: str) -> tuple[str, str]:
    """Fills the form; the key and the line to try it."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page.locator("#key").input_value(), page.locator("#line").input_value()


def test_a_key_is_made_copied_used_with_curl_replaced_and_revoked(open_page: Open) -> None:
    page = open_page("/me/")
    page.get_by_role("link", name="API keys").click()
    expect(page.get_by_text("You have no key yet.")).to_be_visible()
    page.get_by_role("link", name="Make a key").click()
    secret, line = make(page, "Editor on my laptop")
    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", secret)

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret

    status, answer = curl(line)
    assert status == 200
    assert answer["credential"]["key"]["prefix"] == secret[:11]
    assert answer["credential"]["scopes"] == ["chat", "models"]

    page.get_by_role("link", name="Done").click()
    row = page.locator("li.key", has_text="Editor on my laptop")
    expect(row).to_contain_text(secret[:11])
    expect(row).to_contain_text("last used")
    expect(page.locator("body")).not_to_contain_text(secret)

    row.get_by_role("link", name="New secret for Editor on my laptop").click()
    page.get_by_label("at once: whoever uses it is cut off now").check()
    page.get_by_role("button", name="Make the new secret").click()
    new_line = page.locator("#line").input_value()
    status, answer = curl(line)
    assert (status, answer["code"]) == (401, "invalid_key")
    assert curl(new_line)[0] == 200

    page.get_by_role("link", name="Done").click()
    row = page.locator("li.key", has_text="Editor on my laptop").first
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    assert curl(new_line)[0] == 401


def test_the_form_works_by_keyboard_and_keeps_what_was_typed(open_page: Open) -> None:
    page = open_page("/me/keys/new/", viewport={"width": 390, "height": 844})
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Report")
    page.get_by_text("Restrict it further").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Only from these addresses").fill("the office")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button
    expect(page.get_by_text("“the office” is no address or network.")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Report")
    expect(page.get_by_label("Only from these addresses")).to_have_attribute("aria-invalid", "true")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
