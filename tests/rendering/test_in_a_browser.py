"""The corpus in a real browser: what its parser makes of it, that nothing starts or is loaded, how it is drawn."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from chat.rendering import LiveBlocks, language_of, render
from tests.rendering import corpus
from tests.rendering.allowed import faults
from tests.rendering.corpus import Case

pytestmark = pytest.mark.browser

STYLES = [Path(__file__).parents[2] / "static" / "css" / f"{name}.css" for name in ("base", "chat", "answer")]
SHOW = """pieces => { const box = document.createElement("div"); box.className = "text"; document.body.append(box);
  return pieces.map(html => { box.innerHTML = html; return box.innerHTML; }); }"""
WIDE = """() => [...document.querySelectorAll("section")].filter(section =>
  [...section.querySelectorAll("p, li, h1, h2, blockquote, .code, .wide, .math, td")].some(
    node => !node.parentElement.closest(".wide, .math") && node.getBoundingClientRect().right > innerWidth + 1))
  .map(section => section.id)"""


class Watched(list[str]):
    """Everything that a page should not do: requests, dialogs, errors."""

    def dismissed(self, dialog: Dialog) -> None:
        self.append(dialog.message)
        dialog.dismiss()


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, watched: Watched) -> Iterator[Page]:
    """A page without any policy of its own, so that only the HTML stands between an attack and its success."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.on("request", lambda request: watched.append(request.url))
    page.on("dialog", watched.dismissed)
    page.on("pageerror", lambda error: watched.append(str(error)))
    yield page
    page.close()


def every_case() -> list[Case]:
    return [case for path in sorted(corpus.CASES.glob("*.md")) for case in corpus.cases(path)]


def everything_ever_shown(case: Case) -> list[str]:
    blocks, shown = LiveBlocks(), dict.fromkeys(render(case.source))
    for character in case.source:
        blocks.feed(character)
        shown[blocks.open_html()] = None
    return list(shown)


def test_an_attack_stays_words_at_every_character_of_its_way(page: Page, watched: Watched) -> None:
    pieces = [html for case in corpus.cases(corpus.CASES / "attacks.md") for html in everything_ever_shown(case)]
    assert len(pieces) > 2_000
    found = page.evaluate(SHOW, pieces)
    page.wait_for_timeout(300)
    assert watched == []
    assert [html for html in found if faults(html)] == []
    assert page.evaluate(SHOW, found) == found


def test_the_watch_sees_a_planted_attack(page: Page, watched: Watched) -> None:
    page.evaluate(SHOW, ["<img src=https://evil.example/x onerror='throw new Error(1)'>"])
    page.wait_for_timeout(300)
    assert "https://evil.example/x" in watched


def test_every_text_fits_a_phone_and_is_drawn_as_meant(page: Page, watched: Watched) -> None:
    sections = [
        f'<section id="{case.name}"><div class="text" lang="{language_of(case.source)}">'
        + "".join(f'<div class="block">{html}</div>' for html in render(case.source))
        + "</div></section>"
        for case in every_case()
    ]
    styles = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    page.set_content(
        f'<!doctype html><html lang="zh-Hans"><style>{styles} main {{ padding: 16px }} body {{ display: block }}</style>'
        f"<main>{''.join(sections)}</main>"
    )
    assert page.evaluate(WIDE) == []
    page.evaluate("document.getElementById('two prices').querySelector('p').style.minWidth = '500px'")
    assert page.evaluate(WIDE) == ["two prices"]
    assert watched == []
    assert style(page, "em in Chinese", "em", "textEmphasisStyle") == "dot"
    assert style(page, "nested English emphasis", "em", "fontStyle") == "italic"
    assert style(page, "nested English emphasis", "em", "textEmphasisStyle") == "none"
    assert style(page, "boxed", "mrow.boxed", "borderTopWidth") == "1px"
    assert style(page, "alignment by class", "td.right", "textAlign") == "right"
    assert style(page, "align with a star", "mtd", "textAlign").endswith("right")
    assert style(page, "Arabic", ".block", "unicodeBidi") == "isolate"
    assert style(page, "Arabic", "p", "unicodeBidi") == "plaintext"


def style(page: Page, name: str, selector: str, wanted: str) -> str:
    script = (
        "([name, selector, wanted]) => getComputedStyle(document.getElementById(name).querySelector(selector))[wanted]"
    )
    return str(page.evaluate(script, [name, selector, wanted]))
