"""WCAG 2.2 A and AA by axe, no rule switched off: every page, /look/ included, light and dark, English and Chinese, wide and narrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from tests.browser import addresses
from tests.browser.tour import LANGUAGES, SIZES, THEMES, Tour
from tests.processes import Site

pytestmark = pytest.mark.browser
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"], preload: false });
  const told = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}: ${node.failureSummary}`);
  return { wrong: found.violations.flatMap(told), right: found.passes.map((rule) => rule.id) };
}"""
PARTS = 3
"""Of the pages, so that none of these tests takes long."""
# Motion ends before the eye (and axe) looks.
STILL = "document.getAnimations().forEach((each) => each.effect.getTiming().iterations === Infinity || each.finish())"


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    site = Site(tmp_path_factory.mktemp("tour"))
    try:
        yield Tour(site.start()).prepare()
    finally:
        site.stop()


def judged(page: Page) -> Any:
    page.evaluate(STILL)
    return page.evaluate(RUN, TAGS)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_breaks_a_rule_in_any_theme_at_any_width(
    tour: Tour, browser: Browser, language: str, part: int
) -> None:
    wrong: list[str] = []
    for name, url in list(tour.pages(language).items())[part::PARTS]:
        page = tour.open(browser, name, url=url, language=language)
        assert name == "choose-password" or page.url == url, f"{name} was sent to {page.url}"
        page.evaluate(AXE)
        # Every pair of language, width and theme; all eight together would take twice as long and find the same.
        for (width, height), theme in zip(SIZES, THEMES if language == LANGUAGES[0] else THEMES[::-1], strict=True):
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            wrong += [f"{name} {width} {theme}: {told}" for told in judged(page)["wrong"]]
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{name} {width}: wider than the screen")
        page.context.close()
    assert not wrong, "\n".join(wrong)


def test_every_address_is_a_page_that_is_looked_at_or_says_why_not(tour: Tour) -> None:
    shown = {addresses.name_of(urlsplit(url).path) for url in tour.pages("en").values()}
    known, caller = addresses.addresses(), tour.site.caller(tour.admin)
    takes_post_only = {name for name, path in known.items() if caller.get(path).status == 405}
    pages = known.keys() - takes_post_only
    assert {name: known[name] for name in pages - shown - addresses.NO_PAGES.keys()} == {}
    assert addresses.NO_PAGES.keys() - pages == set(), "they are gone, or take nothing but POST"
    assert shown & addresses.NO_PAGES.keys() == set()
    # A new page that nobody declared would have been found: take one away.
    assert pages - (shown - {"setup_accounts:mail"}) - addresses.NO_PAGES.keys() == {"setup_accounts:mail"}


def test_the_check_sees_faint_text_a_nameless_button_and_a_tiny_target(tour: Tour, browser: Browser) -> None:
    page = tour.open(browser, "sign-in", url=tour.pages("en")["sign-in"], language="en")
    page.evaluate(AXE)
    assert judged(page)["wrong"] == []
    page.evaluate(
        """() => {
          const main = document.querySelector("main");
          main.insertAdjacentHTML("beforeend", "<button></button><button>a</button><button>b</button><p>faint</p>");
          main.lastElementChild.style.color = "#ccc";
          for (const each of main.querySelectorAll(":scope > button")) each.style.cssText = "padding:0;font-size:8px;width:9px";
        }"""
    )
    rules = {told.split(":")[0] for told in judged(page)["wrong"]}
    assert {"color-contrast", "button-name", "target-size"} <= rules
