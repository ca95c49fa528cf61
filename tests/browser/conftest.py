"""The real site and a real browser for the journeys; and people who are signed in.

Playwright's loop must end before tests that use Django's database in this thread: hence the scope "package".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.processes import Person, Site

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def portal_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Simulator, web and worker; retries are quick."""
    site = Site(tmp_path_factory.mktemp("site"), settings={"RETRY_SCALE": "0.05"})
    try:
        # What is served is what is tried: hashed names, without comments and spacing.
        site.manage("collectstatic", "--noinput", "--verbosity", "0")
        yield site.start()
    finally:
        site.stop()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
    yield found
    found.close()


@pytest.fixture
def somebody(portal_site: Site) -> Person:
    return portal_site.people(1)[0]


@pytest.fixture
def context_for(browser: Browser, portal_site: Site) -> Iterator[Callable[..., BrowserContext]]:
    """A browser profile in which the person is signed in; at the end nothing may have gone wrong in it."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def make(person: Person | None, **options: Any) -> BrowserContext:
        settings = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US"} | options
        context = browser.new_context(**settings)
        context.set_default_timeout(15_000)
        if person is not None:
            cookies = portal_site.sign_in(person).items()
            context.add_cookies([{"name": name, "value": value, "url": portal_site.url()} for name, value in cookies])
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
        context.on("request", lambda sent: None if allowed(sent.url, portal_site) else wrong.append(sent.url))
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert wrong == []


def allowed(url: str, site: Site) -> bool:
    return url.startswith((site.url(), "data:", "blob:", "about:"))


@pytest.fixture
def open_page(context_for: Callable[..., BrowserContext], portal_site: Site, somebody: Person) -> Open:
    """A new page of the chat, in a profile of its own."""

    def make(path: str = "/chat/", *, person: Person | None = somebody, **options: Any) -> Page:
        page = context_for(person, **options).new_page()
        page.goto(portal_site.url() + path)
        return page

    return make


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page()
