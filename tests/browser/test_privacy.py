"""Privacy in a real browser: a look and the owner who sees it, a rule with its dry run, somebody erased and the receipt."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
HOLDER = Person("holder@example.com", "", PASSWORD)
MAKE = """
from accounts.models import User
if not User.objects.filter(email=given).exists():
    User.objects.create_superuser(given, "PASSWORD", name="Grace Hopper")
User.objects.filter(email=given).update(may_open_chats=True)
answer = None
""".replace("PASSWORD", PASSWORD)
OLD = """
import datetime as dt
from django.utils import timezone
from accounts.models import Organisation
from chat.models import Conversation
then = timezone.now() - dt.timedelta(days=40)
answer = Conversation.objects.filter(user__email=given).update(updated_at=then, finished_at=then)
"""
LEAVE = """
from accounts import people
from accounts.models import User
person = User.objects.get(email=given)
people.deactivate(person, by=None)
answer = str(person.uuid)
"""
RULE = """
from accounts.models import Organisation
answer = Organisation.objects.get().retention_days
Organisation.objects.update(retention_days=None)
"""


@pytest.fixture
def holder(context_for: Callable[..., BrowserContext], portal_site: Site) -> Page:
    """Somebody to whom the right was given."""
    portal_site.django(MAKE, HOLDER.email)
    return context_for(HOLDER).new_page()


def proven(page: Page, portal_site: Site, path: str) -> None:
    """Opens a page that asks for the password again, where it does."""
    page.goto(portal_site.url() + path)
    if "/accounts/confirm/" in page.url:
        page.locator("input[type=password]").fill(PASSWORD)
        page.locator("main button.pri").click()


def test_conversations_are_opened_with_a_reason_and_their_owner_sees_who_and_why(
    open_page: Open, holder: Page, portal_site: Site, somebody: Person
) -> None:
    chat = open_page()
    ends(ask(chat, "Where is the key?"))
    proven(holder, portal_site, "/setup/openings/")
    holder.get_by_label("Whose conversations").fill(somebody.email)
    holder.get_by_label("Why").fill("Agreed with the works council: the leak of Monday.")
    holder.get_by_role("button", name="Open, and write it down").click()
    expect(holder.get_by_role("heading", level=1)).to_contain_text("Conversations of")
    holder.get_by_role("link", name="Read").first.click()
    expect(holder.locator(".reading")).to_contain_text("Where is the key?")
    expect(holder.locator(".reading article .text").first).not_to_be_empty()
    expect(holder.locator("textarea, [data-poll]")).to_have_count(0)

    chat.goto(portal_site.url() + "/me/privacy/")
    looked = chat.locator("section.card", has_text="Who looked")
    expect(looked).to_contain_text("Grace Hopper")
    expect(looked).to_contain_text("the leak of Monday")

    address = holder.url
    holder.get_by_role("button", name="End now").click()
    expect(holder.get_by_text("Ended.")).to_be_visible()
    answer = holder.goto(address)
    assert answer is not None
    assert answer.status == 404


def test_a_rule_is_counted_before_it_is_saved(
    open_page: Open, holder: Page, portal_site: Site, somebody: Person
) -> None:
    ends(ask(open_page(), "An old question"))
    assert portal_site.django(OLD, somebody.email) == 1
    proven(holder, portal_site, "/setup/privacy/")
    holder.get_by_label("Everybody, in days").fill("36500")
    holder.get_by_role("button", name="Count what would go").click()
    if "/accounts/confirm/" in holder.url:
        proven(holder, portal_site, "/accounts/confirm/?next=/setup/privacy/")
        holder.get_by_label("Everybody, in days").fill("36500")
        holder.get_by_role("button", name="Count what would go").click()
    row = holder.locator("table.lines tbody tr").first
    expect(row).to_contain_text("The organisation")
    holder.get_by_label("Everybody, in days").fill("30")
    holder.get_by_role("button", name="Count what would go").click()
    expect(holder.locator("table.lines tbody tr b").first).not_to_have_text("0")
    holder.get_by_label("Everybody, in days").fill("36500")
    holder.get_by_role("button", name="Save these rules").click()
    expect(holder.get_by_text("Saved. What is too old goes")).to_be_visible()
    assert portal_site.django(RULE) == 36500


def test_somebody_who_left_is_erased_and_the_receipt_says_what_went(
    open_page: Open, holder: Page, portal_site: Site, somebody: Person
) -> None:
    ends(ask(open_page(), "Forget me"))
    number = portal_site.django(LEAVE, somebody.email)
    proven(holder, portal_site, f"/setup/privacy/people/{number}/")
    holder.get_by_label("I have read what goes").check()
    holder.get_by_role("button", name="Erase this person").click()
    expect(holder.get_by_role("heading", level=1)).to_have_text("Receipt of an erasure")
    expect(holder.locator("main")).to_contain_text("Conversations with every message")
    expect(holder.locator("main")).to_contain_text("In the audit trail")
    with holder.expect_download() as download:
        holder.get_by_role("link", name="Download the receipt").click()
    assert download.value.suggested_filename.endswith(".json")
    assert (
        portal_site.django(
            "from accounts.models import User\nanswer = User.objects.filter(email=given).count()", somebody.email
        )
        == 0
    )


def test_a_temporary_chat_is_chosen_before_the_first_question(open_page: Open, portal_site: Site) -> None:
    page = open_page()
    page.get_by_label("Temporary").check()
    ends(ask(page, "Only for now"))
    expect(page.get_by_label("Temporary")).to_be_disabled()
    page.reload()
    expect(page.locator(".ends")).to_contain_text("A temporary chat: it goes for good")
    page.goto(portal_site.url() + "/chat/")
    ends(ask(page, "To keep"))
    expect(page.get_by_label("Temporary")).to_have_count(0)
