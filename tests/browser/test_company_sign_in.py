"""Sign-in through the company in a real browser, with a real OpenID provider (another process, another program) on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.issuer import CLIENT, PASSWORD, SECRET
from tests.processes import PASSWORD as OURS
from tests.processes import ROOT, Person, Site, free_port

pytestmark = pytest.mark.browser
ADMIN = Person("admin@example.com", "", OURS)
CLEAN = """
from allauth.socialaccount.models import SocialAccount
from accounts.models import Invitation, Organisation, SsoConnection, Team, User
Organisation.objects.update(sso_only=False)
SocialAccount.objects.all().delete()
SsoConnection.objects.all().delete()
Invitation.objects.all().delete()
User.objects.filter(email__in=["grace@example.com", "guest@example.com"]).delete()
Team.objects.filter(name="Research").delete()
"""
CONNECT = """
from accounts import sso_secrets
from accounts.models import SsoConnection, SsoTeam, Team
url, client, secret = given
row = SsoConnection.objects.create(kind="oidc", slug="company", name="Example", server_url=url, client_id=client,
    secret=sso_secrets.encrypt(secret), email_domains="example.com", makes_people=True, group_claim="groups")
team = Team.objects.create(name="Research")
SsoTeam.objects.create(connection=row, group="research", team=team)
"""
INVITE = """
from django.test import RequestFactory
from accounts import invitations
from accounts.models import User
admin = User.objects.get(email="admin@example.com")
request = RequestFactory().get("/", HTTP_HOST="127.0.0.1")
request.user = admin
answer = invitations.invite(invitations.Guest("guest@example.com"), by=admin, request=request).link
"""


@dataclass
class RealIssuer:
    """The provider's process."""

    folder: Path
    callback: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> RealIssuer:
        words = [sys.executable, "-m", "tests.browser.issuer", str(self.port), str(self.folder), self.callback]
        with (self.folder / "issuer.log").open("wb") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/.well-known/jwks.json", timeout=5):
                    return self
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "issuer.log").read_text()[-3000:])

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)

    def logout_token(self, *, session: str, audience: str = CLIENT) -> str:
        """Signed with the provider's own key: the library has no back-channel logout yet."""
        with urllib.request.urlopen(f"{self.url}/.well-known/jwks.json", timeout=5) as answer:
            kid = json.load(answer)["keys"][0]["kid"]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": audience,
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
            "sid": session,
        }
        claims["events"] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        key = (self.folder / "issuer.pem").read_text()
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid, "typ": "logout+jwt"})


@pytest.fixture(scope="module")
def real_issuer(portal_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealIssuer]:
    callback = f"{portal_site.url()}/accounts/company/company/callback/"
    issuer = RealIssuer(tmp_path_factory.mktemp("issuer"), callback)
    try:
        yield issuer.start()
    finally:
        issuer.stop()


@pytest.fixture(autouse=True)
def clean(portal_site: Site, real_issuer: RealIssuer) -> Iterator[None]:
    yield
    portal_site.django(CLEAN)


@pytest.fixture
def connected(portal_site: Site, real_issuer: RealIssuer) -> RealIssuer:
    """The provider, set up here."""
    portal_site.django(CONNECT, [real_issuer.url, CLIENT, SECRET])
    return real_issuer


Profile = Callable[..., BrowserContext]


@pytest.fixture
def profile(browser: Browser, portal_site: Site, real_issuer: RealIssuer) -> Iterator[Profile]:
    """A browser profile, signed in here or not; nothing of our pages may break the policy or ask for anything elsewhere."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def make(person: Person | None = None) -> BrowserContext:
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 800})
        context.set_default_timeout(20_000)
        if person is not None:
            cookies = portal_site.sign_in(person).items()
            context.add_cookies([{"name": name, "value": value, "url": portal_site.url()} for name, value in cookies])
        places = (portal_site.url(), real_issuer.url, "data:", "about:")
        context.on("console", lambda line: wrong.append(line.text) if "Content Security" in line.text else None)
        context.on("request", lambda sent: None if sent.url.startswith(places) else wrong.append(sent.url))
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert wrong == []


def at_the_company(page: Page, name: str) -> None:
    """Signs in on the provider's own page and lets the portal know."""
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.locator("button[name=action][value=grant]").click()


def come_in(context: BrowserContext, site: Site, *, name: str = "grace") -> Page:
    """From our sign-in page by the button, over the provider, back."""
    page = context.new_page()
    page.goto(f"{site.url()}/accounts/login/")
    page.get_by_role("button", name="Continue with Example").click()
    at_the_company(page, name)
    return page


def test_an_administrator_sets_it_up_tries_it_and_a_colleague_comes_in(
    portal_site: Site, real_issuer: RealIssuer, profile: Profile
) -> None:
    page = profile(ADMIN).new_page()
    page.goto(f"{portal_site.url()}/setup/")
    page.get_by_role("link", name="Company sign-in").click()
    page.get_by_role("link", name="OpenID Connect").click()
    expect(page.get_by_label("Redirect address")).to_have_value(real_issuer.callback)
    page.get_by_label("Name", exact=True).fill("Example")
    page.get_by_label("Issuer's address").fill(f"{real_issuer.url}/.well-known/openid-configuration")
    page.get_by_label("Client id").fill(CLIENT)
    page.get_by_label("Client secret").fill("not the right one")
    page.get_by_label("Make an account at the first sign-in").check()
    page.get_by_label("Domains it may vouch for").fill("example.com")
    page.get_by_role("button", name="Save and try").click()
    expect(page.get_by_role("alert")).to_contain_text("The issuer does not accept the client id or the secret.")
    page.get_by_text("Change", exact=True).click()
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_role("button", name="Save and try").click()
    expect(page.get_by_role("status")).to_contain_text("Client id and secret are right.")
    page.get_by_role("button", name="Switch it on").click()
    expect(page.locator(".sub")).to_contain_text("on")

    grace = come_in(profile(), portal_site)
    grace.wait_for_url(f"{portal_site.url()}/chat/**")
    grace.goto(f"{portal_site.url()}/me/")
    expect(grace.locator(".sub")).to_have_text("grace@example.com")
    expect(grace.get_by_label("Your name")).to_have_value("Grace Hopper")
    page.goto(f"{portal_site.url()}/setup/company-sign-in/")
    expect(page.locator(".offered")).to_contain_text("1 colleague connected")


def test_by_keyboard_alone_and_to_where_one_wanted(portal_site: Site, connected: RealIssuer, profile: Profile) -> None:
    page = profile().new_page()
    page.goto(f"{portal_site.url()}/me/company/")  # asked to sign in first
    button = page.get_by_role("button", name="Continue with Example")
    button.focus()
    page.keyboard.press("Enter")
    at_the_company(page, "grace")
    page.wait_for_url(f"{portal_site.url()}/me/company/")
    expect(page.locator(".offered")).to_contain_text("grace@example.com")
    teams = portal_site.django(
        "from accounts.models import Membership\n"
        "answer = list(Membership.objects.filter(user__email='grace@example.com').values_list('team__name', flat=True))"
    )
    assert teams == ["Research"]


def test_an_address_that_is_not_verified_makes_no_account_and_the_page_says_what_to_do(
    portal_site: Site, connected: RealIssuer, profile: Profile
) -> None:
    page = come_in(profile(), portal_site, name="mallory")
    expect(page.get_by_role("alert")).to_contain_text("did not confirm that this e-mail address is yours")
    expect(page.get_by_role("alert")).to_contain_text("Ask whoever runs this chat for an invitation.")
    page.get_by_role("link", name="To the sign-in page").click()
    expect(page.get_by_role("button", name="Continue with Example")).to_be_visible()


def test_denied_at_the_company_is_told_here(portal_site: Site, connected: RealIssuer, profile: Profile) -> None:
    page = profile().new_page()
    page.goto(f"{portal_site.url()}/accounts/login/")
    page.get_by_role("button", name="Continue with Example").click()
    page.locator("input[name=login]").fill("grace")
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("input[name=password]").press("Enter")
    page.locator("button[name=action]:not([value=grant])").click()
    expect(page.get_by_role("alert")).to_contain_text("The sign-in was cancelled at your company.")


def test_a_colleague_connects_and_disconnects(
    portal_site: Site, connected: RealIssuer, profile: Profile, somebody: Person
) -> None:
    page = profile(somebody).new_page()
    page.goto(f"{portal_site.url()}/me/")
    page.get_by_role("link", name="Company sign-in").click()
    page.get_by_role("button", name="Connect Example").click()
    at_the_company(page, "mallory")  # whatever address she has there
    expect(page.get_by_role("status")).to_contain_text("Connected.")
    other = come_in(profile(), portal_site, name="mallory")
    other.wait_for_url(f"{portal_site.url()}/chat/**")
    other.goto(f"{portal_site.url()}/me/")
    expect(other.locator(".sub")).to_have_text(somebody.email)
    page.get_by_role("button", name="Disconnect Example").click()
    expect(page.get_by_role("status")).to_contain_text("Disconnected.")


def test_an_invitation_is_accepted_with_the_company_account(
    portal_site: Site, connected: RealIssuer, profile: Profile
) -> None:
    link = urllib.parse.urlsplit(portal_site.django(INVITE)).path
    page = profile().new_page()
    page.goto(portal_site.url() + link)
    page.get_by_role("button", name="Continue with Example").click()
    at_the_company(page, "mallory")
    page.wait_for_url(f"{portal_site.url()}/chat/**")
    page.goto(f"{portal_site.url()}/me/")
    expect(page.locator(".sub")).to_have_text("guest@example.com")


def test_the_issuer_signs_out_and_the_open_page_is_out_within_two_seconds(
    portal_site: Site, connected: RealIssuer, profile: Profile
) -> None:
    context = profile()
    page = come_in(context, portal_site)
    page.wait_for_url(f"{portal_site.url()}/chat/**")
    sessions = portal_site.django(
        "from accounts.models import LoginSession\n"
        "rows = LoginSession.objects.filter(user__email='grace@example.com', ended_at=None)\n"
        "answer = list(rows.values_list('sso_session', flat=True))"
    )
    assert len(sessions) == 1
    assert sessions[0].startswith("issuer-")
    address = f"{portal_site.url()}/accounts/company/company/logout/"
    assert posted(address, connected.logout_token(session=sessions[0], audience="another")) == 400
    assert context.request.get(f"{portal_site.url()}/me/company/", max_redirects=0).status == 200
    token = connected.logout_token(session=sessions[0])
    began = time.monotonic()
    assert posted(address, token) == 200
    assert context.request.get(f"{portal_site.url()}/me/company/", max_redirects=0).status == 302
    assert time.monotonic() - began < 2
    assert posted(address, token) == 400
    page.reload()
    expect(page.get_by_role("button", name="Continue with Example")).to_be_visible()


def posted(address: str, token: str) -> int:
    body = urllib.parse.urlencode({"logout_token": token}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data=body), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_passwords_are_switched_off_by_whoever_came_in_through_the_company_and_on_again(
    portal_site: Site, connected: RealIssuer, profile: Profile
) -> None:
    admin = profile(ADMIN).new_page()
    admin.goto(f"{portal_site.url()}/me/company/")
    admin.get_by_role("button", name="Connect Example").click()
    at_the_company(admin, "grace")
    expect(admin.get_by_role("status")).to_contain_text("Connected.")
    admin.goto(f"{portal_site.url()}/setup/company-sign-in/")
    expect(admin.get_by_role("button", name="Switch passwords off")).to_have_count(0)
    inside = come_in(profile(), portal_site)
    inside.wait_for_url(f"{portal_site.url()}/chat/**")
    inside.goto(f"{portal_site.url()}/setup/company-sign-in/")
    inside.get_by_role("button", name="Switch passwords off").click()
    expect(inside.get_by_role("status")).to_contain_text("Passwords are switched off.")
    admin.reload()  # came in by password: signed out
    expect(admin.get_by_role("button", name="Continue with Example")).to_be_visible()
    expect(admin.locator("input[type=password]")).to_have_count(0)
    inside.get_by_role("button", name="Let passwords in again").click()
    expect(inside.get_by_role("status")).to_contain_text("Passwords work again.")


def test_an_issuer_that_is_down_keeps_nobody_from_the_password(
    portal_site: Site, connected: RealIssuer, profile: Profile, somebody: Person
) -> None:
    portal_site.django("from accounts.models import SsoConnection\nSsoConnection.objects.update(server_url=given)",
                       f"http://127.0.0.1:{free_port()}")  # fmt: skip
    page = profile().new_page()
    page.goto(f"{portal_site.url()}/accounts/login/")
    page.get_by_role("button", name="Continue with Example").click()
    expect(page.get_by_role("alert")).to_contain_text("Your company's sign-in server does not answer.")
    page.get_by_role("link", name="To the sign-in page").click()
    page.get_by_label("E-mail").fill(somebody.email)
    page.get_by_label("Password", exact=True).fill(somebody.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{portal_site.url()}/chat/**")
