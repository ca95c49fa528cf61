"""The company's sign-in only: passwords open nothing and say why, and nobody can lock the company out."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.messages.storage.cookie import CookieStorage
from django.test import Client

from accounts import sso_connections
from accounts.adapter import AccountAdapter
from accounts.models import AuditEvent, LoginSession, Mail, Organisation, SsoConnection, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.sso_issuer import Issuer, come_in, who

pytestmark = pytest.mark.django_db
CLOSED = "Signing in with a password is switched off here. Use your company's sign-in."


@pytest.fixture
def root(client: Client, company: SsoConnection, issuer: Issuer) -> User:
    """An administrator who has a password, has connected the company, and has just come in through it."""
    admin = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(admin)
    issuer.person["sub"] = "root-1"
    come_in(client, connect="1")
    client.post("/accounts/logout/")
    assert come_in(client).status_code == 302
    return admin


def close(client: Client) -> Any:
    return client.post("/setup/company-sign-in/only/", {"do": "on"})


def try_password(email: str, password: str = PASSWORD) -> tuple[Client, Any]:
    browser = Client()
    return browser, browser.post("/accounts/login/", {"login": email, "password": password})


def test_only_somebody_who_has_just_come_in_through_the_company_closes_the_door(
    client: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_password, _answer = try_password("root@example.com")
    assert who(by_password) == "root@example.com"
    refused = close(by_password)
    assert refused.status_code == 409
    assert "Sign in through your company first" in refused.content.decode()
    assert not Organisation.get().sso_only
    assert 'value="on"' not in by_password.get("/setup/company-sign-in/").content.decode()
    monkeypatch.setattr("accounts.sso_only.JUST_NOW_S", -1)
    assert close(client).status_code == 409
    monkeypatch.undo()
    assert 'value="on"' in client.get("/setup/company-sign-in/").content.decode()
    assert close(client)["Location"] == "/setup/company-sign-in/?closed"
    assert Organisation.get().sso_only
    assert AuditEvent.objects.get(action="sso.only_on").actor == root.uuid


def test_a_connection_that_is_off_is_no_proof(client: Client, root: User) -> None:
    SsoConnection.objects.update(is_enabled=False)
    assert close(client).status_code == 409


def test_closing_signs_out_who_came_by_password_and_nobody_else(client: Client, root: User, ada: User) -> None:
    adas, _ = try_password("ada@example.com")
    roots, _ = try_password("root@example.com")
    assert (who(adas), who(roots)) == ("ada@example.com", "root@example.com")
    close(client)
    assert [browser.get("/me/company/").status_code for browser in (client, adas, roots)] == [200, 302, 302]
    assert set(LoginSession.objects.filter(ended_at=None).values_list("method", flat=True)) == {"sso:company"}


def test_every_name_is_refused_with_the_same_words(client: Client, root: User, ada: User) -> None:
    close(client)
    pages = []
    for email in ("ada@example.com", "root@example.com", "nobody@example.com"):
        browser, answer = try_password(email)
        page = answer.content.decode()
        assert (answer.status_code, who(browser)) == (200, "")
        assert CLOSED in page
        assert 'type="password"' not in page
        assert "Continue with Example" in page
        pages.append(page.replace(email, ""))
    assert len({len(page) for page in pages}) == 1


def test_the_sign_in_page_then_offers_the_company_only(client: Client, root: User) -> None:
    before = Client().get("/accounts/login/").content.decode()
    assert "Continue with Example" in before
    assert 'type="password"' in before
    close(client)
    after = Client().get("/accounts/login/").content.decode()
    assert "Continue with Example" in after
    assert 'type="password"' not in after
    assert "Forgot the password?" not in after


def test_whatever_else_proves_who_somebody_is_opens_nothing_and_the_reason_is_told(client: Client, root: User) -> None:
    """As allauth asks before every sign-in: by a passkey, for one."""
    close(client)
    browser = Client()
    request: Any = browser.get("/accounts/login/").wsgi_request
    request.session = browser.session
    request._messages = CookieStorage(request)
    answer = AccountAdapter(request).pre_login(request, root)
    assert answer is not None
    assert answer["Location"] == "/accounts/login/"
    request._messages.update(answer)
    browser.cookies.update(answer.cookies)
    assert CLOSED in html.unescape(browser.get("/accounts/login/").content.decode())


def test_no_link_to_a_new_password_leads_in(client: Client, root: User, ada: User, settings: Any) -> None:
    settings.EMAIL_URL = "memory://"
    close(client)
    for email in ("ada@example.com", "nobody@example.com"):
        page = Client().post("/accounts/password/reset/", {"email": email}).content.decode()
        assert "Passwords are not used here: sign in through your company." in page
    assert Mail.objects.count() == 0


def test_a_program_that_comes_with_a_password_is_refused_with_the_reason(client: Client, root: User, ada: User) -> None:
    close(client)
    said = set()
    for email in ("ada@example.com", "nobody@example.com"):
        given = {"email": email, "password": PASSWORD}
        answer = Client().post("/api/v1/auth/token/", given, content_type="application/json")
        assert answer.status_code in (401, 403)
        said.add(str(answer.json().get("detail")))
    assert len(said) == 1, said
    assert "company" in said.pop()


def test_the_last_connection_stays_while_passwords_are_off(client: Client, root: User, company: SsoConnection) -> None:
    close(client)
    page = f"/setup/company-sign-in/{company.uuid}"
    for answer in (client.post(f"{page}/switch/", {"do": "off"}), client.post(f"{page}/remove/")):
        assert answer.status_code == 409
        assert "only way in" in answer.content.decode()
    company.refresh_from_db()
    assert company.is_enabled
    sso_connections.free_slug("oidc")
    assert client.post("/setup/company-sign-in/only/", {"do": "off"})["Location"] == "/setup/company-sign-in/?opened"
    browser, _ = try_password("root@example.com")
    assert who(browser) == "root@example.com"
    assert client.post(f"{page}/switch/", {"do": "off"}).status_code == 302


def test_a_rescue_made_on_the_server_lets_an_administrator_in_and_the_door_be_opened(
    client: Client, root: User, capsys: pytest.CaptureFixture[str]
) -> None:
    from django.core.management import call_command

    close(client)
    call_command("rescue", "root@example.com")
    link = next(word for word in capsys.readouterr().out.split() if "/accounts/" in word)
    browser = Client()
    browser.post(link[link.index("/accounts/") :])
    assert who(browser) == "root@example.com"


def test_whoever_may_not_change_the_organisation_does_not_close_or_open(client: Client, root: User, ada: User) -> None:
    client.force_login(ada)
    assert close(client).status_code == 403
    assert client.get("/setup/company-sign-in/").status_code == 403
