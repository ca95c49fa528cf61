"""The first administrator's way: from the empty page to a connected model and a question to it, by hand; and its pages for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.moves import ask, ends
from tests.browser.test_page import PHONE, violations
from tests.processes import PASSWORD, Person, Site

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
KEY = "sk-canary-browser-4321"
# In one go: once the browser waits for the next page, nothing is looked up in the old one.
PRESS_TWICE = """(button) => {
    button.click();
    const said = document.querySelector("[role=status].waiting").textContent;
    button.click();
    return said;
}"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An installation in which only the simulator answers, as after the first start."""
    folder: Path = tmp_path_factory.mktemp("fresh")
    site = Site(folder, settings={"SIMULATOR": "0"})
    try:
        yield site.start()
    finally:
        site.stop()


@pytest.fixture
def admin(browser: Browser, fresh: Site) -> Iterator[BrowserContext]:
    context = signed_in(browser, fresh)
    yield context
    context.close()


def signed_in(browser: Browser, site: Site, **options: Any) -> BrowserContext:
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options))
    context.set_default_timeout(15_000)
    cookies = site.sign_in(ADMIN).items()
    context.add_cookies([{"name": name, "value": value, "url": site.url()} for name, value in cookies])
    return context


def connect(page: Page, site: Site, *, name: str) -> None:
    """From the list of services to the page of the tested provider."""
    page.get_by_role("link", name="Another service").click()
    page.get_by_label("Address").fill(site.environment["SIMULATOR_URL"])
    page.get_by_label("Key", exact=True).fill(KEY)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("status")).to_contain_text("answered in", timeout=15_000)


def test_from_the_empty_page_to_a_question_to_the_model_just_connected(admin: BrowserContext, fresh: Site) -> None:
    page = admin.new_page()
    page.goto(fresh.url() + "/chat/")
    steps = page.get_by_role("region", name="First steps")
    steps.get_by_role("link", name="Connect a model").click()
    connect(page, fresh, name="Our server")
    assert "canary" not in page.content()
    page.get_by_role("link", name="Choose models").first.click()
    page.get_by_role("link", name="Select none").click()
    page.get_by_role("searchbox").press_sequentially("demo")
    expect(page.locator("#rows li:visible")).to_have_count(1)
    page.get_by_label("demo").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Edit demo").click()
    page.locator("#id_name").fill("Thorough")
    page.get_by_label("One line about it").fill("For long texts")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("For long texts")).to_be_visible()
    page.goto(fresh.url() + "/chat/")
    expect(page.locator("main")).to_contain_text("Thorough")
    ends(ask(page, "Hello, what can you do?"))
    page.goto(fresh.url() + "/setup/")
    expect(page.get_by_role("listitem").filter(has_text="Connect a model")).to_contain_text("done")
    sources = fresh.django(
        "from providers.models import *\nanswer=dict(Provider.objects.values_list('source','enabled'))"
    )
    assert sources == {"database": True, "simulator": False}


def test_while_a_test_runs_the_page_says_so_and_a_second_press_does_nothing(admin: BrowserContext, fresh: Site) -> None:
    page = admin.new_page()
    page.goto(fresh.url() + "/setup/models/connect/")
    connect(page, fresh, name="Slow server")
    page.get_by_label("Model", exact=True).select_option("chaos-slow_first_byte")
    asked = len(fresh.bill())
    said = page.get_by_role("button", name="Test again").evaluate(PRESS_TWICE)
    assert said == "Asking the provider 0 s"
    expect(page.get_by_text("chaos-slow_first_byte answered in")).to_be_visible()
    assert [row["model"] for row in fresh.bill()[asked:] if row["event"] == "accepted"] == ["chaos-slow_first_byte"]


def test_without_scripts_a_provider_is_connected_all_the_same(browser: Browser, fresh: Site) -> None:
    context = signed_in(browser, fresh, java_script_enabled=False)
    page = context.new_page()
    page.goto(fresh.url() + "/setup/models/connect/")
    connect(page, fresh, name="Plain server")
    page.get_by_role("link", name="Choose models").first.click()
    page.get_by_role("searchbox").fill("demo")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#rows li")).to_have_count(1)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Offered to colleagues")).to_be_visible()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["desk", "phone"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    browser: Browser, fresh: Site, theme: str, screen: str
) -> None:
    options = (PHONE if screen == "phone" else {}) | {"color_scheme": theme, "locale": "zh-CN"}
    context = signed_in(browser, fresh, **options)
    page = context.new_page()
    uuid = fresh.django("from providers.models import *\nanswer=str(Provider.objects.order_by('-pk')[0].uuid)")
    model = fresh.django("from providers.models import *\nanswer=str(LanguageModel.objects.all()[0].uuid)")
    paths = ["", "models/", "models/connect/", "models/connect/zhipu/", f"models/provider/{uuid}/", "organisation/"]
    paths += [f"models/provider/{uuid}/choose/", f"models/{model}/", "people/new/"]
    for path in paths:
        page.goto(f"{fresh.url()}/setup/{path}")
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    context.close()
