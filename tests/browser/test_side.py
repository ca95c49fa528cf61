"""Finding one's way in the real page: rename, delete and undo, the bin, marks, the model picker, keys, back and forward."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked
from tests.browser.test_page import PHONE, violations
from tests.processes import Person, Site

pytestmark = pytest.mark.browser

MAKE = """
from accounts.models import User
from chat.models import Conversation
from django.utils import timezone
import datetime as dt
user, now = User.objects.get(email=given[0]), timezone.now()
rows = [Conversation(user=user, title=f"Talk {n}", updated_at=now - dt.timedelta(minutes=n)) for n in range(given[1])]
answer = [str(row.uuid) for row in Conversation.objects.bulk_create(rows)]
"""


@pytest.fixture
def talks(portal_site: Site, somebody: Person) -> list[str]:
    """Sixty conversations, the newest first: more than one page of the list."""
    portal_site.django(
        "from chat.models import Conversation\nConversation.objects.filter(user__email=given).delete()", somebody.email
    )
    made: list[str] = portal_site.django(MAKE, [somebody.email, 60])
    return made


def row(page: Page, title: str) -> Locator:
    return page.locator("#list li:not([hidden]) .row").filter(has_text=re.compile(rf"^\s*{re.escape(title)}\s*$"))


def menu(page: Page, title: str) -> Locator:
    """Opens the row's menu with the mouse."""
    row(page, title).hover()
    row(page, title).locator("xpath=following-sibling::a").click()
    expect(page.get_by_role("menu")).to_be_visible()
    return page.get_by_role("menu")


def test_a_conversation_is_renamed_in_place(talks: list[str], open_page: Open) -> None:
    page = open_page(f"/chat/{talks[2]}/")
    menu(page, "Talk 2").get_by_role("menuitem", name="Rename").click()
    box = page.get_by_role("textbox", name="Title of the conversation")
    expect(box).to_be_focused()
    expect(box).to_have_value("Talk 2")
    box.fill("<b>Trees</b>")
    box.press("Enter")
    expect(row(page, "<b>Trees</b>")).to_be_focused()
    expect(page).to_have_title(re.compile("^<b>Trees</b> · "))
    page.reload()
    expect(row(page, "<b>Trees</b>")).to_have_attribute("aria-current", "page")
    row(page, "Talk 1").focus()
    page.keyboard.press("F2")
    page.keyboard.type("Never mind")
    page.keyboard.press("Escape")
    expect(row(page, "Talk 1")).to_be_focused()


def test_a_deleted_conversation_comes_back_by_undo(talks: list[str], open_page: Open) -> None:
    page = open_page()
    menu(page, "Talk 3").get_by_role("menuitem", name="Delete").click()
    expect(row(page, "Talk 3")).to_have_count(0)
    expect(row(page, "Talk 4")).to_be_focused()
    expect(page.locator("#toast")).to_contain_text("“Talk 3” is in the bin.")
    expect(page.locator("#announce")).to_contain_text("“Talk 3” is in the bin.")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Talk 3")).to_be_focused()
    expect(page.locator("#toast")).to_be_hidden()


def test_the_offer_to_undo_goes_after_ten_seconds(talks: list[str], open_page: Open) -> None:
    page = open_page()
    page.clock.install()
    row(page, "Talk 3").focus()
    page.keyboard.press("Delete")
    expect(page.locator("#toast")).to_be_visible()
    page.clock.run_for(9_000)
    expect(page.locator("#toast")).to_be_visible()
    page.clock.run_for(2_000)
    expect(page.locator("#toast")).to_be_hidden()


def test_the_open_conversation_is_deleted_and_taken_out_of_the_bin(talks: list[str], open_page: Open) -> None:
    page = open_page(f"/chat/{talks[0]}/")
    row(page, "Talk 0").focus()
    page.keyboard.press("Delete")
    page.wait_for_url("**/chat/")
    expect(page.locator("#toast")).to_contain_text("“Talk 0” is in the bin.")
    page.locator(".me summary").click()
    page.get_by_role("link", name="Bin").click()
    item = page.get_by_role("listitem").filter(has_text="Talk 0")
    expect(item).to_contain_text("30 days left")
    item.get_by_role("button", name="Restore").click()
    page.wait_for_url(f"**/chat/{talks[0]}/")
    expect(row(page, "Talk 0")).to_have_attribute("aria-current", "page")


def test_delete_for_good_asks_once(talks: list[str], open_page: Open) -> None:
    page = open_page()
    row(page, "Talk 5").focus()
    page.keyboard.press("Delete")
    expect(page.locator("#toast")).to_be_visible()
    page.goto(page.url.split("/chat/")[0] + "/chat/bin/")
    expect(page.get_by_role("button", name="Yes, delete it for good")).to_be_hidden()
    page.get_by_text("Delete for good").click()
    page.get_by_role("button", name="Yes, delete it for good").click()
    expect(page.get_by_text("The bin is empty.")).to_be_visible()


def test_an_answer_that_ends_while_one_is_elsewhere_is_marked_until_it_is_opened(open_page: Open) -> None:
    page = open_page()
    ask(page, marked("Slow walk", seed="walk", n=60, gap=40))
    slow = page.locator("#list .row[aria-current=page]").get_attribute("data-id")
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    mine = page.locator(f'#list .row[data-id="{slow}"]')
    expect(mine.locator(".run")).to_have_count(1)
    expect(mine.locator(".new")).to_have_count(1, timeout=30_000)
    expect(mine.locator(".run")).to_have_count(0)
    mine.click()
    expect(page.locator("#list .row[aria-current=page] .new")).to_have_count(0)
    page.locator("#new").click()
    expect(page.locator(f'#list .row[data-id="{slow}"] .new')).to_have_count(0)


def test_an_answer_that_one_watches_to_its_end_is_no_news(open_page: Open) -> None:
    page = open_page()
    with page.expect_response("**/live/*&title=1*looked=1"):
        ends(ask(page, marked("Short walk", seed="short", n=20, gap=5)))
    page.wait_for_timeout(300)  # it is noted a tenth of a second later
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    expect(page.locator("#list .row .new")).to_have_count(0)


def test_pages_of_the_list_that_were_loaded_stay_when_it_changes(talks: list[str], open_page: Open) -> None:
    page = open_page()
    expect(page.locator("#list .row")).to_have_count(40)
    page.locator("#list .more").evaluate("link => link.scrollIntoView()")
    expect(page.locator("#list .row")).to_have_count(60)
    ends(ask(page, marked("Something new", seed="new", n=10, gap=1)))
    expect(page.locator("#list .row")).to_have_count(61)
    titles = page.locator("#list .row span").all_inner_texts()
    assert titles[1:] == [f"Talk {n}" for n in range(60)]
    headings = page.locator("#list h2").all_inner_texts()
    assert len(headings) == len(set(headings))


def test_the_list_is_walked_and_tidied_by_keyboard_alone(talks: list[str], open_page: Open) -> None:
    page = open_page()
    row(page, "Talk 0").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(row(page, "Talk 1")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_be_hidden()
    expect(row(page, "Talk 1").locator("xpath=following-sibling::a")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(row(page, "Talk 1")).to_have_count(0)


def test_back_and_forward_lead_through_conversations(talks: list[str], open_page: Open) -> None:
    page = open_page(f"/chat/{talks[0]}/")
    row(page, "Talk 1").click()
    page.wait_for_url(f"**/chat/{talks[1]}/")
    page.locator("#new").click()
    page.wait_for_url("**/chat/")
    ask(page, marked("A further one", seed="back", n=10, gap=1))
    asked = page.url
    page.go_back()
    expect(page.locator("article")).to_have_count(0)
    page.go_back()
    expect(row(page, "Talk 1")).to_have_attribute("aria-current", "page")
    page.go_forward()
    page.go_forward()
    page.wait_for_url(asked)
    expect(page.locator("article.a")).to_have_count(1)


def test_the_keyboard_map_opens_by_a_question_mark_but_not_while_one_types(open_page: Open) -> None:
    page = open_page()
    page.locator("#text").press("?")
    expect(page.locator("#text")).to_have_value("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
    page.locator("#new").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
    expect(page.locator("#new")).to_be_focused()
    page.keyboard.press("Control+Shift+O")
    page.wait_for_url("**/chat/")


def test_a_model_is_picked_by_keyboard_and_the_question_goes_to_it(portal_site: Site, open_page: Open) -> None:
    portal_site.django(
        "from providers.models import LanguageModel, ModelRoute\n"
        "first = LanguageModel.objects.filter(enabled=True).order_by('position', 'name', 'pk').first()\n"
        "made, new = LanguageModel.objects.get_or_create(slug='second', name='Second', enabled=True, position=9)\n"
        "new and ModelRoute.objects.create(model=made, provider=first.routes.first().provider, upstream_name='demo')\n"
        "answer = first.name"
    )
    try:
        page = open_page()
        page.locator("#choose summary").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("radio", checked=True)).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("radio", name="Second")).to_be_checked()
        page.keyboard.press("Enter")
        expect(page.get_by_role("radio", name="Second")).to_be_hidden()
        expect(page.locator("#choose summary")).to_be_focused()
        expect(page.locator("#choose summary")).to_have_text(re.compile("Second"))
        expect(page.locator("article")).to_have_count(0)
        answer = ends(ask(page, "Who are you?"))
        page.reload()
        expect(page.locator("#choose summary")).to_have_text(re.compile("Second"))
        assert answer
    finally:
        portal_site.django(
            "from providers.models import LanguageModel\nLanguageModel.objects.filter(slug='second').delete()"
        )


def test_without_scripts_forms_rename_delete_and_bring_back(talks: list[str], open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    row(page, "Talk 1").locator("xpath=following-sibling::a").click()
    page.get_by_label("Title of the conversation").fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "Renamed")).to_have_attribute("aria-current", "page")
    row(page, "Renamed").locator("xpath=following-sibling::a").click()
    page.get_by_role("button", name="Move to the bin").click()
    expect(page.locator("#toast")).to_contain_text("“Renamed” is in the bin.")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Renamed")).to_have_attribute("aria-current", "page")


def test_on_a_phone_the_menu_and_the_picker_are_within_reach(talks: list[str], open_page: Open) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator("#choose summary").tap()
    sheet = page.locator("#choose fieldset").bounding_box()
    assert sheet is not None
    assert (sheet["x"], round(sheet["width"]), round(sheet["y"] + sheet["height"])) == (0, 390, 844)
    page.touchscreen.tap(200, 200)
    expect(page.locator("#choose fieldset")).to_be_hidden()
    page.locator("#menu").tap()
    act = row(page, "Talk 1").locator("xpath=following-sibling::a")
    box = act.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44
    act.tap()
    page.get_by_role("menuitem", name="Delete").tap()
    expect(page.locator("#toast")).to_be_visible()
    page.get_by_role("button", name="Undo").tap()
    expect(row(page, "Talk 1")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desk", "phone"])
def test_axe_finds_nothing_in_picker_map_menu_rename_offer_and_bin(
    talks: list[str], open_page: Open, theme: str, screen: str
) -> None:
    page = open_page(color_scheme=theme, **(PHONE if screen == "phone" else {}))
    found = {}
    page.locator("#choose summary").press("Enter")
    found["picker"] = violations(page)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    found["map"] = violations(page)
    page.keyboard.press("Escape")
    if screen == "phone":
        page.locator("#menu").click()
    menu(page, "Talk 1")
    found["menu"] = violations(page)
    page.keyboard.press("Escape")
    row(page, "Talk 2").press("F2")
    expect(page.locator(".rename")).to_be_focused()
    found["rename"] = violations(page)
    page.keyboard.press("Escape")
    row(page, "Talk 2").press("Delete")
    expect(page.locator("#toast")).to_be_visible()
    found["offer"] = violations(page)
    root = page.url.split("/chat/")[0]
    page.goto(f"{root}/chat/bin/")
    page.get_by_text("Delete for good").first.click()
    found["bin"] = violations(page)
    page.goto(f"{root}/chat/{talks[3]}/organise/")
    found["organise"] = violations(page)
    assert {name: each for name, each in found.items() if each} == {}
