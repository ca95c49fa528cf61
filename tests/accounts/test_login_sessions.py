"""Where somebody is signed in: one row a browser, listed, used, ended one by one or all; nobody else's."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import clock, devices, login_sessions
from accounts.authentication import principal_for_session
from accounts.models import AuditEvent, LoginSession, User
from chat import watch_queries
from tests.accounts.conftest import PASSWORD, SignIn

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/1 Safari/604.1"
pytestmark = pytest.mark.django_db


def browser(agent: str = CHROME, address: str = "192.0.2.7", email: str = "ada@example.com") -> Client:
    """A browser in which somebody has signed in."""
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    assert client.post("/accounts/login/", {"login": email, "password": PASSWORD}).status_code == 302
    return client


def test_the_list_names_device_address_and_this_one_first(ada: User) -> None:
    here = browser()
    browser(PHONE, "2001:db8:1:2:3:4:5:6")
    page = here.get("/me/sign-ins/").content.decode()
    assert re.findall(r'<div class="what"><b>([^<]+)</b>', page) == ["Chrome, Windows", "Safari, iPhone"]
    assert page.count("this one") == 1
    assert page.index("this one") < page.index("iPhone")
    assert "2001:db8:1:2::" in page
    row = LoginSession.objects.earliest("pk")
    assert (row.method, row.address, row.kind, row.session_version) == ("password", "192.0.2.7", "browser", 1)


def test_neither_the_session_nor_a_key_to_it_stands_in_the_row(ada: User) -> None:
    client = browser()
    assert (client.session.session_key or "?") not in str(LoginSession.objects.values().get())


def test_ending_one_cuts_its_pages_and_its_held_polls_and_nothing_else(ada: User) -> None:
    here, phone = browser(), browser(PHONE)
    other = LoginSession.objects.latest("pk")
    key = phone.session.session_key or ""
    right = (key, ada.pk, 1)
    assert watch_queries.rights([right]) == {right}
    assert here.post(f"/me/sign-ins/{other.uuid}/end/")["Location"] == "/me/sign-ins/?ended"
    assert watch_queries.rights([right]) == set()
    assert principal_for_session(key) is None
    assert phone.get("/me/").status_code == 302
    assert here.get("/me/").status_code == 200
    other.refresh_from_db()
    assert other.ended_because == "ended_by_owner"
    assert AuditEvent.objects.filter(action="sign_in.cut").count() == 1
    assert "iPhone" not in here.get("/me/sign-ins/").content.decode()


def test_ending_the_own_one_is_a_sign_out(ada: User) -> None:
    here = browser()
    assert here.post(f"/me/sign-ins/{LoginSession.objects.get().uuid}/end/")["Location"] == "/accounts/login/"
    assert here.get("/me/").status_code == 302
    assert LoginSession.objects.get().ended_because == "signed_out"


def test_sign_out_everywhere_is_everywhere(ada: User) -> None:
    here, phone = browser(), browser(PHONE)
    rights = {(client.session.session_key or "", ada.pk, 1) for client in (here, phone)}
    assert here.post("/me/sign-ins/end/")["Location"] == "/accounts/login/"
    assert watch_queries.rights(rights) == set()
    assert (here.get("/me/").status_code, phone.get("/me/").status_code) == (302, 302)
    assert LoginSession.objects.filter(ended_at=None).count() == 0
    assert browser().get("/me/").status_code == 200


def test_three_people_the_owner_a_colleague_and_a_stranger(ada: User) -> None:
    User.objects.create_user("eve@example.com", PASSWORD)
    browser()
    row = LoginSession.objects.get()
    eve = browser(PHONE, email="eve@example.com")
    assert eve.post(f"/me/sign-ins/{row.uuid}/end/").status_code == 404
    assert "Windows" not in eve.get("/me/sign-ins/").content.decode()
    assert Client().get("/me/sign-ins/").status_code == 302
    assert Client().post("/me/sign-ins/end/").status_code == 302
    row.refresh_from_db()
    assert row.ended_at is None


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_one_and_for_three(ada: User, count: int) -> None:
    here = browser()
    for _ in range(count - 1):
        browser(PHONE)
    with CaptureQueriesContext(connection) as asked:
        here.get("/me/sign-ins/")
    assert len(asked) == 4  # session, person, organisation, the list


def test_a_sign_out_ends_the_row_and_a_sign_in_begins_another(ada: User, client: Client, sign_in: SignIn) -> None:
    sign_in()
    client.post("/accounts/logout/")
    sign_in()
    assert [row.ended_because for row in LoginSession.objects.order_by("pk")] == ["signed_out", ""]


def test_a_new_password_keeps_this_row_and_it_can_still_be_ended(ada: User) -> None:
    here, phone = browser(), browser(PHONE)
    new = {
        "oldpassword": PASSWORD,
        "password1": "a lantern over the harbour",
        "password2": "a lantern over the harbour",
    }
    assert here.post("/accounts/password/change/", new).status_code == 302
    assert [row.device for row in login_sessions.living(User.objects.get())] == [CHROME]
    assert phone.get("/me/").status_code == 302
    row = login_sessions.living(User.objects.get()).get()
    assert login_sessions.end(row, because="test") is True
    assert here.get("/me/").status_code == 302
    assert login_sessions.end(row, because="test") is False


def test_use_is_written_once_a_minute_with_the_newest_address(ada: User) -> None:
    here = browser()
    number = str(LoginSession.objects.get().uuid)

    def used(address: str) -> int:
        with CaptureQueriesContext(connection) as asked:
            here.get("/me/", REMOTE_ADDR=address)
        return sum('UPDATE "accounts_loginsession"' in each["sql"] for each in asked)

    assert used("198.51.100.9") == 0, "a moment ago"
    LoginSession.objects.update(last_used_at=Now() - dt.timedelta(minutes=5))
    login_sessions._written[number] -= 61
    assert [used("198.51.100.9"), used("198.51.100.10")] == [1, 0]
    row = LoginSession.objects.get()
    assert (row.address, clock.now() - row.last_used_at < dt.timedelta(seconds=30)) == ("198.51.100.9", True)
    login_sessions._written.clear()  # another process that has not seen this session
    assert used("198.51.100.11") == 1
    assert LoginSession.objects.get().address == "198.51.100.9", "but it was written by the first one"


def test_rows_that_are_long_over_are_forgotten(ada: User) -> None:
    browser()
    LoginSession.objects.update(expires_at=clock.now() - dt.timedelta(days=89))
    assert login_sessions.sweep() == 0
    LoginSession.objects.update(expires_at=clock.now() - dt.timedelta(days=91))
    assert login_sessions.sweep() == 1


def test_a_session_is_found_among_many(ada: User) -> None:
    here = browser()
    end = clock.now() + dt.timedelta(days=1)
    Session.objects.bulk_create([Session(session_key=f"k{n}", session_data="x", expire_date=end) for n in range(5000)])
    assert login_sessions.end(LoginSession.objects.get(), because="test") is True
    assert here.get("/me/").status_code == 302
    assert Session.objects.filter(session_key__startswith="k").count() == 5000


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (CHROME, "Chrome, Windows"),
        (PHONE, "Safari, iPhone"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox, Linux"),
        (CHROME.replace("Safari/537.36", "Safari/537.36 Edg/131.0"), "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) MicroMessenger/8.0.53", "WeChat, iPhone"),
        ("Mozilla/5.0 (Linux; Android 14) wxwork/4.1.30 MicroMessenger/7.0.1", "WeCom, Android"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel) Chrome/131.0 Mobile Safari/537.36 Lark/7.1", "Feishu, Android"),
        ("curl/8.9.1", "curl"),
        ("OpenAI/Python 3.54.0", "Python"),
        ("", "unknown device"),
        ("<script>alert(1)</script>", "unknown device"),
    ],
)
def test_devices_are_named_as_people_would(agent: str, words: str) -> None:
    assert devices.words(agent) == words


def test_a_company_sign_in_keeps_what_the_issuer_calls_it(ada: User, rf: Any) -> None:
    class Way:
        provider = "acme"

    class Arrival:
        session = "sid-1"

    request = rf.get("/", REMOTE_ADDR="192.0.2.7")
    request.session = Client().session
    vars(request)["sso_arrival"] = (Way, Arrival)
    login_sessions.begin(None, request, ada)
    row = LoginSession.objects.get()
    assert (row.method, row.sso_session, login_sessions.by_company(request)) == ("sso:acme", "sid-1", True)


def test_a_copy_of_the_database_opens_no_session_and_tells_none(ada: User) -> None:
    client = browser()
    client.get("/accounts/second-factor/app/")
    secret = client.session["mfa.totp.secret"]
    row = Session.objects.get()
    assert (client.session.session_key or "?") not in str(row.__dict__)
    assert secret not in str(row.__dict__)
    assert "eJ" not in row.session_data[:3], "not zipped, which could be unzipped"
    thief = Client()
    thief.cookies["sessionid"] = row.session_key
    assert thief.get("/me/").status_code == 302
    client.get("/me/")
    assert Session.objects.get().session_key == row.session_key, "written again it is the same row"


def test_a_session_sealed_with_a_secret_that_is_gone_is_nobodys(ada: User, settings: Any) -> None:
    client = browser()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another secret, long enough for this", [settings.SECRET_KEY]
    assert client.session["_auth_user_id"] == str(ada.pk)
    settings.SECRET_KEY_FALLBACKS = []
    assert dict(client.session) == {}
