"""The box: input methods, what Enter does, drafts, rewording, Esc, what is pasted and dropped, the question that waits."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked, streams
from tests.browser.test_page import violations
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# What browsers tell of an input method whose Enter takes the characters, in their different orders.
CHROMIUM = ["compositionstart", {"isComposing": True, "keyCode": 229}, "compositionend"]
SAFARI = ["compositionstart", "compositionend", {"keyCode": 229}]
NO_CODE = ["compositionstart", "compositionend", {"keyCode": 13}]


def compose(page: Page, events: list[str | dict[str, object]]) -> None:
    page.evaluate(
        """(events) => { const box = document.getElementById("text");
        for (const each of events) box.dispatchEvent(typeof each === "string"
          ? new CompositionEvent(each, { bubbles: true })
          : new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true, ...each })); }""",
        events,
    )


@pytest.mark.parametrize("events", [CHROMIUM, SAFARI, NO_CODE], ids=["chromium", "safari", "without a code"])
def test_the_enter_of_an_input_method_does_not_send_and_the_next_one_does(
    page: Page, events: list[str | dict[str, object]]
) -> None:
    page.locator("#text").fill("你好")
    compose(page, events)
    page.wait_for_timeout(200)
    assert page.locator(".q").count() == 0
    assert page.locator("#text").input_value() == "你好"
    page.locator("#text").press("Enter")
    expect(page.locator(".q > div")).to_have_text("你好")


def test_the_esc_and_the_arrows_of_an_input_method_are_its_own(page: Page) -> None:
    answer = ask(page, marked(seed="esc", n=150, gap=20))
    streams(answer)
    page.evaluate(
        """() => { for (const key of ["Escape", "ArrowUp"]) document.getElementById("text").dispatchEvent(
        new KeyboardEvent("keydown", { key, isComposing: true, bubbles: true, cancelable: true })); }"""
    )
    ends(answer)
    expect(page.locator("#editing")).to_be_hidden()


def test_enter_makes_a_line_for_whoever_sends_by_ctrl_enter_also_after_a_reload(page: Page) -> None:
    page.get_by_label("How Enter works").first.click()
    page.get_by_label("Ctrl+Enter sends").check()
    assert violations(page) == []
    page.reload()
    page.locator("#text").focus()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    assert page.locator("#text").input_value() == "one\ntwo"
    page.keyboard.press("Control+Enter")
    expect(page.locator(".q > div")).to_have_text("one\ntwo")


def test_on_touch_enter_is_a_new_line_and_the_button_sends(open_page: Open) -> None:
    page = open_page(**PHONE)
    page.locator("#text").tap()
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    assert page.locator("#text").input_value() == "one\ntwo"
    expect(page.locator("#text")).to_have_attribute("enterkeyhint", "enter")
    page.locator("#send").tap()
    expect(page.locator(".q > div")).to_have_text("one\ntwo")


def test_each_conversation_keeps_its_draft_and_a_new_one_its_own(page: Page) -> None:
    ends(ask(page, "First talk"))
    first = page.url
    page.locator("#text").fill("further in the first")
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    page.locator("#text").fill("something new")
    page.goto(first)
    assert page.locator("#text").input_value() == "further in the first"
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    assert page.locator("#text").input_value() == "something new"


def test_a_draft_outlives_its_tab(
    portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> None:
    context = context_for(somebody)
    one = context.new_page()
    one.goto(portal_site.url() + "/chat/")
    one.locator("#text").fill("half a thought")
    one.close()
    two = context.new_page()
    two.goto(portal_site.url() + "/chat/")
    assert two.locator("#text").input_value() == "half a thought"


def test_signing_out_leaves_no_draft_in_any_tab(
    portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> None:
    context = context_for(somebody)
    one, two = context.new_page(), context.new_page()
    for page in (one, two):
        page.goto(portal_site.url() + "/chat/")
    two.locator("#text").fill("private")
    kept = "Object.keys({ ...localStorage, ...sessionStorage }).filter((name) => name.startsWith('draft:')).length"
    assert two.evaluate(kept) > 0
    one.locator(".me summary").click()
    one.get_by_role("button", name="Sign out").click()
    one.wait_for_url("**/accounts/login/**")
    assert (one.evaluate(kept), two.evaluate(kept)) == (0, 0)


def test_esc_stops_the_answer_and_the_focus_is_in_the_box(page: Page) -> None:
    answer = ask(page, marked(seed="stop", n=200, gap=30))
    streams(answer, characters=20)
    page.keyboard.press("Escape")
    ends(answer, "cancelled")
    expect(page.locator("#text")).to_be_focused()


def test_esc_closes_a_menu_or_a_dialog_first(page: Page) -> None:
    ends(ask(page, marked(seed="one", n=10)))
    answer = ask(page, marked(seed="menu", n=300, gap=25))
    streams(answer)
    page.locator(".me summary").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    page.get_by_role("link", name="Details of this answer").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_timeout(300)
    expect(answer).to_have_attribute("data-state", "streaming")
    page.keyboard.press("Escape")
    ends(answer, "cancelled")


def test_arrow_up_in_an_empty_box_rewords_the_last_question(page: Page) -> None:
    ends(ask(page, "Badly put"))
    page.locator("#text").fill("Something else")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#editing")).to_be_hidden()
    page.locator("#text").fill("")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#editing")).to_be_visible()
    assert page.locator("#text").input_value() == "Badly put"
    assert violations(page) == []
    page.locator("#text").fill("Better put")
    page.keyboard.press("Enter")
    expect(page.locator(".q > div")).to_have_text(["Better put"])
    expect(page.locator("#editing")).to_be_hidden()
    ends(page.locator("article.a"))


def test_a_rewording_that_is_given_up_brings_the_draft_back(page: Page) -> None:
    ends(ask(page, "A question"))
    page.locator("#text").fill("A draft")
    page.locator(".q").hover()
    page.get_by_role("link", name="Edit the question").click()
    assert page.locator("#text").input_value() == "A question"
    page.keyboard.press("Escape")
    assert page.locator("#text").input_value() == "A draft"
    expect(page.locator(".q > div")).to_have_text(["A question"])


def test_a_long_paste_stays_in_the_box_and_a_chip_says_that_files_come_later(page: Page) -> None:
    page.locator("#text").fill("Before ")
    page.evaluate(
        """() => { const data = new DataTransfer(); data.setData("text/plain", "x".repeat(4001));
        const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
        window.stopped = !document.getElementById("text").dispatchEvent(event); }"""
    )
    expect(page.locator("#later")).to_contain_text("4,001 characters")
    assert page.evaluate("window.stopped") is False
    page.locator("#later button").click()
    expect(page.locator("#later")).to_be_hidden()
    assert page.locator("#text").input_value() == "Before "


@pytest.mark.parametrize("target", ["#text", "#thread"])
def test_a_dropped_file_is_named_and_neither_the_text_nor_the_page_is_lost(page: Page, target: str) -> None:
    page.locator("#text").fill("Kept")
    taken = page.evaluate(
        """(target) => { const data = new DataTransfer(); data.items.add(new File(["x"], "report.pdf"));
        return ["dragover", "drop"].map((type) => !document.querySelector(target).dispatchEvent(
          new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }))); }""",
        target,
    )
    assert taken == [True, True]
    expect(page.locator("#later")).to_contain_text("report.pdf")
    assert page.locator("#text").input_value() == "Kept"


def test_two_questions_typed_meanwhile_wait_together(page: Page) -> None:
    answer = ask(page, marked(seed="now", n=80, gap=20))
    streams(answer)
    for text in ("And next?", "And then?"):
        page.locator("#text").fill(text)
        page.keyboard.press("Enter")
    expect(page.locator("#next span")).to_have_text(re.compile("And next?.*And then?", re.DOTALL))
    ends(answer)
    expect(page.locator(".q > div").nth(1)).to_have_text("And next?\n\nAnd then?")
