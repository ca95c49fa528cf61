"""Five tasks as somebody does them who has never seen the product: by the words on the page and the keys everybody knows.

No ids, no classes, no addresses but the first one; at a desk and with a thumb. What a step needs must be seen to be pressed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from providers.simulator.answers import text_for
from tests.browser.moves import marked, words
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
OLD = "Which cables fit the new screens"
MAKE = """
import datetime as dt
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation, Message
user, now = User.objects.get(email=given[0]), timezone.now()
for n in range(90):
    title = given[1] if n == 70 else f"Something else {n}"
    talk = Conversation.objects.create(user=user, title=title, title_state="done", updated_at=now - dt.timedelta(days=n))
    if n == 70:
        asked = Message.objects.create(conversation=talk, role="user", text="Which cables?")
        talk.leaf = Message.objects.create(conversation=talk, role="assistant", parent=asked, text="Those with a broad plug.")
        talk.save(update_fields=["leaf"])
"""


class Stranger:
    """Somebody in front of a browser: sees, reads and presses."""

    def __init__(self, page: Page, *, thumb: bool) -> None:
        self.page, self.thumb = page, thumb

    def press(self, target: Locator) -> None:
        """What stands behind something else, or is only there for scripts, cannot be pressed."""
        target.tap() if self.thumb else target.click()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Your question")

    def ask(self, text: str) -> None:
        self.press(self.box())
        self.page.keyboard.insert_text(text)
        self.press(self.button("Send"))

    def sees(self, text: str | re.Pattern[str]) -> Locator:
        found = self.page.get_by_text(text).locator("visible=true").first
        expect(found).to_be_visible(timeout=30_000)
        return found

    def list(self) -> Locator:
        """The conversations; on a phone behind the button with three lines."""
        if self.thumb:
            self.press(self.page.get_by_role("link", name="Conversations").or_(self.button("Conversations")))
        return self.page.get_by_role("navigation", name="Conversations")


@pytest.fixture(params=["desk", "phone"])
def stranger(
    request: pytest.FixtureRequest, portal_site: Site, somebody: Person, context_for: Callable[..., BrowserContext]
) -> Stranger:
    """In front of the sign-in page, with an address and a password on a slip of paper."""
    thumb = request.param == "phone"
    context = context_for(None, **(PHONE if thumb else DESK))
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    who = Stranger(context.new_page(), thumb=thumb)
    who.page.goto(portal_site.url())
    who.page.get_by_label("E-mail").fill(somebody.email)
    who.page.get_by_label("Password", exact=True).fill(somebody.password)
    who.press(who.button("Sign in"))
    expect(who.box()).to_be_visible()
    return who


def test_a_question_is_asked(stranger: Stranger) -> None:
    stranger.ask("What can I do here?")
    stranger.sees("Three things to try")
    expect(stranger.button("Send")).to_be_visible()
    expect(stranger.box()).to_have_value("")


def test_a_table_goes_into_a_document(stranger: Stranger) -> None:
    stranger.ask("What can I do here?")
    stranger.sees("Three things to try")
    table = stranger.page.get_by_role("table").first
    table.scroll_into_view_if_needed()
    if not stranger.thumb:
        table.hover()
    stranger.press(stranger.button("Copy the table"))
    rows = table.get_by_role("row").count()
    document = stranger.page.context.new_page()
    document.goto(
        "data:text/html,<title>Letter</title><div contenteditable role=textbox aria-label=Letter>Dear all, </div>"
    )
    document.get_by_role("textbox", name="Letter").click()
    document.keyboard.press("Control+End")
    document.keyboard.press("Control+V")
    expect(document.get_by_role("row")).to_have_count(rows)
    expect(document.get_by_role("cell", name="stop an answer")).to_be_visible()


def test_an_old_conversation_is_found(portal_site: Site, somebody: Person, stranger: Stranger) -> None:
    portal_site.django(MAKE, [somebody.email, OLD])
    stranger.page.reload()
    side = stranger.list()
    found = side.get_by_role("link", name=OLD, exact=True)
    for _page in range(5):
        if found.count():
            break
        more = side.get_by_role("link", name="More", exact=True).or_(
            side.get_by_role("button", name="More", exact=True)
        )
        before = side.get_by_role("link").count()
        stranger.press(more)
        stranger.page.wait_for_function(f"() => document.querySelectorAll('nav a').length > {before}")
    stranger.press(found)
    stranger.sees("Those with a broad plug.")


def test_an_answer_that_was_cut_is_continued(stranger: Stranger) -> None:
    stranger.ask(marked("Tell me all of it", seed="long", mode="finish_length", at=30, n=60))
    stranger.sees("The answer reached its length limit.")
    answer, whole = stranger.page.get_by_role("article").last, text_for("long", tokens=60)
    assert words(whole) not in words(answer.inner_text())
    stranger.press(stranger.button("Continue"))
    expect(stranger.button("Continue")).to_have_count(0)
    expect(stranger.button("Send")).to_be_visible(timeout=30_000)
    assert words(whole) in words(answer.inner_text())


def test_the_language_is_switched(stranger: Stranger) -> None:
    side = stranger.list()
    stranger.press(side.get_by_text("Person", exact=False).last)
    stranger.press(side.get_by_role("link", name="Settings"))
    stranger.page.get_by_label("Language").select_option(label="简体中文")
    stranger.press(stranger.button("Save"))
    stranger.sees("我的设置")
    stranger.press(stranger.page.get_by_role("link", name="返回对话"))
    expect(stranger.page.get_by_role("textbox", name="你的问题")).to_be_visible()
    stranger.sees(re.compile("^(早上|下午|晚上)好"))
