"""What pages answer to forms and addresses, made in this process, and a stage on which a browser is shown it with its own headers.

Judges nothing. Answers are made first and shown afterwards: a thread with a browser in it may ask no database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.staticfiles import finders
from playwright.sync_api import BrowserContext, Route, sync_playwright

from tests.security import database
from tests.security.callers import ANONYMOUS, Asking, Caller, session_of
from tests.security.routes import TABLE
from tests.security.world import World
from tests.security.writes import WRITES, Write

HOME = "http://testserver"


@dataclass(frozen=True, slots=True)
class Shown:
    """A page as it left: at which path, what, with which headers."""

    name: str
    path: str
    text: str
    headers: dict[str, str]


def callers_of(world: World) -> dict[str, Caller]:
    """Who posts, by what writes.py calls them."""
    names = ("owner", "teammate", "administrator")
    return {name: Caller(name, session=session_of(getattr(world, name))) for name in names} | {"": ANONYMOUS}


def forms() -> list[Write]:
    """The addresses that a page's form leads to."""
    return [each for each in WRITES if not each.json and each.method == "POST"]


def posted(write: Write, body: dict[str, Any], *, world: World, caller: Caller, language: str = "en") -> Shown | None:
    """The page that a form is answered with, or the one that it leads on to: messages stand there. None: no page."""
    words = {"HTTP_ACCEPT": "text/html", "HTTP_ACCEPT_LANGUAGE": language, "keep": True}
    path = world.path(write.route)
    with database.undone():
        answer = Asking().ask(write.method, path, caller, body=urlencode(body, doseq=True), **words)
        led = answer.get("Location", "")
        if answer.status_code == 302 and led.startswith("/"):
            path, answer = led, Asking().ask("GET", led, caller, **words)
    return shown(f"POST {write.route}", path, answer)


def looked_at() -> Iterator[tuple[str, str]]:
    """Every address of a page, and by whom it is looked at."""
    for group in TABLE:
        for route in group.names():
            if "GET" in group.methods and not route.startswith(("api/", "admin/", "health/", "live/", "look/")):
                yield route, "administrator" if route.startswith("setup/") else "owner"


def shown(name: str, path: str, answer: Any) -> Shown | None:
    """The answer, if it is a page."""
    if answer.streaming or not answer.get("Content-Type", "").startswith("text/html") or not answer.content:
        return None
    return Shown(name, path.partition("?")[0], answer.content.decode(), dict(answer.headers))


class Stage:
    """A browser's profile to which one page after the other is given as if it came from the site; its files are the site's own."""

    def __init__(self, context: BrowserContext) -> None:
        self.context, self.now = context, Shown("", "/", "", {})
        context.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        path = route.request.url.removeprefix(HOME).partition("?")[0]
        file = finders.find(path.removeprefix("/static/")) if path.startswith("/static/") else None
        if path == self.now.path and route.request.is_navigation_request():
            route.fulfill(status=200, body=self.now.text, headers=self.now.headers)
        elif file:
            route.fulfill(path=str(file))
        else:
            route.fulfill(status=404, body="")

    def put(self, page: Shown) -> str:
        """From now on this is what its address answers; the address."""
        self.now = page
        return HOME + page.path


@contextmanager
def stage(chromium: str, **options: Any) -> Iterator[Stage]:
    """Only after everything was asked of the database."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            yield Stage(browser.new_context(**options))
        finally:
            browser.close()
