"""What a person does and sees in the chat, in the words of the page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

LAST = "article.a >> nth=-1"


def ask(page: Page, text: str) -> Locator:
    """Types and presses Enter (on a phone the button); the new answer, once the server has the question."""
    before = page.locator("article.a").count()
    page.locator("#text").fill(text)
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        page.locator("#send").tap()
    else:
        page.locator("#text").press("Enter")
    expect(page.locator("article.a")).to_have_count(before + 1)
    return page.locator("article.a").nth(before)


def marked(words: str = "Tell me", **mark: object) -> str:
    """A question whose answer the simulator writes as told: seed, n (tokens), gap, ttft (ms), mode, at."""
    return f"{words} [[sim {' '.join(f'{name}={value}' for name, value in mark.items())}]]"


def ends(answer: Locator, state: str = "done") -> Locator:
    """Waits for the end of an answer, its buttons included."""
    expect(answer).to_have_attribute("data-state", state, timeout=30_000)
    expect(answer.locator(".acts")).to_have_count(1)
    return answer


def streams(answer: Locator, *, characters: int = 1) -> Locator:
    """Waits until so much of the answer is there while it is being written."""
    expect(answer).to_have_attribute("data-state", "streaming", timeout=15_000)
    answer.page.wait_for_function(
        "([node, n]) => node.querySelector('.text').textContent.length >= n",
        arg=[answer.element_handle(), characters],
    )
    return answer


def words(text: str) -> str:
    """Text without its spacing: paragraphs are elements in the page and empty lines in the source."""
    return "".join(text.split())


def shown(answer: Locator) -> str:
    return words(answer.locator(".text").inner_text())
