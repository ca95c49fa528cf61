"""Ways in, in a real browser: a second factor, passkeys, sign-out everywhere, a forgotten password with and without mail."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.accounts.codes import code
from tests.browser.moves import ask, ends, marked, streams
from tests.browser.test_page import PHONE, violations
from tests.processes import PASSWORD, Person, Site
from tests.smtp_server import Box, MailServer

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
NEW = "a lantern over the harbour"
Profile = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def box() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, box: MailServer) -> Iterator[Site]:
    """An installation with mail."""
    folder: Path = tmp_path_factory.mktemp("door")
    found = Site(folder, settings={"EMAIL_URL": box.url, "DEFAULT_FROM_EMAIL": "Chat <chat@example.com>"})
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture
def person(site: Site) -> Person:
    return site.people(1)[0]


@pytest.fixture
def profile(browser: Browser) -> Iterator[Profile]:
    """A browser profile without cookies; at the end no page may have broken a script or the policy."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options))
        context.set_default_timeout(15_000)
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert wrong == []


def home(site: Site) -> str:
    """By the one name for which a browser allows passkeys without https."""
    return site.url().replace("127.0.0.1", "localhost")


def sign_in(page: Page, site: Site, person: Person, *, password: str = PASSWORD, path: str = "/me/") -> None:
    page.goto(f"{home(site)}/accounts/login/?next={path}")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_out(page: Page, site: Site) -> None:
    page.goto(f"{home(site)}/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    arrives(page, "/accounts/login/")


def arrives(page: Page, path: str) -> None:
    """Waits until the page is there, wherever `next` in an address before may point."""
    page.wait_for_url(lambda url: urlsplit(url).path == path)


def set_up_app(page: Page, site: Site) -> str:
    """From the choice to ten recovery codes; returns the app's secret."""
    page.goto(f"{home(site)}/accounts/second-factor/")
    page.get_by_role("link", name="Set up an app").click()
    picture = page.get_by_role("img", name="QR code for the app")
    assert picture.evaluate("(img) => img.naturalWidth > 0"), "the policy lets the picture be seen"
    page.get_by_text("The camera does not work?").click()
    secret = page.locator("pre").inner_text().strip()
    page.get_by_label("Code").fill(code(secret))
    page.get_by_role("button", name="Set up").click()
    expect(page.get_by_role("heading", name="Your codes")).to_be_visible()
    return secret


def key_of(page: Page) -> Any:
    """A phone's passkey, as Chromium simulates it: the finger is always there."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def test_an_app_is_set_up_and_opens_the_second_step(site: Site, person: Person, profile: Profile) -> None:
    page = profile().new_page()
    sign_in(page, site, person)
    page.get_by_role("link", name="Second factor").click()
    arrives(page, "/accounts/second-factor/")
    secret = set_up_app(page, site)
    codes = page.locator("pre.codes").inner_text().split()
    assert len(codes) == 10
    with page.expect_download() as download:
        page.get_by_role("link", name="Save as a file").click()
    assert set(codes) <= set(download.value.path().read_text().split())
    page.get_by_role("link", name="I have kept them").click()
    expect(page.locator("#text")).to_be_visible()
    sign_out(page, site)
    sign_in(page, site, person)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    expect(page.get_by_label("Code")).to_be_focused()
    page.get_by_label("Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is not right, or it has been used.")).to_be_visible()
    page.get_by_label("Code").fill(code(secret, steps=1))
    page.keyboard.press("Enter")
    arrives(page, "/me/")
    sign_out(page, site)
    sign_in(page, site, person)
    page.get_by_label("Code").fill(codes[4])
    page.keyboard.press("Enter")
    arrives(page, "/me/")
    page.goto(f"{home(site)}/accounts/second-factor/")
    expect(page.get_by_text("9 codes are left.")).to_be_visible()


def test_a_passkey_is_added_and_signs_in_by_itself(site: Site, person: Person, profile: Profile) -> None:
    page = profile().new_page()
    sign_in(page, site, person)
    session, number = key_of(page)
    page.goto(f"{home(site)}/accounts/second-factor/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("Telephone")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Your codes")).to_be_visible()
    kept = session.send("WebAuthn.getCredentials", {"authenticatorId": number})["credentials"]
    assert [(each["isResidentCredential"], each["rpId"]) for each in kept] == [(True, "localhost")]
    sign_out(page, site)
    page.goto(f"{home(site)}/accounts/login/?next=/me/sign-ins/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    arrives(page, "/me/sign-ins/")
    sign_out(page, site)
    sign_in(page, site, person)
    page.get_by_role("button", name="Use a passkey").click()
    arrives(page, "/me/")
    assert site.django(METHODS, person.email) == ["password", "passkey", "passkey"]
    page.goto(f"{home(site)}/accounts/second-factor/")
    expect(page.get_by_text("Telephone")).to_be_visible()


METHODS = """
from accounts.models import LoginSession
answer = list(LoginSession.objects.filter(user__email=given).order_by("pk").values_list("method", flat=True))
"""


def test_a_passkey_that_is_not_there_leaves_the_other_ways(site: Site, person: Person, profile: Profile) -> None:
    page = profile().new_page()
    session, number = key_of(page)
    page.goto(f"{home(site)}/accounts/login/")
    session.send("WebAuthn.setUserVerified", {"authenticatorId": number, "isUserVerified": False})
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="No passkey was used")).to_be_visible()
    sign_in(page, site, person)
    arrives(page, "/me/")


def test_where_one_is_demanded_it_comes_before_everything(site: Site, profile: Profile) -> None:
    desk = profile().new_page()
    sign_in(desk, site, ADMIN, path="/setup/sign-in/")
    desk.get_by_label("Demanded of everybody").check()
    desk.get_by_role("button", name="Save").click()
    try:
        expect(desk.get_by_text("demands a second factor of you")).to_be_visible()
        page = profile(**PHONE).new_page()
        sign_in(page, site, site.people(1)[0], path="/chat/")
        expect(page.get_by_text("demands a second factor of you")).to_be_visible()
        assert violations(page) == []
        set_up_app(page, site)
        page.get_by_role("link", name="I have kept them").click()
        expect(page.locator("#text")).to_be_visible()
    finally:
        site.django("from accounts.models import *\nOrganisation.objects.update(second_factor='optional')")


def test_signed_out_everywhere_is_seen_in_the_other_browser(site: Site, person: Person, profile: Profile) -> None:
    here, there = profile().new_page(), profile().new_page()
    for page in (here, there):
        sign_in(page, site, person, path="/chat/")
        arrives(page, "/chat/")
    answer = ask(there, marked("Tell me", n=4000, gap=100))
    streams(answer, characters=10)
    here.goto(f"{home(site)}/me/sign-ins/")
    expect(here.locator(".offered li")).to_have_count(2)
    expect(here.locator(".offered li").first).to_contain_text("this one")
    here.get_by_role("button", name="Sign out everywhere").click()
    arrives(here, "/accounts/login/")
    began = time.monotonic()
    expect(there.get_by_role("dialog", name="Sign in to go on").or_(there.locator("#line:not(:empty)"))).to_be_visible()
    assert time.monotonic() - began < 10
    there.goto(f"{home(site)}/me/")
    arrives(there, "/accounts/login/")


def test_one_device_is_ended_and_the_others_go_on(site: Site, person: Person, profile: Profile) -> None:
    here, there = profile().new_page(), profile().new_page()
    for page in (here, there):
        sign_in(page, site, person)
        arrives(page, "/me/")
    here.goto(f"{home(site)}/me/sign-ins/")
    here.locator(".offered li").nth(1).get_by_role("button", name=re.compile("^Sign out")).click()
    expect(here.get_by_text("That device is signed out.")).to_be_visible()
    expect(here.locator(".offered li")).to_have_count(1)
    there.goto(f"{home(site)}/me/")
    arrives(there, "/accounts/login/")


def test_a_forgotten_password_is_replaced_by_mail(
    site: Site, person: Person, profile: Profile, box: MailServer
) -> None:
    page = profile().new_page()
    before = len(box.box.letters)
    page.goto(f"{home(site)}/accounts/login/")
    page.get_by_role("link", name="Forgot the password?").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    letter = box.box.wait_for(before + 1)[-1]
    assert letter["To"] == person.email
    found = re.search(r"https?://\S+", text_of(box.box))
    assert found
    page.goto(found[0])
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password, again").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    expect(page.get_by_role("heading", name="The password has been changed")).to_be_visible()
    sign_in(page, site, person, password=NEW)
    arrives(page, "/me/")


def text_of(box: Box) -> str:
    body = box.letters[-1].get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_new_address_is_confirmed_from_its_mailbox(
    site: Site, person: Person, profile: Profile, box: MailServer
) -> None:
    page = profile().new_page()
    sign_in(page, site, person)
    before, new = len(box.box.letters), f"new-{person.email}"
    page.get_by_role("link", name="Change the e-mail address").click()
    page.get_by_label("New e-mail address").fill(new)
    page.get_by_role("button", name="Send the link").click()
    box.box.wait_for(before + 1)
    found = re.search(r"https?://\S+", text_of(box.box))
    assert found
    page.goto(found[0])
    page.get_by_role("button", name="Confirm the address").click()
    expect(page.get_by_text(f"Sign in as {new} from now on.")).to_be_visible()
    told = box.box.wait_for(before + 2)[-1]
    assert told["To"] == person.email
    sign_in(page, site, Person(new, ""))
    arrives(page, "/me/")


def test_the_test_letter_says_by_itself_that_it_went(site: Site, profile: Profile, box: MailServer) -> None:
    page = profile().new_page()
    sign_in(page, site, ADMIN, path="/setup/mail/")
    before = len(box.box.letters)
    page.get_by_role("button", name="Send me a test mail").click()
    expect(page.get_by_text("The mail server took the last test letter")).to_be_visible()
    assert box.box.wait_for(before + 1)[-1]["To"] == ADMIN.email


def test_a_tab_that_stood_open_asks_for_the_code_in_place_too(site: Site, person: Person, profile: Profile) -> None:
    page = profile().new_page()
    sign_in(page, site, person)
    secret = set_up_app(page, site)
    page.goto(f"{home(site)}/chat/")
    site.django("from accounts.models import User\nUser.objects.get(email=given).sign_out_everywhere()", person.email)
    page.locator("#text").fill("Not lost")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    dialog.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(dialog.locator("[name=code]")).to_be_focused()
    dialog.locator("[name=code]").fill("000000")
    page.keyboard.press("Enter")
    expect(dialog.get_by_text("This code is not right")).to_be_visible()
    dialog.locator("[name=code]").fill(code(secret, steps=1))
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator(".q > div")).to_have_text(["Not lost"])
    ends(page.locator("article.a").last)


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An installation without mail."""
    site = Site(tmp_path_factory.mktemp("silent"))
    try:
        site.start()
        site.django(
            "from accounts.models import *\nOrganisation.objects.update_or_create(pk=1, defaults={'contact': 'it@example.com'})"
        )
        yield site
    finally:
        site.stop()


def test_without_mail_an_administrator_hands_over_a_link(silent: Site, profile: Profile) -> None:
    person = silent.people(1)[0]
    page, desk = profile().new_page(), profile().new_page()
    page.goto(f"{home(silent)}/accounts/password/reset/")
    expect(page.get_by_text("Mail is not set up here. Ask it@example.com for a link.")).to_be_visible()
    sign_in(desk, silent, ADMIN, path=f"/setup/people/{person.uuid}/")
    desk.get_by_role("button", name="Make a link to a new password").click()
    link = desk.locator("pre").inner_text().strip()
    assert violations(desk) == []
    page.goto(link)
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password, again").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    sign_in(page, silent, person, password=NEW)
    expect(page.get_by_role("heading", name="While you were away")).to_be_visible()
    page.get_by_role("button", name="I have read this").click()
    arrives(page, "/me/")
    page.goto(link)
    expect(page.get_by_role("heading", name="This link no longer works")).to_be_visible()


def test_whoever_has_lost_everything_is_let_in_from_the_server(silent: Site, profile: Profile) -> None:
    person = silent.people(1)[0]
    page = profile().new_page()
    sign_in(page, silent, person)
    set_up_app(page, silent)
    sign_out(page, silent)
    link = silent.manage("rescue", person.email).strip()
    page.goto(home(silent) + re.sub(r"^https?://[^/]+", "", link))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password, again").fill(NEW)
    page.get_by_role("button", name="Change the password").click()
    sign_out(page, silent)
    sign_in(page, silent, person, password=NEW)
    arrives(page, "/me/")
