"""How colleagues come and go, in a real browser: from an invitation to the first answer, with mail and without; teams; leaving.

The invitation is timed by hand of the browser: well under the two minutes that a person may take.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.moves import ask, ends, marked, streams
from tests.browser.test_page import PHONE, violations
from tests.processes import PASSWORD, Person, Site
from tests.smtp_server import MailServer

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", PASSWORD)
NEW = "a lantern over the harbour"
RULES = "Be kind.\n\nAsk nothing that a customer must not read."
DUE_S = 120
LINK = re.compile(r"http://[\w.:]+/accounts/[\w/-]+")
Profile = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def box() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture(scope="module")
def with_mail(tmp_path_factory: pytest.TempPathFactory, box: MailServer) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("mailed")
    found = Site(folder, settings={"EMAIL_URL": box.url, "DEFAULT_FROM_EMAIL": "Chat <chat@example.com>"})
    try:
        yield found.start()
    finally:
        found.stop()


@pytest.fixture
def profile(browser: Browser) -> Iterator[Profile]:
    """A browser profile; at the end no page may have broken a script or the policy."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def heard(line: ConsoleMessage) -> None:
        if "Content Security" in line.text:
            wrong.append(line.text)

    def make(site: Site | None = None, person: Person | None = None, **options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}, "locale": "en-US"} | options))
        context.set_default_timeout(15_000)
        if site is not None and person is not None:
            cookies = site.sign_in(person).items()
            context.add_cookies([{"name": name, "value": value, "url": site.url()} for name, value in cookies])
        context.on("weberror", lambda error: wrong.append(str(error.error)))
        context.on("console", heard)
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert wrong == []


def letter_to(server: MailServer, email: str, *, within: float = 20) -> str:
    """The text of the only letter to this address, once it is there."""
    end = time.monotonic() + within
    while not (found := [letter for letter in server.box.letters if letter["To"] == email]):
        assert time.monotonic() < end, f"no letter to {email} within {within} s"
        time.sleep(0.05)
    (letter,) = found
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def organise(site: Site, **fields: str) -> None:
    code = "from accounts.models import Organisation\nOrganisation.objects.update_or_create(pk=1, defaults=given)"
    site.django(code, fields)


def invite(admin: Page, site: Site, *, email: str, name: str = "") -> None:
    admin.goto(f"{site.url()}/setup/people/")
    admin.get_by_role("link", name="Invite").click()
    admin.get_by_label("E-mail", exact=True).fill(email)
    admin.get_by_label("Full name").fill(name)
    admin.get_by_role("button", name="Invite", exact=True).click()


def come_in(page: Page, link: str) -> None:
    """From the link to the empty chat, as a person does it."""
    page.goto(link)
    expect(page.get_by_role("heading", name="Welcome")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(NEW)
    page.get_by_label("Password, again").fill(NEW)
    if page.get_by_label("I have read the house rules").count():
        page.get_by_label("I have read the house rules").check()
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/chat/")


def test_from_the_mailed_invitation_to_the_first_answer(with_mail: Site, box: MailServer, profile: Profile) -> None:
    site = with_mail
    organise(site, house_rules=RULES)
    admin = profile(site, ADMIN).new_page()
    invite(admin, site, email="li.na@example.com", name="Li Na")
    expect(admin.get_by_role("status")).to_contain_text("The invitation is on its way to li.na@example.com.")
    link = LINK.search(letter_to(box, "li.na@example.com"))
    assert link is not None
    began = time.monotonic()
    page = profile(timezone_id="Asia/Shanghai").new_page()
    page.goto(link[0])
    expect(page.get_by_label("Your name")).to_have_value("Li Na")
    expect(page.get_by_label("Time zone")).to_have_value("Asia/Shanghai")
    expect(page.get_by_role("region", name="House rules")).to_contain_text("Ask nothing that a customer must not read.")
    come_in(page, link[0])
    expect(page.locator(".greeting")).to_contain_text("Li Na")
    expect(page.locator(".start")).to_have_count(4)
    expect(page.get_by_role("button", name="I have read them and agree")).to_have_count(0)
    page.locator(".start").first.click()
    ends(ask(page, page.locator("#text").input_value() + " Hello."))
    assert time.monotonic() - began < DUE_S
    page.goto(link[0])
    expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()


def test_without_mail_the_link_is_copied_and_handed_over(portal_site: Site, profile: Profile) -> None:
    context = profile(portal_site, ADMIN)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin = context.new_page()
    invite(admin, portal_site, email="sam@example.com")
    expect(admin.get_by_role("heading", name="Invited")).to_be_visible()
    admin.get_by_role("button", name="Copy").click()
    expect(admin.get_by_role("button", name="Copied")).to_be_visible()
    link = admin.evaluate("navigator.clipboard.readText()")
    assert link == admin.get_by_label("Link of the invitation").input_value()
    page = profile(**PHONE).new_page()
    page.goto(link)
    page.get_by_label("Your name").fill("Sam")
    came = page.url
    page.get_by_label("Password", exact=True).fill(NEW)
    page.get_by_label("Password, again").fill(NEW)
    page.get_by_role("button", name="Begin").click()
    page.wait_for_url("**/chat/")
    assert came == link
    ends(ask(page, "Hello"))
    admin.goto(f"{portal_site.url()}/setup/people/invitations/")
    expect(admin.get_by_role("listitem").filter(has_text="sam@example.com")).to_contain_text("accepted")


def test_without_scripts_an_invitation_is_made_and_accepted_all_the_same(portal_site: Site, profile: Profile) -> None:
    admin = profile(portal_site, ADMIN, java_script_enabled=False).new_page()
    invite(admin, portal_site, email="plain@example.com", name="Plain")
    link = admin.get_by_label("Link of the invitation").input_value()
    expect(admin.get_by_role("button", name="Copy")).to_have_count(0)
    page = profile(java_script_enabled=False).new_page()
    come_in(page, link)
    expect(page.locator(".greeting")).to_contain_text("Plain")


def test_a_file_of_colleagues_is_answered_line_by_line(portal_site: Site, profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes("邮箱,姓名\nzhao@example.com,赵敏\nzhao@example.com,赵敏\nnonsense,x\n".encode("gbk"))
    admin = profile(portal_site, ADMIN).new_page()
    admin.goto(f"{portal_site.url()}/setup/people/invitations/")
    admin.get_by_text("Many at once, from a file").click()
    admin.get_by_label("CSV file").set_input_files(str(file))
    admin.get_by_role("button", name="Invite all").click()
    expect(admin.get_by_role("status")).to_contain_text("1 invited · 1 known already · 1 not done")
    rows = admin.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("Already invited.")
    expect(rows.nth(2)).to_contain_text("This is no e-mail address.")
    assert violations(admin) == []
    rows.nth(0).get_by_role("button", name="Copy the link").click()
    expect(rows.nth(0).get_by_role("button")).to_have_text("Copied")


def test_somebody_registers_confirms_and_is_let_in(with_mail: Site, box: MailServer, profile: Profile) -> None:
    site = with_mail
    organise(site, open_domains="pine.example")
    page = profile().new_page()
    page.goto(f"{site.url()}/accounts/signup/")
    assert violations(page) == []
    page.get_by_label("E-mail").fill("mei@pine.example")
    page.get_by_label("Your name").fill("Mei")
    page.get_by_label("Password", exact=True).fill(NEW)
    page.get_by_label("Password, again").fill(NEW)
    if page.get_by_label("I have read the house rules").count():
        page.get_by_label("I have read the house rules").check()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    link = LINK.search(letter_to(box, "mei@pine.example"))
    assert link is not None
    page.goto(link[0])
    assert violations(page) == []
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your account waits for approval")).to_be_visible()
    admin = profile(site, ADMIN).new_page()
    admin.goto(f"{site.url()}/setup/people/")
    admin.get_by_role("link", name="Look").click()
    admin.get_by_role("button", name="Let Mei in").click()
    expect(admin.get_by_role("status")).to_contain_text("Let in; a letter says so.")
    page.get_by_role("link", name="To signing in").click()
    page.get_by_label("E-mail").fill("mei@pine.example")
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/chat/")


def test_a_colleague_who_is_switched_off_is_out_while_an_answer_is_being_written(
    portal_site: Site, profile: Profile
) -> None:
    leaver, heir = portal_site.people(2)
    page = profile(portal_site, leaver).new_page()
    page.goto(f"{portal_site.url()}/chat/")
    answer = streams(ask(page, marked("Tell me a lot", seed=7, n=900, gap=60)), characters=20)
    admin = profile(portal_site, ADMIN).new_page()
    admin.goto(f"{portal_site.url()}/setup/programs/")
    admin.get_by_label("Name", exact=True).fill("Nightly report")
    admin.get_by_label("E-mail of the colleague who answers for it").fill(leaver.email)
    admin.get_by_role("button", name="Make the account").click()
    admin.goto(f"{portal_site.url()}/setup/people/?q={leaver.email}")
    admin.get_by_role("link", name="Open").click()
    admin.get_by_role("link", name="Switch off…").click()
    expect(admin.get_by_role("main")).to_contain_text("Nightly report")
    assert violations(admin) == []
    admin.get_by_label("E-mail of the colleague who takes it over").fill(heir.email)
    admin.get_by_role("button", name="Switch off").click()
    expect(admin.get_by_role("status")).to_contain_text("Switched off.")
    expect(page.get_by_role("dialog", name="Sign in to go on").or_(page.locator("#line:not(.off)"))).to_be_visible()
    page.goto(f"{portal_site.url()}/chat/")
    expect(page).to_have_url(re.compile("/accounts/login/"))
    admin.goto(f"{portal_site.url()}/setup/programs/")
    expect(admin.get_by_role("listitem").filter(has_text="Nightly report")).to_contain_text("Person")
    assert portal_site.django(
        "from chat.models import Generation\nanswer = [g.state for g in Generation.objects.filter(user__email=given)]",
        leaver.email,
    ) == ["cancelled"]
    assert answer is not None


def test_a_team_is_made_and_its_manager_sees_who_is_in_it(portal_site: Site, profile: Profile) -> None:
    manager, member = portal_site.people(2)
    admin = profile(portal_site, ADMIN).new_page()
    admin.goto(f"{portal_site.url()}/setup/")
    admin.get_by_role("link", name="Teams").click()
    admin.get_by_label("Name", exact=True).fill("Harbour")
    admin.get_by_label("Cost centre").fill("4711")
    admin.get_by_role("button", name="Make the team").click()
    expect(admin.get_by_role("heading", name="Harbour", level=1)).to_be_visible()
    for person in (manager, member):
        admin.get_by_label("E-mail of the colleague").fill(person.email)
        admin.get_by_role("button", name="Add", exact=True).click()
        expect(admin.get_by_role("status")).to_contain_text("is in the team.")
    page = profile(portal_site, manager).new_page()
    assert page.goto(f"{portal_site.url()}/me/team/").status == 404  # type: ignore[union-attr]  # the page was answered
    admin.get_by_role("listitem").filter(has_text=manager.email).get_by_role("button", name="a manager").click()
    page.goto(f"{portal_site.url()}/me/")
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_role("listitem").filter(has_text=member.email)).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("4711")


def test_the_theme_that_was_chosen_is_on_every_page_whatever_the_device_says(
    portal_site: Site, profile: Profile
) -> None:
    page = profile(portal_site, portal_site.people(1)[0], color_scheme="light").new_page()

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.goto(f"{portal_site.url()}/me/")
    assert ground() == "rgb(255, 255, 255)"
    page.get_by_label("Theme").select_option("dark")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    for path in ("/me/", "/chat/"):
        page.goto(portal_site.url() + path)
        assert ground() == "rgb(23, 25, 24)"
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.goto(f"{portal_site.url()}/me/")
    page.get_by_label("Theme").select_option("light")
    page.get_by_role("button", name="Save").first.click()
    page.emulate_media(color_scheme="dark")
    page.goto(f"{portal_site.url()}/chat/")
    assert ground() == "rgb(255, 255, 255)"


def test_new_house_rules_stand_above_the_box_until_they_are_agreed_to(with_mail: Site, profile: Profile) -> None:
    site, person = with_mail, with_mail.people(1)[0]
    organise(site, house_rules="")
    page = profile(site, person, **PHONE).new_page()
    page.goto(f"{site.url()}/chat/")
    organise(site, house_rules=RULES * 20)
    page.locator("#text").fill("What now?")
    page.locator("#send").tap()
    expect(page.locator("#line")).to_contain_text("Read the house rules first.")
    expect(page.locator("#text")).to_have_value("What now?")
    page.reload()
    expect(page.get_by_role("region", name="House rules")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="I have read them and agree").click()
    expect(page.get_by_role("region", name="House rules")).to_have_count(0)
    expect(page.locator("#text")).to_have_value("What now?")
    page.locator("#send").tap()
    ends(page.locator("article.a").first)


def test_what_the_policy_refuses_is_heard_and_axe_at_work_is_not(portal_site: Site, browser: Browser) -> None:
    """The ear that every profile above has: it hears a style that a page brings along, wherever it says it comes from."""
    heard: list[str] = []
    context = browser.new_context()
    page = context.new_page()
    context.on("console", lambda line: heard.append(line.text))
    page.goto(f"{portal_site.url()}/accounts/signup/")
    assert violations(page) == []
    assert [line for line in heard if "Content Security" in line] == []
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('style'), { textContent: 'p { color: red }' }))"
    )
    page.wait_for_timeout(200)
    assert any("Content Security" in line for line in heard)
    context.close()
