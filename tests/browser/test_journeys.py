"""Journeys of a question through the real page, worker and simulator: nothing is lost, doubled or shown as what it is not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from providers.simulator.answers import text_for
from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked, shown, streams, words
from tests.processes import Person, Site

pytestmark = pytest.mark.browser

WATCH_FIRST_BLOCK = """() => {
  window.first = document.querySelector("article.a .block");
  window.touched = 0;
  new MutationObserver((all) => { window.touched += all.length; })
    .observe(window.first, { childList: true, subtree: true, characterData: true });
}"""


def questions(site: Site, person: Person) -> list[str]:
    """What is stored of this person's questions."""
    code = "from chat.models import Message\n"
    code += "rows = Message.objects.filter(role='user', conversation__user__email=given).order_by('pk')\n"
    code += "answer = list(rows.values_list('text', flat=True))"
    found: list[str] = site.django(code, person.email)
    return found


def test_a_person_signs_in_asks_and_watches_the_answer_being_written(
    portal_site: Site, somebody: Person, open_page: Open
) -> None:
    page = open_page("/", person=None)
    page.fill("[name=login]", somebody.email)
    page.fill("[name=password]", somebody.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat/")
    answer = ask(page, marked("What grows here?", seed="grow", n=160, gap=15))
    assert re.fullmatch(r"/chat/[0-9a-f-]{36}/", page.evaluate("location.pathname"))
    expect(page.locator("#list .row[aria-current=page] .run")).to_have_count(1)
    streams(answer, characters=20)
    expect(answer.locator(".caret")).to_have_count(1)
    expect(page.locator("#announce")).to_have_text("Answering")
    assert len(shown(answer)) < len(words(text_for("grow", tokens=160)))
    ends(answer)
    assert shown(answer) == words(text_for("grow", tokens=160))
    expect(answer.locator(".caret, .wait")).to_have_count(0)
    expect(page.locator("#announce")).to_have_text(re.compile(r"Finished, \d+ paragraphs"))
    expect(page.locator("#list .row[aria-current=page] .run")).to_have_count(0)
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#send")).to_be_visible()


def test_a_finished_block_is_never_touched_again(page: Page) -> None:
    answer = ask(page, marked(seed="blocks", n=300, gap=10))
    expect(answer.locator(".block").nth(1)).not_to_be_empty()
    page.evaluate(WATCH_FIRST_BLOCK)
    ends(answer)
    assert answer.locator(".block").count() > 2
    assert page.evaluate("window.first === document.querySelector('article.a .block')")
    assert page.evaluate("window.touched") == 0


def test_stop_keeps_what_is_written_and_continue_goes_on_from_there(page: Page) -> None:
    answer = ask(page, marked(seed="stop", n=150, gap=30))
    streams(answer, characters=40)
    page.locator("#stop").click()
    ends(answer, "cancelled")
    kept = shown(answer)
    expect(answer.locator(".note")).to_contain_text("You stopped this answer")
    assert len(kept) >= 40
    assert words(text_for("stop", tokens=150)).startswith(kept)
    answer.get_by_role("button", name="Continue").click()
    expect(answer).not_to_have_attribute("data-state", "cancelled")
    ends(answer)
    expect(page.locator("article.a")).to_have_count(1)
    assert shown(answer).startswith(kept)
    assert len(shown(answer)) > len(kept)
    expect(answer.locator(".note")).to_have_count(0)


def test_regenerate_puts_another_answer_in_the_place_of_the_old_one(page: Page) -> None:
    answer = ends(ask(page, marked(seed="first", n=20)))
    old = answer.get_attribute("id")
    answer.get_by_role("button", name="Regenerate").click()
    expect(page.locator(f"#{old}")).to_have_count(0)
    ends(page.locator("article.a"))
    expect(page.locator("article.a")).to_have_count(1)
    expect(page.locator(".q")).to_have_count(1)
    page.reload()
    expect(page.locator("article.a")).to_have_count(1)
    expect(page.locator(f"#{old}")).to_have_count(0)


def test_a_reload_in_mid_answer_shows_what_was_written_and_goes_on(page: Page) -> None:
    answer = ask(page, marked(seed="reload", n=200, gap=20))
    streams(answer, characters=60)
    page.reload()
    answer = page.locator("article.a")
    streams(answer, characters=60)
    ends(answer)
    assert shown(answer) == words(text_for("reload", tokens=200))
    expect(page.locator(".q")).to_have_count(1)


def test_a_second_tab_follows_the_answer_and_learns_of_later_ones(
    portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> None:
    context = context_for(somebody)
    one, two = context.new_page(), context.new_page()
    one.goto(portal_site.url() + "/chat/")
    first = ask(one, marked(seed="tabs", n=150, gap=20))
    two.goto(one.url)
    streams(two.locator("article.a"))
    ends(first)
    ends(two.locator("article.a"))
    assert shown(two.locator("article.a")) == words(text_for("tabs", tokens=150))
    two.locator("#text").fill("My words")
    one.bring_to_front()
    ends(ask(one, marked("And then?", seed="later", n=20)))
    two.bring_to_front()
    two.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(two.locator("article.a")).to_have_count(2)
    assert two.locator("#text").input_value() == "My words"


def test_a_stale_tab_that_sends_sees_the_newest_state_and_keeps_its_text(
    portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> None:
    context = context_for(somebody)
    one = context.new_page()
    one.goto(portal_site.url() + "/chat/")
    ends(ask(one, marked(seed="one", n=10)))
    two = context.new_page()
    two.goto(one.url)
    two.evaluate(
        "for (const type of ['focus', 'visibilitychange']) window.addEventListener(type, (e) => e.stopImmediatePropagation(), true)"
    )
    ends(ask(one, marked("And then?", seed="two", n=10)))
    two.locator("#text").fill("Late words")
    two.locator("#text").press("Enter")
    expect(two.locator("#line")).to_contain_text("continued elsewhere")
    expect(two.locator("article.a")).to_have_count(2)
    assert two.locator("#text").input_value() == "Late words"
    two.locator("#text").press("Enter")
    expect(two.locator("article.a")).to_have_count(3)
    assert questions(portal_site, somebody)[-1] == "Late words"


def test_offline_in_mid_answer_and_back(page: Page) -> None:
    answer = ask(page, marked(seed="offline", n=250, gap=15))
    streams(answer, characters=30)
    page.context.set_offline(True)
    expect(page.locator("#line")).to_contain_text("No connection. Your text is kept; trying again.")
    page.wait_for_timeout(1_000)
    page.context.set_offline(False)
    ends(answer)
    assert shown(answer) == words(text_for("offline", tokens=250))
    expect(page.locator("#line")).to_be_empty()


def test_a_question_asked_offline_waits_in_the_box_and_is_sent_once(
    portal_site: Site, somebody: Person, page: Page
) -> None:
    page.context.set_offline(True)
    page.locator("#text").fill("Sent later")
    page.locator("#text").press("Enter")
    expect(page.locator("#line")).to_contain_text("No connection")
    assert page.locator("#text").input_value() == "Sent later"
    page.context.set_offline(False)
    ends(page.locator("article.a"))
    assert page.locator("#text").input_value() == ""
    assert questions(portal_site, somebody) == ["Sent later"]


def test_a_send_whose_answer_was_lost_is_not_sent_twice(portal_site: Site, somebody: Person, page: Page) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(str(route.fetch().status))
        route.abort()

    page.route("**/chat/messages/", lose)
    answer = ask(page, "Only once")
    ends(answer)
    assert lost == ["202"]
    expect(page.locator(".q")).to_have_count(1)
    assert questions(portal_site, somebody) == ["Only once"]


def test_a_reload_before_the_answer_came_repeats_the_same_send(portal_site: Site, somebody: Person, page: Page) -> None:
    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/chat/messages/", lose)
    page.locator("#text").fill("Asked before the reload")
    page.locator("#text").press("Enter")
    expect(page.locator("#line")).to_contain_text("No connection")
    page.unroute("**/chat/messages/")
    page.reload()
    assert page.locator("#text").input_value() == "Asked before the reload"
    page.locator("#text").press("Enter")
    ends(page.locator("article.a"))
    assert questions(portal_site, somebody) == ["Asked before the reload"]


def test_a_double_click_sends_once(portal_site: Site, somebody: Person, page: Page) -> None:
    page.locator("#text").fill("Twice pressed")
    page.locator("#send").dblclick()
    ends(page.locator("article.a"))
    page.wait_for_timeout(300)
    assert questions(portal_site, somebody) == ["Twice pressed"]


def test_a_question_typed_meanwhile_is_sent_next(portal_site: Site, somebody: Person, page: Page) -> None:
    answer = ask(page, marked(seed="now", n=80, gap=20))
    streams(answer)
    page.locator("#text").fill("And next?")
    page.locator("#text").press("Enter")
    expect(page.locator("#next")).to_contain_text("And next?")
    ends(answer)
    expect(page.locator("article.a")).to_have_count(2)
    expect(page.locator("#next")).to_be_hidden()
    assert questions(portal_site, somebody)[1:] == ["And next?"]


def test_a_question_typed_meanwhile_comes_back_into_the_box_when_the_answer_is_stopped(page: Page) -> None:
    answer = ask(page, marked(seed="now", n=200, gap=30))
    streams(answer)
    page.locator("#text").fill("And next?")
    page.locator("#text").press("Enter")
    page.locator("#stop").click()
    ends(answer, "cancelled")
    expect(page.locator("#text")).to_have_value("And next?")
    expect(page.locator("#next")).to_be_hidden()


@pytest.mark.parametrize(
    ("mark", "state", "says", "button"),
    [
        ({"mode": "err500"}, "failed", "question is saved", "Retry"),
        ({"mode": "eof_no_finish", "at": 12}, "interrupted", "not finished", "Continue"),
        ({"mode": "finish_length", "at": 12}, "done", "length limit", "Continue"),
    ],
)
def test_what_goes_wrong_is_said_with_what_can_be_done(
    page: Page, mark: dict[str, Any], state: str, says: str, button: str
) -> None:
    answer = ends(ask(page, marked(**mark)), state)
    expect(answer.locator(".note")).to_contain_text(says)
    expect(answer.get_by_role("button", name=button)).to_be_visible()
    text = shown(answer)
    page.reload()
    expect(page.locator("article.a .note")).to_contain_text(says)
    assert shown(page.locator("article.a")) == text


def test_a_ticket_that_is_over_and_a_busy_server_do_not_end_the_reading(page: Page) -> None:
    answers = [503, 404, 503, 404]
    seen: list[str] = []

    def trouble(route: Route) -> None:
        seen.append(route.request.url)
        if len(seen) % 3 == 0 and answers:
            route.fulfill(status=answers.pop(), body="")
        else:
            route.continue_()

    page.route("**/live/**", trouble)
    answer = ask(page, marked(seed="trouble", n=250, gap=15))
    ends(answer)
    assert answers == []
    assert shown(answer) == words(text_for("trouble", tokens=250))


def test_a_hidden_page_asks_seldom_and_without_waiting(open_page: Open) -> None:
    page = open_page()
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => !!window.away });")
    page.reload()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/live/" in sent.url else None)
    answer = ask(page, marked(seed="hidden", n=300, gap=20))
    streams(answer)
    page.evaluate("() => { window.away = true; }")
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(2_500)
    assert len(asked) <= 1
    assert all("wait=0" in url for url in asked)
    page.evaluate("() => { window.away = false; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(600)
    assert any("wait=25" in url for url in asked)
    ends(answer)


def test_without_scripts_a_question_is_sent_and_its_answer_read(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    page.locator("#text").fill(marked("Plain?", seed="plain", n=15))
    page.locator("#send").click()
    assert "/chat/" in page.url
    for _ in range(20):
        if page.locator("article.a[data-state=done]").count():
            break
        page.wait_for_timeout(250)
        page.reload()
    assert shown(page.locator("article.a")) == words(text_for("plain", tokens=15))
    page.get_by_role("button", name="Regenerate").click()
    expect(page.locator("article.a")).to_have_count(1)
