"""A chat of 5,000 messages: it scrolls, streams and prints like a short one.

Long tasks are judged by the CPU time that the page's thread spent in them (Chromium's trace), not by the clock: a busy
machine stretches the one and not the other. What the test itself asks of the page is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked
from tests.browser.test_copying import printed
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
LONG_MS = 50
TASK = "ThreadControllerImpl::RunTask"

LONG = """
from accounts.models import User
from chat.models import Conversation, Message
from chat import rendering
made = Conversation.objects.create(user=User.objects.get(email=given), title="Long", version=2500)
table, code = "| a | b |\\n|---|---|\\n| 1 | 2 |", "```python\\nprint('x')\\n```"
answer_text = "\\n\\n".join(["Some **words** of an answer, with `code`.", table, code, "- one\\n- two"])
html = rendering.render(answer_text)
rows, last = [], None
for n in range(5000):
    role, text = ("assistant", answer_text) if n % 2 else ("user", f"Question {n // 2}")
    rows.append(Message(conversation=made, depth=n, role=role, text=text, html=html if n % 2 else "", html_version=rendering.HTML_VERSION))
Message.objects.bulk_create(rows, batch_size=500)
ids = list(Message.objects.filter(conversation=made).order_by("depth").values_list("pk", flat=True))
children = list(Message.objects.filter(conversation=made).order_by("depth"))
for child, parent in zip(children[1:], ids):
    child.parent_id = parent
Message.objects.bulk_update(children, ["parent"], batch_size=500)
made.leaf_id = ids[-1]
made.save()
answer = str(made.uuid)
"""


# Goes to the top until so many older windows have come, as fast as they come.
OLDER = """async (count) => {
  const turns = document.getElementsByClassName("q");
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  for (let window = 0; window < count && document.querySelector("a[data-older]"); window += 1) {
    const before = turns.length;
    document.getElementById("scroll").scrollTop = 0;
    for (let tries = 0; tries < 1000 && turns.length === before; tries += 1) await pause(10);
    await pause(30);
  }
  return turns.length;
}"""
# How far the topmost turn has moved on the screen once another window stands above it and has come to rest.
MOVED = """async () => {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  document.getElementById("scroll").scrollTop = 0;
  const first = document.querySelector(".q");
  const before = first.getBoundingClientRect().top;
  while (document.querySelector(".q") === first) await pause(10);
  await pause(500);
  return first.getBoundingClientRect().top - before;
}"""
BURN = "() => setTimeout(() => { const end = performance.now() + 200; while (performance.now() < end); }, 50)"


class Tasks:
    """What the page's thread did while it was recorded; read after the recording."""

    def __init__(self) -> None:
        self.cpu_ms: list[int] = []

    @property
    def long(self) -> list[int]:
        return sorted(ms for ms in self.cpu_ms if ms > LONG_MS)


@contextmanager
def recorded(page: Page, *, file: Path) -> Iterator[Tasks]:
    """Records the page's tasks in the meantime."""
    browser = page.context.browser
    assert browser is not None
    tasks = Tasks()
    browser.start_tracing(page=page, path=str(file), categories=["toplevel"])
    try:
        yield tasks
    finally:
        browser.stop_tracing()
    tasks.cpu_ms = own_tasks(json.loads(file.read_text())["traceEvents"])


def own_tasks(events: list[dict[str, Any]]) -> list[int]:
    """CPU milliseconds of every task of pages' main threads, without those that answer the test's own questions."""
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    found = [each for each in events if each.get("ph") == "X" and (each["pid"], each["tid"]) in mains]
    asked = [each for each in found if "DevToolsSession" in json.dumps(each.get("args", {}))]
    return [
        each["tdur"] // 1000
        for each in found
        if each["name"] == TASK and "tdur" in each and not any(inside(one, task=each) for one in asked)
    ]


def inside(event: dict[str, Any], *, task: dict[str, Any]) -> bool:
    same = (event["pid"], event["tid"]) == (task["pid"], task["tid"])
    return bool(same and task["ts"] <= event["ts"] <= task["ts"] + task["dur"])


@pytest.fixture
def long_chat(portal_site: Site, somebody: Person, open_page: Open) -> Page:
    """The newest messages of the chat, in a browser that has not scrolled yet."""
    address = portal_site.django(LONG, somebody.email)
    page = open_page(f"/chat/{address}/")
    expect(page.get_by_text("Question 2499", exact=True)).to_be_in_viewport()
    return page


def test_the_recording_sees_a_task_that_is_long(page: Page, tmp_path: Path) -> None:
    with recorded(page, file=tmp_path / "trace.json") as tasks:
        page.evaluate(BURN)
        page.wait_for_timeout(600)
    assert len(tasks.long) == 1
    assert 100 <= tasks.long[0] <= 250


def test_a_chat_of_5000_messages_scrolls_and_streams_without_a_long_task(long_chat: Page, tmp_path: Path) -> None:
    page = long_chat
    assert page.evaluate(OLDER, 1_000) == 2_500
    page.wait_for_timeout(500)
    with recorded(page, file=tmp_path / "scroll.json") as scrolling:
        page.mouse.move(640, 300)
        for _turn in range(40):
            page.mouse.wheel(0, 1_500)
            page.wait_for_timeout(30)
        page.evaluate("() => { const box = document.getElementById('scroll'); box.scrollTop = box.scrollHeight / 2; }")
        page.wait_for_timeout(300)
        page.locator("#down").click()
        page.wait_for_timeout(300)
    assert len(scrolling.cpu_ms) > 100
    assert scrolling.long == []
    with recorded(page, file=tmp_path / "stream.json") as streaming:
        ends(ask(page, marked(seed="long", n=400, gap=5)))
    assert len(streaming.cpu_ms) > 100
    assert streaming.long == []


def test_an_older_window_comes_without_a_long_task_and_what_is_read_stays_in_its_place(
    long_chat: Page, tmp_path: Path
) -> None:
    page = long_chat
    with recorded(page, file=tmp_path / "older.json") as loading:
        assert page.evaluate(OLDER, 12) == 20 + 12 * 10
    assert loading.long == []
    assert abs(page.evaluate(MOVED)) < 1


def test_turns_after_an_old_question_that_is_asked_anew_go_also_over_the_bounds_of_windows(long_chat: Page) -> None:
    page = long_chat
    assert page.evaluate(OLDER, 3) == 50
    question = page.get_by_text("Question 2455", exact=True).locator("..")
    question.hover()
    question.get_by_role("link", name="Edit the question").click()
    page.locator("#text").fill("Question 2455, in other words")
    page.locator("#text").press("Enter")
    expect(page.get_by_text("Question 2499", exact=True)).to_have_count(0)
    ends(page.locator("article.a >> nth=-1"))
    assert page.locator(".q > div").all_inner_texts() == [
        "Question 2450", "Question 2451", "Question 2452", "Question 2453", "Question 2454", "Question 2455, in other words",
    ]  # fmt: skip


def test_paper_says_what_is_not_on_it_and_holds_all_that_was_scrolled_to(long_chat: Page, tmp_path: Path) -> None:
    page = long_chat
    page.evaluate(OLDER, 4)
    page.evaluate("document.getElementById('scroll').scrollTop = 1e9")
    page.wait_for_timeout(500)
    file = tmp_path / "long.pdf"
    page.pdf(path=str(file))
    page.emulate_media(media="print")
    expect(page.get_by_text("Older messages are not on this paper.")).to_be_visible()
    text = printed(file)
    if text:
        assert "Older messages are not on this paper." in text
        assert [f"Question {number}" for number in range(2440, 2500) if f"Question {number}\n" not in text] == []
