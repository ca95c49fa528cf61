"""How the page behaves under the hands of different people: keyboard, phone, screen reader, selection, languages, themes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from providers.simulator.answers import text_for
from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked, shown, streams, words
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


# Without preloading: to read what a sheet imports, axe puts it into a <style>, which our policy refuses (and says so on the console).
AXE = {"resultTypes": ["violations"], "preload": False}


def violations(page: Page) -> list[Any]:
    """What axe finds, in short."""
    found = Axe().run(page, options=AXE).response["violations"]
    return [(each["id"], [node["html"][:160] for node in each["nodes"][:3]]) for each in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desk", "phone"])
def test_axe_finds_nothing_in_an_empty_page_a_conversation_and_its_details(
    open_page: Open, theme: str, screen: str
) -> None:
    page = open_page(color_scheme=theme, **(PHONE if screen == "phone" else {}))
    assert violations(page) == []
    ends(ask(page, "Show me everything"))
    ends(ask(page, marked(mode="eof_no_finish", at=12)), "interrupted")
    assert violations(page) == []
    page.get_by_role("link", name="Details of this answer").last.click()
    expect(page.get_by_role("dialog")).to_contain_text("What was sent to the model")
    assert violations(page) == []


def test_axe_finds_nothing_in_chinese_while_an_answer_is_written(open_page: Open) -> None:
    page = open_page(locale="zh-CN")
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    streams(ask(page, marked("你好", seed="zh", n=200, gap=30)))
    assert violations(page) == []


def test_everything_works_by_keyboard_alone(page: Page) -> None:
    page.keyboard.type("First line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("[[sim seed=keys n=200 gap=25]]")
    page.keyboard.press("Enter")
    answer = page.locator("article.a")
    streams(answer, characters=20)
    assert page.locator(".q > div").inner_text() == "First line\n[[sim seed=keys n=200 gap=25]]"
    page.keyboard.press("Tab")
    expect(page.locator("#writing summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#stop")).to_be_focused()
    page.keyboard.press("Enter")
    ends(answer, "cancelled")
    for name in ("Details of this answer", "Regenerate", "Copy the answer", "Regenerate", "Continue"):
        page.keyboard.press("Shift+Tab")
        while page.evaluate("document.activeElement.closest('.dock') !== null"):
            page.keyboard.press("Shift+Tab")
        expect(page.locator(":focus")).to_have_accessible_name(name)
        if name == "Details of this answer":
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.get_by_role("dialog")).to_be_hidden()
            expect(page.locator(":focus")).to_have_accessible_name(name)
    page.keyboard.press("Enter")
    ends(answer)


def test_the_first_tab_leads_past_the_list(page: Page) -> None:
    page.locator("#text").blur()
    page.evaluate("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_accessible_name("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_a_draft_survives_a_reload_and_is_not_shown_to_the_next_person(
    portal_site: Site, somebody: Person, page: Page
) -> None:
    page.locator("#text").fill("A private thought")
    page.reload()
    assert page.locator("#text").input_value() == "A private thought"
    other = portal_site.people(1)[0]
    cookies = portal_site.sign_in(other).items()
    page.context.clear_cookies()
    page.context.add_cookies([{"name": name, "value": value, "url": portal_site.url()} for name, value in cookies])
    page.reload()
    assert page.locator("#text").input_value() == ""


def test_what_is_selected_stays_selected_while_the_answer_grows(page: Page) -> None:
    answer = ask(page, marked(seed="select", n=260, gap=15))
    streams(answer, characters=30)
    page.evaluate(
        """() => { const node = document.querySelector("article.a .block:last-of-type");
        const range = document.createRange(); range.selectNodeContents(node.firstElementChild);
        window.held = node.firstElementChild; getSelection().removeAllRanges(); getSelection().addRange(range); }"""
    )
    page.wait_for_timeout(1_200)
    assert page.evaluate("window.held.isConnected && getSelection().toString().length > 0")
    page.evaluate("getSelection().removeAllRanges()")
    ends(answer)
    assert shown(answer) == words(text_for("select", tokens=260))


def test_scrolling_up_ends_following_and_the_button_brings_it_back(open_page: Open) -> None:
    page = open_page(viewport={"width": 900, "height": 420})
    answer = ask(page, marked(seed="scroll", n=900, gap=10))
    page.wait_for_function("() => document.getElementById('scroll').scrollTop > 60")
    page.locator("#scroll").hover()
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(200)
    place = page.evaluate("document.getElementById('scroll').scrollTop")
    expect(page.locator("#down")).to_contain_text("New text")
    page.wait_for_timeout(800)
    assert page.evaluate("document.getElementById('scroll').scrollTop") == place
    page.locator("#down").click()
    expect(page.locator("#down")).to_be_hidden()
    ends(answer)
    assert page.evaluate("(n => n.scrollHeight - n.clientHeight - n.scrollTop < 4)(document.getElementById('scroll'))")


def test_older_messages_come_without_moving_what_is_read(portal_site: Site, somebody: Person, open_page: Open) -> None:
    address = portal_site.django(FIFTY_TURNS, somebody.email)
    page = open_page(f"/chat/{address}/")
    expect(page.get_by_text("Question 49", exact=True)).to_be_in_viewport()
    assert page.locator(".q").count() == 20
    page.evaluate("document.getElementById('scroll').scrollTop = 0")
    expect(page.locator(".q")).to_have_count(30)
    expect(page.get_by_text("Question 30", exact=True)).to_be_in_viewport()


FIFTY_TURNS = """
from accounts.models import User
from chat.models import Conversation, Message
made = Conversation.objects.create(user=User.objects.get(email=given), title="Long", version=50)
last = None
for n in range(100):
    role, text = ("assistant", f"Answer {n // 2}") if n % 2 else ("user", f"Question {n // 2}")
    last = Message.objects.create(conversation=made, parent=last, depth=n, role=role, text=text)
made.leaf = last
made.save()
answer = str(made.uuid)
"""


def test_on_a_phone_the_list_is_a_drawer(open_page: Open) -> None:
    page = open_page(**PHONE)
    expect(page.locator("#side")).to_be_hidden()
    page.locator("#menu").click()
    expect(page.locator("#side")).to_be_visible()
    expect(page.locator("#menu")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    expect(page.locator("#menu")).to_be_focused()
    answer = ends(ask(page, "Show me everything"))
    wide = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert wide, "the page scrolls sideways"
    box = answer.locator(".acts .icon").first.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 40


def test_a_starter_fills_the_box_and_back_leads_to_the_empty_page(page: Page) -> None:
    page.get_by_role("link", name=re.compile("Explain an error")).click()
    expect(page.locator("#text")).to_have_value(re.compile("^Explain this error"))
    expect(page.locator("#text")).to_be_focused()
    ends(ask(page, "Something else"))
    page.go_back()
    expect(page.locator(".greeting")).to_be_visible()
    page.locator("#list .row").first.click()
    expect(page.locator("article.a")).to_have_count(1)


def test_a_question_is_reworded_in_place(page: Page) -> None:
    answer = ends(ask(page, marked("Badly put", mode="e400_filter")), "failed")
    answer.get_by_role("link", name="Edit the question").click()
    expect(page.locator("#text")).to_have_value(re.compile("^Badly put"))
    page.locator("#text").fill("Better put")
    page.locator("#text").press("Enter")
    expect(page.locator(".q > div")).to_have_text(["Better put"])
    ends(page.locator("article.a"))
    expect(page.locator("article.a")).to_have_count(1)
