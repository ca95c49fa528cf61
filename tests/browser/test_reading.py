"""Reading while an answer is written: no finished block is touched, the open one waits; long chats stay quick; the phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from providers.simulator.answers import text_for
from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked, shown, streams, words

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

# Each block is watched from the moment the next one is there until the answer with its notes and buttons has settled.
WATCH_FINISHED = """() => {
  const text = document.querySelector("article.a .text");
  window.finished = new Map();
  window.touched = [];
  const all = { childList: true, subtree: true, characterData: true, attributes: true };
  const look = () => {
    for (const node of [...text.querySelectorAll(":scope > .block")].slice(0, -1)) {
      if (window.finished.has(node.dataset.i)) continue;
      window.finished.set(node.dataset.i, node);
      new MutationObserver((seen) => window.touched.push([node.dataset.i, seen.length])).observe(node, all);
    }
  };
  new MutationObserver(look).observe(text, { childList: true });
  look();
}"""


def test_no_finished_block_is_touched_again_until_the_end_and_after(page: Page) -> None:
    answer = ask(page, marked(seed="blocks", n=420, gap=8))
    streams(answer)
    page.evaluate(WATCH_FINISHED)
    ends(answer)
    page.wait_for_timeout(300)
    assert page.evaluate("window.finished.size") > 2
    same = """() => [...window.finished].every(([i, node]) =>
      node === document.querySelector(`article.a .block[data-i="${i}"]`))"""
    assert page.evaluate(same)
    assert page.evaluate("window.touched") == []
    live = page.locator("article.a .text").evaluate("(node) => [...node.children].map((each) => each.innerText)")
    page.reload()
    stored = page.locator("article.a .text").evaluate("(node) => [...node.children].map((each) => each.innerText)")
    assert live == stored


def test_the_open_block_is_not_replaced_while_the_focus_is_in_it_and_catches_up_afterwards(page: Page) -> None:
    answer = ask(page, marked(seed="focus", n=260, gap=15))
    streams(answer, characters=30)
    page.evaluate(
        """() => { window.held = document.querySelector("article.a .block:last-of-type").firstElementChild;
        window.held.tabIndex = 0; window.held.focus(); }"""
    )
    page.wait_for_timeout(1_000)
    assert page.evaluate("window.held.isConnected && document.activeElement === window.held")
    page.locator("#text").focus()
    ends(answer)
    assert shown(answer) == words(text_for("focus", tokens=260))


# Everything that the region for screen readers has held, in order.
HEAR = """() => {
  const region = document.getElementById("announce");
  window.heard = [];
  new MutationObserver(() => region.textContent && window.heard.push(region.textContent)).observe(region, { childList: true });
}"""


def heard(page: Page, *, seed: str) -> tuple[list[str], list[str]]:
    """What is announced of an answer of some paragraphs, and those paragraphs."""
    page.evaluate(HEAR)
    answer = ends(ask(page, marked(seed=seed, n=160, gap=8)))
    expect(page.locator("#announce")).to_have_text(re.compile("^Finished"))
    page.wait_for_timeout(500)
    blocks = answer.locator(".text > .block").all_inner_texts()
    assert len(blocks) > 2
    return page.evaluate("window.heard"), [" ".join(block.split()) for block in blocks]


def test_each_finished_block_is_announced_once_in_order_for_whoever_chose_it_also_after_a_reload(page: Page) -> None:
    page.get_by_label("How Enter works").first.click()
    assert not page.get_by_label("Screen readers hear").is_checked()
    page.get_by_label("Screen readers hear").check()
    page.reload()
    said, blocks = heard(page, seed="blocks")
    assert said == ["Answering", *blocks, f"Finished, {len(blocks)} paragraphs"]


def test_only_the_beginning_and_the_end_are_announced_to_everybody_else(page: Page) -> None:
    said, blocks = heard(page, seed="blocks")
    assert said == ["Answering", f"Finished, {len(blocks)} paragraphs"]


def answered_without(route: Any, name: str) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={key: value for key, value in answer.json().items() if key != name})


def test_the_line_of_the_models_memory_appears_when_an_answer_ends(page: Page) -> None:
    first = ends(ask(page, marked(seed="first", n=10)))
    expect(page.locator(".fold")).to_have_count(0)
    number = first.get_attribute("data-id")

    def told(route: Any) -> None:
        answer = route.fetch()
        body = answer.text().replace("data-state=", f'data-memory="{number}" data-state=')
        route.fulfill(response=answer, body=body)

    # As when something had to be left out: the end is no longer all that the page needs.
    page.route(re.compile(r"/live/"), lambda route: answered_without(route, "whole"))
    page.route(re.compile(r"/chat/messages/[0-9a-f-]{36}/\?part=end"), told)
    ends(ask(page, marked(seed="second", n=10)))
    expect(page.locator(".fold")).to_have_count(1)
    expect(page.locator(".fold + article.a")).to_have_attribute("data-id", str(number))
    page.unroute_all(behavior="ignoreErrors")


def test_the_back_button_closes_the_drawer_and_leaves_the_page_where_it_is(open_page: Open) -> None:
    page = open_page(**PHONE)
    ends(ask(page, marked(seed="back", n=10)))
    address = page.url
    page.locator("#menu").tap()
    expect(page.locator("#side")).to_be_visible()
    page.go_back()
    expect(page.locator("#side")).to_be_hidden()
    expect(page.locator("#menu")).to_be_focused()
    assert page.url == address
    page.locator("#menu").tap()
    page.locator("#shut").tap()
    expect(page.locator("#side")).to_be_hidden()
    page.locator("#menu").tap()
    page.locator("#new").tap()
    page.wait_for_url("**/chat/")
    expect(page.locator("#side")).to_be_hidden()
    page.go_back()
    page.wait_for_url(address)
    expect(page.locator("#side")).to_be_hidden()


def test_a_swipe_to_the_left_closes_the_drawer_and_a_scroll_does_not(open_page: Open) -> None:
    page = open_page(**PHONE)
    page.locator("#menu").tap()
    expect(page.locator("#side")).to_be_visible()
    swipe = """([x, y]) => { const side = document.getElementById("side");
      const touch = (clientX, clientY) => new Touch({ identifier: 1, target: side, clientX, clientY });
      const from = touch(250, 300), to = touch(x, y);
      side.dispatchEvent(new TouchEvent("touchstart", { touches: [from], changedTouches: [from], bubbles: true }));
      side.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: [to], bubbles: true })); }"""
    page.evaluate(swipe, [180, 500])
    page.wait_for_timeout(200)
    expect(page.locator("#side")).to_be_visible()
    page.evaluate(swipe, [120, 310])
    expect(page.locator("#side")).to_be_hidden()


def test_on_touch_every_target_is_44_pixels_and_every_field_16(open_page: Open) -> None:
    page = open_page(**PHONE)
    ends(ask(page, "Show me everything"))
    small = """() => [...document.querySelectorAll("a, button, select, summary, textarea")]
      .filter((node) => node.checkVisibility() && !node.closest(".text p, .text li, .text td, .vh, .skip, .hello p, .line"))
      .map((node) => [node, node.getBoundingClientRect()])
      .filter(([, box]) => box.width && (box.height < 43.5 || box.width < 43.5))
      .map(([node, box]) => `${node.id || node.ariaLabel || node.textContent.trim()} ${box.width}x${box.height}`)"""
    assert page.evaluate(small) == []
    sizes = """() => [...document.querySelectorAll("textarea, select, input:not([type=hidden], [type=radio])")]
      .map((node) => parseFloat(getComputedStyle(node).fontSize))"""
    assert min(page.evaluate(sizes)) >= 16
    page.locator("#menu").tap()
    assert page.evaluate(small) == []
    zoom = page.locator("meta[name=viewport]").get_attribute("content") or ""
    assert "user-scalable" not in zoom
    assert "maximum-scale" not in zoom


def test_on_touch_what_is_read_out_can_be_chosen_and_enter_cannot(open_page: Open) -> None:
    page = open_page(**PHONE)
    page.locator("#writing summary").tap()
    expect(page.get_by_label("Screen readers hear")).to_be_visible()
    expect(page.get_by_label("Enter sends, Shift+Enter is a new line")).to_be_hidden()
    row = page.locator("#writing label:visible").bounding_box()
    assert row is not None
    assert row["height"] >= 43.5
    page.get_by_label("Screen readers hear").check()
    page.reload()
    expect(page.get_by_label("Screen readers hear")).to_be_checked()


def test_the_composer_rises_above_a_keyboard_that_covers_the_page(open_page: Open) -> None:
    page = open_page(**PHONE)
    page.wait_for_timeout(300)
    page.locator("#text").tap()
    page.evaluate(
        """() => { Object.defineProperty(visualViewport, "height", { value: 500, configurable: true });
        visualViewport.dispatchEvent(new Event("resize")); }"""
    )
    box = page.locator("#composer").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 500
    page.evaluate("() => { delete visualViewport.height; visualViewport.dispatchEvent(new Event('resize')); }")
    after = page.locator("#composer").bounding_box()
    assert after is not None
    assert after["y"] > 600


def test_nothing_stands_under_a_notch_or_a_home_bar_and_pinching_zooms(open_page: Open) -> None:
    page = open_page(**(PHONE | {"viewport": {"width": 844, "height": 390}}))
    insets = {"left": 47, "leftMax": 47, "right": 47, "rightMax": 47, "bottom": 21, "bottomMax": 21}
    page.context.new_cdp_session(page).send("Emulation.setSafeAreaInsetsOverride", {"insets": insets})
    room = "(node) => { const it = node.getBoundingClientRect(); return [it.left, innerWidth - it.right, innerHeight - it.bottom]; }"
    left, right, below = page.locator("#composer").evaluate(room)
    assert (left >= 47, right >= 47, below >= 21) == (True, True, True), (left, right, below)
    page.locator("#menu").tap()
    assert page.locator("#new").evaluate(room)[0] >= 47
    page.goto(page.url.split("/chat/")[0] + "/me/")
    left, right, _below = page.get_by_role("heading", level=1).evaluate(room)
    assert (left >= 47, right >= 47) == (True, True), (left, right)
    zoom = page.locator("meta[name=viewport]").get_attribute("content") or ""
    assert not any(word in zoom for word in ("user-scalable", "maximum-scale"))


def test_at_400_percent_nothing_scrolls_sideways_and_the_box_can_be_used(open_page: Open) -> None:
    page = open_page(viewport={"width": 320, "height": 256})
    page.locator("#text").fill("Show me everything")
    page.locator("#send").click()
    ends(page.locator("article.a"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#text")).to_be_in_viewport()
    assert page.evaluate("document.getElementById('scroll').clientHeight") >= 60


def test_reduced_motion_and_forced_colours_leave_everything_visible(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce", forced_colors="active")
    answer = ask(page, marked(seed="calm", n=120, gap=20))
    streams(answer)
    moving = "() => document.getAnimations().filter((each) => each.playState === 'running').length"
    assert page.evaluate(moving) == 0
    ends(answer)
    for name in (".q > div", ".box"):
        assert page.locator(name).evaluate("(node) => getComputedStyle(node).borderTopStyle") == "solid", name


def test_the_focus_after_each_action_is_where_the_next_one_is(page: Page) -> None:
    answer = ends(ask(page, marked(seed="focus", n=10)))
    expect(page.locator("#text")).to_be_focused()
    answer.get_by_role("button", name="Regenerate").click()
    expect(page.locator("#text")).to_be_focused()
    answer = ends(page.locator("article.a"))
    answer.get_by_role("link", name="Details of this answer").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Details of this answer")).to_be_focused()
    answer = ask(page, marked(seed="stop", n=200, gap=30))
    streams(answer)
    page.locator("#stop").click()
    expect(page.locator("#text")).to_be_focused()
    ends(answer, "cancelled")
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    expect(page.locator("#text")).to_be_focused()
