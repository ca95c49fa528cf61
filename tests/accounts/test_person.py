"""Who is asking: sessions that end, the language and the clock of the person, and what a page may cost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.authentication import Principal, principal_for_session
from accounts.middleware import Person
from accounts.models import Organisation, User
from tests.accounts.conftest import SignIn

pytestmark = pytest.mark.django_db


def title(client: Client, **headers: str) -> str:
    page = client.get("/accounts/login/", headers=headers).content.decode()
    return "zh" if '<html lang="zh-Hans">' in page else "en" if '<html lang="en">' in page else "?"


def test_raising_the_version_ends_every_session(client: Client, ada: User) -> None:
    client.force_login(ada)
    ada.sign_out_everywhere()
    assert client.get("/me/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_session_without_a_version_is_no_session(client: Client, ada: User) -> None:
    client.force_login(ada)
    session = client.session
    del session["session_version"]
    session.save()
    assert client.get("/me/").status_code == 302


def test_a_programs_account_has_no_session_on_pages(client: Client, ada: User) -> None:
    """As in the funnel of the API, however it came to one."""
    client.force_login(ada)
    assert client.get("/me/").status_code == 200
    User.objects.filter(pk=ada.pk).update(is_service=True)
    assert client.get("/me/").status_code == 302
    assert "_auth_user_id" not in client.session


def test_a_switched_off_person_is_out_at_once(client: Client, ada: User) -> None:
    client.force_login(ada)
    User.objects.update(is_active=False)
    assert client.get("/me/").status_code == 302


def test_a_person_costs_at_most_three_queries(client: Client, ada: User) -> None:
    """Session, person, organisation (language and time zone, and whether it demands a second factor)."""
    Organisation.get()
    client.force_login(ada)
    with CaptureQueriesContext(connection) as all_asked:
        client.get("/nowhere")
    assert len(all_asked) == 3


def test_the_health_of_the_process_asks_no_database(client: Client, ada: User) -> None:
    client.force_login(ada)
    with CaptureQueriesContext(connection) as asked:
        assert client.get("/health/live").status_code == 200
    assert len(asked) == 0


def test_answers_to_a_person_are_kept_by_nobody(client: Client, ada: User) -> None:
    client.force_login(ada)
    for path in ("/me/", "/nowhere", "/accounts/password/change/"):
        answer = client.get(path)
        assert "no-store" in answer["Cache-Control"], path
        assert "Cookie" in answer["Vary"], path


def test_the_answer_to_a_sign_in_is_kept_by_nobody(ada: User, sign_in: SignIn) -> None:
    assert "no-store" in sign_in()["Cache-Control"]


def test_the_browser_chooses_until_a_person_does(client: Client) -> None:
    assert title(client) == "en"
    assert title(client, accept_language="zh-CN,zh;q=0.9,en;q=0.8") == "zh"
    assert title(client, accept_language="fr,de;q=0.5") == "en"
    Organisation.objects.update_or_create(pk=1, defaults={"language": "zh-hans"})
    assert title(client, accept_language="en") == "zh"
    client.post("/me/language/", {"language": "en", "next": "/accounts/login/"})
    assert title(client, accept_language="zh-CN") == "en"


def test_a_persons_choice_is_kept_and_comes_first(client: Client, ada: User) -> None:
    client.force_login(ada)
    answer = client.post("/me/language/", {"language": "zh-hans", "next": "/me/"})
    assert answer["Location"] == "/me/"
    ada.refresh_from_db()
    assert ada.language == "zh-hans"
    elsewhere = Client()
    elsewhere.force_login(ada)
    assert '<html lang="zh-Hans">' in elsewhere.get("/me/", headers={"accept-language": "en"}).content.decode()


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "javascript:alert(1)", ""])
def test_the_language_switch_leads_back_to_this_site_only(client: Client, back: str) -> None:
    assert client.post("/me/language/", {"language": "en", "next": back})["Location"] == "/"


def test_a_language_that_is_not_offered_changes_nothing(client: Client, ada: User) -> None:
    client.force_login(ada)
    answer = client.post("/me/language/", {"language": "tlh"})
    assert "django_language" not in answer.cookies
    ada.refresh_from_db()
    assert ada.language == ""
    assert client.get("/me/language/").status_code == 405


def test_settings_are_saved_and_nothing_else_is(client: Client, ada: User) -> None:
    client.force_login(ada)
    wanted = {"name": "Ada L.", "language": "zh-hans", "time_zone": "Asia/Shanghai"}
    smuggled = {"is_staff": "on", "is_superuser": "on", "email": "x@example.com", "session_version": "9", "id": "77"}
    before = dict(User.objects.values().get())
    assert client.post("/me/", wanted | smuggled)["Location"] == "/me/?saved"
    after = dict(User.objects.values().get())
    assert {key for key in after if after[key] != before[key]} == {"name", "language", "time_zone"}
    assert "已保存" in client.get("/me/?saved").content.decode()


def test_settings_refuse_a_time_zone_that_does_not_exist(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert client.post("/me/", {"name": "", "language": "", "time_zone": "Mars/Base"}).status_code == 200
    ada.refresh_from_db()
    assert ada.time_zone == ""


@pytest.mark.parametrize(
    ("own", "organisation", "used"),
    [
        ("Asia/Shanghai", "Europe/Berlin", "Asia/Shanghai"),
        ("", "Europe/Berlin", "Europe/Berlin"),
        ("", "", "UTC"),
        ("Mars/Base", "", "UTC"),
    ],
)
def test_the_clock_is_the_persons_then_the_organisations(ada: User, own: str, organisation: str, used: str) -> None:
    User.objects.update(time_zone=own)
    Organisation.objects.update_or_create(pk=1, defaults={"time_zone": organisation})
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(timezone.get_current_timezone_name())
        return HttpResponse()

    client = Client()
    client.force_login(ada)
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = client.session.session_key or ""
    request.session = client.session
    request.user = User.objects.get()
    with translation.override("en"):
        Person(view)(request)
    timezone.deactivate()
    assert seen == [used]


def key(client: Client) -> str:
    return client.session.session_key or ""


def test_a_session_is_read_outside_of_a_request(client: Client, ada: User) -> None:
    client.force_login(ada)
    with CaptureQueriesContext(connection) as asked:
        found = principal_for_session(key(client))
    assert found == Principal(ada.pk, ada.uuid, 1, "", "")
    assert len(asked) == 2


def test_no_session_of_a_stranger_leads_to_a_person(client: Client, ada: User) -> None:
    assert principal_for_session("") is None
    assert principal_for_session("a" * 32) is None
    client.get("/accounts/login/")
    assert principal_for_session(key(client)) is None


@pytest.mark.parametrize(
    "change", [{"is_active": False}, {"session_version": 2}, {"password_expired": True}, {"password": "other"}]
)
def test_a_session_that_is_over_is_nobody(client: Client, ada: User, change: dict[str, object]) -> None:
    client.force_login(ada)
    User.objects.update(**change)
    assert principal_for_session(key(client)) is None
