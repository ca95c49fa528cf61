"""A tab that stood open for long: signed out, with a token that is over, or with somebody else signed in. No word is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.moves import ask, ends, marked
from tests.browser.test_journeys import questions
from tests.browser.test_page import violations
from tests.processes import Person, Site

pytestmark = pytest.mark.browser


def sign_out_everywhere(site: Site, person: Person) -> None:
    site.django("from accounts.models import User\nUser.objects.get(email=given).sign_out_everywhere()", person.email)


def test_who_is_signed_out_signs_in_in_place_and_the_question_is_sent_once(
    portal_site: Site, somebody: Person, page: Page
) -> None:
    ends(ask(page, "First"))
    address = page.url
    sign_out_everywhere(portal_site, somebody)
    page.locator("#text").fill("Not lost")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    expect(dialog.locator("[name=password]")).to_be_focused()
    assert dialog.locator("[name=login]").input_value() == somebody.email
    assert page.locator("#text").input_value() == "Not lost"
    assert violations(page) == []
    dialog.locator("[name=password]").fill("wrong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert").filter(has_text="password")).to_be_visible()
    dialog.locator("[name=password]").fill(somebody.password)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator(".q > div")).to_have_text(["First", "Not lost"])
    ends(page.locator("article.a").last)
    assert page.url == address
    assert page.locator("#text").input_value() == ""
    expect(page.locator("#text")).to_be_focused()
    assert questions(portal_site, somebody) == ["First", "Not lost"]


def test_signing_in_in_another_window_is_noticed(portal_site: Site, somebody: Person, page: Page) -> None:
    sign_out_everywhere(portal_site, somebody)
    page.locator("#text").fill("Sent afterwards")
    page.keyboard.press("Enter")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Sign in in another window").click()
    other = opened.value
    other.fill("[name=login]", somebody.email)
    other.fill("[name=password]", somebody.password)
    other.keyboard.press("Enter")
    other.wait_for_url("**/chat/")
    expect(page.locator(".q > div")).to_have_text(["Sent afterwards"])
    expect(page.locator("#sign-in")).to_be_hidden()
    assert questions(portal_site, somebody) == ["Sent afterwards"]


def test_a_dialog_that_is_closed_keeps_the_words_and_a_way_to_sign_in(
    portal_site: Site, somebody: Person, page: Page
) -> None:
    sign_out_everywhere(portal_site, somebody)
    page.locator("#text").fill("Later perhaps")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#line")).to_contain_text("You are signed out. Your text is kept.")
    assert page.locator("#text").input_value() == "Later perhaps"
    page.locator("#line").get_by_role("link", name="Sign in").click()
    page.locator("#sign-in [name=password]").fill(somebody.password)
    page.keyboard.press("Enter")
    expect(page.locator(".q > div")).to_have_text(["Later perhaps"])


def test_words_are_not_sent_as_somebody_else(portal_site: Site, somebody: Person, page: Page) -> None:
    other = portal_site.people(1)[0]
    sign_out_everywhere(portal_site, somebody)
    page.locator("#text").fill("Mine alone")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=login]").fill(other.email)
    dialog.locator("[name=password]").fill(other.password)
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("Somebody else is signed in here now")
    page.keyboard.press("Escape")
    assert page.locator("#text").input_value() == "Mine alone"
    assert questions(portal_site, other) == []


def test_a_token_that_is_over_is_renewed_without_a_word(portal_site: Site, somebody: Person, page: Page) -> None:
    refused: list[int] = []
    page.on("response", lambda answer: refused.append(answer.status) if answer.status == 403 else None)
    page.context.clear_cookies(name="csrftoken")
    answer = ask(page, marked("Still sent", seed="token", n=10))
    ends(answer)
    assert refused == [403]
    expect(page.locator("#line")).to_be_empty()
    assert [text.split(" [[")[0] for text in questions(portal_site, somebody)] == ["Still sent"]


def test_signing_in_elsewhere_changes_the_token_and_the_old_tab_still_sends(
    portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> None:
    context = context_for(somebody)
    page = context.new_page()
    page.goto(portal_site.url() + "/chat/")
    cookies = portal_site.sign_in(somebody).items()
    context.add_cookies([{"name": name, "value": value, "url": portal_site.url()} for name, value in cookies])
    ends(ask(page, marked("From the old tab", seed="old", n=10)))
    page.locator(".me summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/accounts/login/**")
