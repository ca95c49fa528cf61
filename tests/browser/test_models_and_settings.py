"""The administrator sets, a colleague sees: a provider that breaks, modes, picture and colour, an announcement, maintenance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.accounts.drawing import png
from tests.browser.moves import ask, ends, marked
from tests.browser.test_page import PHONE, violations
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
BREAKS = """
from providers.models import *
model = LanguageModel.objects.get(slug="demo")
first = Provider.objects.create(name="First", base_url=given)
ModelRoute.objects.update(position=1)
ModelRoute.objects.create(model=model, provider=first, upstream_name="chaos-err500", position=0)
answer = str(model.uuid)
"""
MENDED = """
from providers.models import *
ModelRoute.objects.filter(provider__name="First").delete()
answer = str(LanguageModel.objects.get(slug="demo").uuid)
"""
WAYS = """
from providers.models import LanguageModel
ways = [{"key": "quick", "name": "Quick"}, {"key": "think", "name": "Think"}, {"key": "deep", "name": "Thorough"}]
answer = LanguageModel.objects.filter(slug="demo").update(modes=ways)
"""
LAST = """
from chat.models import Generation
last = Generation.objects.order_by("-pk").first()
answer = [last.request.get("mode"), last.request["sent"].get("body"), last.provider.name]
"""
Profile = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("settings")
    made = Site(folder, settings={"RETRY_SCALE": "0.05"})
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture
def profile(browser: Browser, site: Site) -> Iterator[Profile]:
    opened: list[BrowserContext] = []

    def make(person: Person, **options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options))
        context.set_default_timeout(15_000)
        cookies = site.sign_in(person).items()
        context.add_cookies([{"name": name, "value": value, "url": site.url()} for name, value in cookies])
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()


def chat(profile: Profile, site: Site, person: Person, **options: Any) -> Page:
    page = profile(person, **options).new_page()
    page.goto(site.url() + "/chat/")
    return page


def test_a_provider_breaks_and_the_next_answers_and_says_so_at_once_and_after_a_reload(
    profile: Profile, site: Site
) -> None:
    site.django(BREAKS, site.environment["SIMULATOR_URL"])
    page = chat(profile, site, site.people(1)[0])
    page.get_by_role("group", name="Model").or_(page.locator("#choose summary")).first.click()
    page.get_by_role("radio", name="demo").check()
    page.keyboard.press("Escape")
    answer = ends(ask(page, marked(seed="calm", n=6, gap=0)))
    says = "First does not answer at the moment: this is from Simulator."
    expect(answer).to_contain_text(says)
    page.reload()
    expect(page.locator("article.a").last).to_contain_text(says)
    assert site.django(LAST)[2] == "Simulator"
    assert violations(page) == []


def test_a_mode_is_set_up_chosen_by_keyboard_sent_and_remembered(profile: Profile, site: Site) -> None:
    uuid = site.django(MENDED)
    setup = profile(ADMIN).new_page()
    setup.goto(f"{site.url()}/setup/models/{uuid}/")
    setup.locator("#ways summary").click()
    for number, (name, body) in enumerate((("Quick", '{"temperature": 1}'), ("Think", '{"temperature": 0}'))):
        mode = setup.get_by_role("group", name=f"Mode {number + 1}")
        mode.get_by_label("Name", exact=True).fill(name)
        mode.get_by_label("Its fields").fill(body)
    setup.locator("#ways").get_by_role("button", name="Save").click()
    expect(setup.get_by_role("group", name="Mode 1").get_by_label("Name", exact=True)).to_have_value("Quick")
    setup.locator("#tested").get_by_role("button", name="Test").click()
    expect(setup.locator("#tested").get_by_role("status")).to_contain_text("answered in", timeout=15_000)
    assert violations(setup) == []

    page = chat(profile, site, site.people(1)[0])
    quick, think = page.get_by_role("radio", name="Quick"), page.get_by_role("radio", name="Think")
    expect(quick).to_be_checked()
    quick.focus()
    page.keyboard.press("ArrowRight")
    expect(think).to_be_checked()
    page.keyboard.press("Enter")  # back to the box, and nothing is sent
    expect(page.locator("#text")).to_be_focused()
    assert page.locator("article.a").count() == 0
    ends(ask(page, marked(seed="calm", n=6, gap=0)))
    assert site.django(LAST)[:2] == ["think", {"temperature": 0}]
    page.reload()
    expect(page.get_by_role("radio", name="Think")).to_be_checked()
    assert violations(page) == []


def test_the_switch_fits_on_a_phone(profile: Profile, site: Site) -> None:
    site.django(MENDED)
    site.django(WAYS)
    page = chat(profile, site, site.people(1)[0], **PHONE)
    switch = page.locator(".modes:not([hidden])")
    expect(switch).to_be_visible()
    box = switch.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("radio", name="Think").check(force=True)
    ends(ask(page, marked(seed="calm", n=6, gap=0)))
    assert site.django(LAST)[0] == "think"


def test_picture_and_colour_are_set_and_a_colleague_sees_them(profile: Profile, site: Site, tmp_path: Path) -> None:
    picture = tmp_path / "logo.png"
    picture.write_bytes(png(60, 28))
    setup = profile(ADMIN).new_page()
    setup.goto(site.url() + "/setup/look/")
    setup.get_by_label("Picture").set_input_files(picture)
    setup.get_by_role("button", name="Upload").click()
    expect(setup.get_by_alt_text("The picture as it is shown now")).to_be_visible()
    setup.get_by_label("In the light theme").fill("#ffcc00")
    setup.get_by_role("button", name="Save").click()
    expect(setup.get_by_text("In the light theme #ffcc00 on")).to_be_visible()
    setup.get_by_label("In the light theme").fill("#003399")
    setup.get_by_role("button", name="Save").click()
    expect(setup.get_by_role("status")).to_contain_text("Saved.")
    assert violations(setup) == []

    for scheme, colour in (("light", "rgb(0, 51, 153)"), ("dark", None)):
        page = chat(profile, site, site.people(1)[0], color_scheme=scheme)
        page.locator("#text").fill("x")
        painted = page.locator("#send").evaluate("(button) => getComputedStyle(button).backgroundColor")
        assert painted == colour if colour else painted not in ("rgb(0, 51, 153)", "rgb(99, 199, 178)")
        assert page.locator(".side .logo").evaluate("(img) => img.complete && img.naturalWidth") == 60
        assert violations(page) == []


def test_an_announcement_is_read_and_put_away(profile: Profile, site: Site) -> None:
    setup = profile(ADMIN).new_page()
    setup.goto(site.url() + "/setup/announcements/")
    setup.get_by_label("Text").fill("The canteen is closed.")
    setup.get_by_label("Until", exact=True).fill("2099-01-01T12:00")
    setup.get_by_role("button", name="Announce").click()
    expect(setup.get_by_text("shown now")).to_be_visible()
    assert violations(setup) == []
    page = chat(profile, site, site.people(1)[0])
    shown = page.get_by_role("region", name="Announcements")
    expect(shown).to_contain_text("The canteen is closed.")
    assert violations(page) == []
    shown.get_by_role("button", name="Put away").click()
    expect(shown).to_have_count(0)
    page.reload()
    expect(shown).to_have_count(0)
    setup.get_by_role("link", name="Edit “The canteen is closed.”").click()
    setup.get_by_role("button", name="Take it away").click()
    expect(setup.get_by_text("None yet. Write the first one below.")).to_be_visible()


def test_maintenance_begins_a_colleague_is_told_and_keeps_her_text_and_it_ends(profile: Profile, site: Site) -> None:
    page = chat(profile, site, site.people(1)[0])
    setup = profile(ADMIN).new_page()
    setup.goto(site.url() + "/setup/maintenance/")
    setup.get_by_label("A sentence for everybody").fill("A new disk.")
    setup.get_by_role("button", name="Begin maintenance").click()
    expect(setup.get_by_role("status")).to_contain_text("the workers have drained")
    assert violations(setup) == []
    # Her page stood open: the send is refused once, says why, and the words stay.
    page.locator("#text").fill("My long question")
    page.keyboard.press("Enter")
    expect(page.locator("#line")).to_contain_text("Your text is kept in this box. A new disk.")
    expect(page.locator("#text")).to_have_value("My long question")
    page.reload()
    expect(page.locator(".maintenance")).to_contain_text("Nothing new can be sent for now.")
    expect(page.locator("#text")).to_have_value("My long question")
    assert violations(page) == []
    setup.get_by_role("button", name="End the maintenance").click()
    expect(setup.get_by_role("button", name="Begin maintenance")).to_be_visible()
    page.locator("#text").press("Enter")
    ends(page.locator("article.a").first)
