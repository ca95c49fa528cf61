"""Copying: answers as HTML and Markdown together, tables as cells, code and questions as they are; without https; on paper."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.moves import ask, ends, marked
from tests.processes import Person, Site

pytestmark = pytest.mark.browser

READ = """async () => { const [item] = await navigator.clipboard.read(); const found = {};
for (const type of item.types) found[type] = await (await item.getType(type)).text(); return found; }"""
# What the clipboard gets by an event, for whoever has no clipboard to write to.
WATCH = """() => { window.given = {}; const set = DataTransfer.prototype.setData;
DataTransfer.prototype.setData = function (type, value) { window.given[type] = value; return set.call(this, type, value); }; }"""


@pytest.fixture
def toured(open_page: Open) -> Page:
    """A dark page with an answer that has a table, code and formulas in it."""
    page = open_page(color_scheme="dark", permissions=["clipboard-read", "clipboard-write"])
    ends(ask(page, "Show me everything"))
    return page


def copied(page: Page, name: str) -> Any:
    button = page.get_by_role("button", name=name).first
    button.scroll_into_view_if_needed()
    button.focus()
    button.click()
    expect(page.locator("#announce")).to_have_text("Copied")
    expect(button).to_be_focused()
    return page.evaluate(READ)


def test_an_answer_is_copied_as_markdown_and_as_html_without_colours_and_buttons(toured: Page) -> None:
    got = copied(toured, "Copy the answer")
    assert "| You want to | Do this |" in got["text/plain"]
    assert "```python\ndef greet" in got["text/plain"]
    html = got["text/html"]
    assert "<table" in html
    assert "<strong>Stop" in html
    assert "<math" in html
    for unwanted in ("<button", "<svg", "Copy the", "class=", "style=", "color", "data-", "tabindex", "rgb("):
        assert unwanted not in html, unwanted


def test_a_table_is_copied_as_cells(toured: Page) -> None:
    got = copied(toured, "Copy the table")
    lines = got["text/plain"].splitlines()
    assert lines[0] == "You want to\tDo this"
    assert lines[1].startswith("stop an answer\tpress Stop")
    assert len(lines) == toured.locator("article.a table tr").count()
    assert got["text/html"].count("<tr>") == len(lines)
    assert got["text/html"].lstrip().startswith("<table")


def test_code_is_copied_as_it_stands(toured: Page) -> None:
    got = copied(toured, "Copy the code")
    assert list(got) == ["text/plain"]
    assert got["text/plain"].startswith('def greet(name: str) -> str:\n    return f"Hello')
    assert not got["text/plain"].endswith("\n")


def test_a_question_is_copied_in_its_own_words(open_page: Open) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#text").fill("<b>one</b>\n  two & three")
    page.keyboard.press("Enter")
    expect(page.locator(".q")).to_have_count(1)
    page.locator(".q").hover()
    assert copied(page, "Copy the question")["text/plain"] == "<b>one</b>\n  two & three"


def test_a_selection_is_copied_without_the_colours_of_a_dark_page(toured: Page) -> None:
    toured.evaluate("() => getSelection().selectAllChildren(document.querySelector('article.a .text'))")
    toured.evaluate("() => document.execCommand('copy')")
    got = toured.evaluate(READ)
    assert "<table" in got["text/html"]
    assert "Hello" in got["text/plain"]
    for unwanted in ("rgb(", "color:", "<button"):
        assert unwanted not in got["text/html"], unwanted


def test_without_https_copying_goes_by_a_selection(open_page: Open) -> None:
    page = open_page()
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined });")
    page.reload()
    ends(ask(page, "Show me everything"))
    page.evaluate(WATCH)
    page.get_by_role("button", name="Copy the answer").click()
    expect(page.locator("#announce")).to_have_text("Copied")
    given = page.evaluate("window.given")
    assert "| You want to | Do this |" in given["text/plain"]
    assert "<table" in given["text/html"]
    assert page.evaluate("getSelection().isCollapsed") is True


def test_where_copying_is_refused_the_words_stay_selected_and_it_is_said(open_page: Open) -> None:
    page = open_page()
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined }); Document.prototype.execCommand = () => false;"
    )
    page.reload()
    ends(ask(page, "Show me everything"))
    page.get_by_role("button", name="Copy the code").click()
    expect(page.locator("#line")).to_contain_text("The browser did not allow copying. The text is selected")
    assert page.evaluate("getSelection().toString()").startswith("def greet")


def test_a_conversation_is_printed_readably_on_a4_from_a_dark_page_too(toured: Page, tmp_path: Path) -> None:
    ends(ask(toured, marked("A second question", seed="paper", n=400)))
    file = tmp_path / "talk.pdf"
    toured.pdf(path=str(file), prefer_css_page_size=True)
    toured.emulate_media(media="print")
    for hidden in (".side", ".top", ".dock", ".acts", ".cells .icon", ".code header .icon", ".down"):
        assert toured.locator(hidden).locator("visible=true").count() == 0, hidden
    expect(toured.locator("#title")).to_be_visible()
    colours = toured.evaluate(
        "() => [document.querySelector('.text'), document.body].map((node) => getComputedStyle(node).color)"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(0, 0, 0)"]
    data = file.read_bytes()
    assert data.startswith(b"%PDF")
    assert b"/MediaBox [0 0 594.95996 841.91998]" in data or b"/MediaBox [0 0 595" in data
    text = printed(file)
    if text:
        for words in ("Show me everything", "A second question", "def greet", "You want to"):
            assert words in text
        assert "Answers may be wrong" not in text
        assert text.count("\f") >= 2


def printed(file: Path) -> str:
    """The words on paper, page by page; empty where the machine has no tool to read a PDF."""
    try:
        done = subprocess.run(["pdftotext", "-layout", str(file), "-"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        return ""
    return done.stdout


def test_a_source_that_cannot_be_had_leaves_the_words_of_the_page(
    portal_site: Site, somebody: Person, toured: Page
) -> None:
    toured.route("**/source/", lambda route: route.fulfill(status=503, body=""))
    got = copied(toured, "Copy the answer")
    assert "You want to" in got["text/plain"]
    assert "|" not in got["text/plain"]
