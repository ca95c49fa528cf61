"""WCAG by axe for what the tour cannot open by an address: refused forms, what follows a form, and pages of rare states; both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import signing
from playwright.sync_api import Page

from accounts import email_change
from accounts.models import Organisation, User
from tests.browser.test_accessibility import AXE, judged
from tests.browser.tour import LANGUAGES, SIZES, THEMES
from tests.security import database, repeated
from tests.security.callers import ANONYMOUS, Asking, Caller
from tests.security.repeated import Shown
from tests.security.test_writable import filled
from tests.security.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.browser]
WRONG = re.compile(r'aria-invalid="true"|class="errorlist')


@pytest.fixture
def world(db: None) -> World:
    return World()


def after_forms(world: World, callers: dict[str, Caller], *, language: str) -> Iterator[Shown]:
    """For each form: the page on which it is refused, and the one that it is answered with when it is not."""
    User.objects.update(language=language)
    for write in repeated.forms():
        own = {name: filled(value, world=world) for name, value in write.body.items()}
        faulty = dict.fromkeys(own, "x" * 500)
        for kind, body in (("right", own), ("empty", {"none": "x"}), ("faulty", faulty)):
            page = repeated.posted(write, body, world=world, caller=callers[write.who], language=language)
            if page and (
                WRONG.search(page.text) if kind != "right" else page.path == world.path(write.route).partition("?")[0]
            ):
                yield Shown(f"{page.name} {kind}", page.path, page.text, page.headers)


def rare(world: World, callers: dict[str, Caller], settings: Any, *, language: str) -> Iterator[Shown]:
    """Pages that need a state of the installation."""
    owner, words = callers["owner"], {"HTTP_ACCEPT": "text/html", "HTTP_ACCEPT_LANGUAGE": language}

    def asked(
        name: str, path: str, caller: Caller = ANONYMOUS, *, body: dict[str, str] | None = None, **more: Any
    ) -> Shown:
        method, text = ("GET", "") if body is None else ("POST", urlencode(body))
        answer = Asking().ask(method, path, caller, body=text, keep=True, **(words | more))
        page = repeated.shown(name, path, answer)
        assert page is not None, f"{name}: {answer.status_code} {answer.headers}"
        return page

    with database.undone():
        settings.EMAIL_URL = "smtp://127.0.0.1:9"
        yield asked("form of the address", "/me/email/", owner)
        for number in range(4):
            page = asked("another address is asked for", "/me/email/", owner, body={"email": f"e{number}@example.com"})
            if number in {0, 3}:
                yield page
        yield asked("forgotten, with mail", "/accounts/password/reset/")
        taken = [str(world.owner.uuid), world.owner.session_version, world.owner.email, world.stranger.email]
        token = signing.dumps(taken, salt=email_change.SALT)
        yield asked("the address is somebody's", f"/accounts/email/{token}/", body={})
        settings.EMAIL_URL = ""
    with database.undone():
        wrong = {"login": "nobody@example.com", "password": "wrong"}
        pages = [
            asked("too many tries", "/accounts/login/", body=wrong) for _ in range(settings.AXES_FAILURE_LIMIT + 1)
        ]
        yield pages[-1]
    with database.undone():
        Organisation.objects.update(open_domains="")
        yield asked("no registration", "/accounts/signup/")
        Organisation.objects.update(sso_only=True)
        yield asked("the company only", "/accounts/login/")
        yield asked("the company only, an address", "/me/email/", owner)
    yield asked("a host that is not ours", "/accounts/login/", HTTP_HOST="other.example")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_page_after_a_form_or_of_a_rare_state_breaks_a_rule(
    world: World, chromium_path: str, settings: Any, language: str
) -> None:
    callers = repeated.callers_of(world)
    with database.undone():
        pages = [*after_forms(world, callers, language=language), *rare(world, callers, settings, language=language)]
    names = {page.name for page in pages}
    assert {"POST setup/models/connect/<slug:slug>/ empty", "POST me/keys/new/ right", "too many tries"} <= names
    assert len(names) > 40, sorted(names)
    place = LANGUAGES.index(language)
    (width, height), theme = SIZES[place], THEMES[place]
    wrong: list[str] = []
    with repeated.stage(chromium_path, viewport={"width": width, "height": height}, color_scheme=theme) as stage:
        for page in pages:
            wrong += [f"{page.name}: {told}" for told in looked(stage.context.new_page(), stage.put(page))]
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def looked(page: Page, url: str) -> list[str]:
    page.goto(url)
    page.evaluate(AXE)
    found = judged(page)["wrong"]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found = [*found, "wider than the screen"]
    page.close()
    return list(found)
