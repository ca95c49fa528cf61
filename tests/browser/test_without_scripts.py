"""With scripts off: history is read to its beginning, forms send, stop, continue and reword, the list goes on, the language changes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from providers.simulator.answers import text_for
from tests.browser.conftest import Open
from tests.browser.moves import marked, shown, words
from tests.processes import Person, Site

pytestmark = pytest.mark.browser
LONG = """
import datetime as dt
from django.utils import timezone
from accounts.models import User
from chat.models import Conversation, Message
user, now, last = User.objects.get(email=given), timezone.now(), None
talk = Conversation.objects.create(user=user, title="A long one", title_state="done", updated_at=now)
for n in range(70):
    role = "assistant" if n % 2 else "user"
    last = Message.objects.create(conversation=talk, role=role, parent=last, text=f"Turn {n} of the long one")
Conversation.objects.filter(pk=talk.pk).update(leaf=last)
Conversation.objects.bulk_create(
    Conversation(user=user, title=f"Talk {n}", title_state="done", updated_at=now - dt.timedelta(hours=n + 1)) for n in range(60))
answer = str(talk.uuid)
"""


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page(java_script_enabled=False)


def send(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Your question").fill(text)
    page.get_by_role("button", name="Send").click()


def reloaded_until(page: Page, state: str) -> Locator:
    """The page tells people without scripts to load it again; this does, until the last answer is in this state."""
    answer = page.locator("article.a").last
    for _ in range(60):
        if answer.get_attribute("data-state") == state:
            return answer
        page.wait_for_timeout(250)
        page.reload()
    raise AssertionError(f"still {answer.get_attribute('data-state')}")


def test_an_answer_is_stopped_and_continued(page: Page) -> None:
    send(page, marked("Tell me", seed="plain", n=60, gap=60))
    reloaded_until(page, "streaming")
    # Playwright's way of switching scripts off leaves <noscript> unread; browsers' own does not.
    assert "Load the page again to see more of the answer." in page.content()
    page.get_by_role("button", name="Stop the answer").click()
    answer = reloaded_until(page, "cancelled")
    expect(answer).to_contain_text("You stopped this answer. What was written is kept.")
    page.get_by_role("button", name="Continue").click()
    answer = reloaded_until(page, "done")
    assert shown(answer) == words(text_for("plain", tokens=60))


def test_a_question_is_reworded_and_another_answer_asked_for(page: Page) -> None:
    send(page, marked("Badly put", seed="one", n=8))
    reloaded_until(page, "done")
    page.get_by_role("link", name="Edit the question").click()
    expect(page.get_by_text("You are rewording a question")).to_be_visible()
    send(page, marked("Better put", seed="two", n=8))
    answer = reloaded_until(page, "done")
    assert shown(answer) == words(text_for("two", tokens=8))
    expect(page.locator(".q")).to_have_count(1)
    before = answer.get_attribute("id")
    page.get_by_role("button", name="Regenerate").click()
    assert reloaded_until(page, "done").get_attribute("id") != before


def test_what_is_refused_keeps_the_words(page: Page) -> None:
    page.get_by_role("textbox", name="Your question").evaluate("(box) => box.removeAttribute('required')")
    send(page, " \n ")
    expect(page.get_by_role("alert")).not_to_be_empty()


def test_history_is_read_to_its_beginning_and_the_list_goes_on(
    portal_site: Site, somebody: Person, open_page: Open
) -> None:
    talk = portal_site.django(LONG, somebody.email)
    page = open_page(f"/chat/{talk}/", java_script_enabled=False)
    expect(page.get_by_text("Turn 69 of the long one")).to_be_visible()
    expect(page.get_by_text("Turn 0 of the long one")).to_have_count(0)
    for _window in range(4):
        older = page.get_by_role("link", name="Older messages")
        if not older.count():
            break
        older.click()
    expect(page.get_by_text("Turn 0 of the long one")).to_be_visible()
    page.get_by_role("link", name="Newest messages").click()
    expect(page.get_by_text("Turn 69 of the long one")).to_be_visible()
    side = page.get_by_role("navigation", name="Conversations")
    side.get_by_role("link", name="More", exact=True).click()
    side.get_by_role("link", name="Talk 55", exact=True).click()
    expect(page).to_have_title("Talk 55 · Chat")


def test_model_language_and_sign_out_are_forms(page: Page) -> None:
    page.locator(".me summary").click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Language").select_option(label="简体中文")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="我的设置")).to_be_visible()
    page.get_by_role("button", name="退出登录").click()
    expect(page.get_by_role("button", name="登录", exact=True)).to_be_visible()
