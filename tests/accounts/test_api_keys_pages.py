"""The pages of API keys: who sees which, a secret on one page only, and what a person is told when something is wrong."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import api_keys
from accounts.models import ApiKey, AuditEvent, Organisation, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.programs import ADDRESS, ago

pytestmark = pytest.mark.django_db
NEW = "/me/keys/new/"


def signed_in(user: User) -> Client:
    """Just now, so that nothing asks for the password again."""
    client = Client()
    if user.has_usable_password():
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    else:
        client.force_login(user)
    return client


@pytest.fixture
def page(ada: User) -> Client:
    return signed_in(ada)


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob@example.com", PASSWORD, name="Bob")


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com", PASSWORD, name="Root")


@pytest.fixture
def program(ada: User) -> User:
    return User.objects.create(email="report@programs.invalid", name="Report", is_service=True, owner=ada)


def words(user: User, **more: Any) -> dict[str, Any]:
    return {
        "account": str(user.uuid),
        "name": "Editor",
        "scopes": ["chat", "models"],
        "expires": "365",
        "allowed_ips": "",
    } | more


def secret_on(answer: Any) -> str:
    found = re.search(r'value="(sk-[A-Za-z0-9]{48})"', answer.content.decode())
    assert found is not None, answer.content.decode()[:2000]
    return found[1]


def test_strangers_sign_in_first(db: None) -> None:
    for path in ("/me/keys/", NEW, "/setup/keys/", "/setup/keys/new/?for=x"):
        assert Client().get(path)["Location"].startswith("/accounts/login/?next="), path


def test_a_key_is_made_in_the_page_and_shown_once(page: Client, ada: User) -> None:
    answer = page.post(NEW, words(ada))
    secret = secret_on(answer)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    found = api_keys.find(secret, address=ADDRESS)
    assert found is not None
    assert (found.user, found.name, found.scopes, found.model_names) == (ada, "Editor", ["chat", "models"], [])
    assert found.expires_at is not None
    assert 364 < (found.expires_at - ago()).days + 1 < 367
    line = f"curl -H &quot;Authorization: Bearer {secret}&quot; http://testserver/api/v1/me/"
    assert line in answer.content.decode()
    for path in ("/me/keys/", NEW, f"/me/keys/{found.uuid}/roll/", "/me/", "/me/trail/"):
        assert secret[11:] not in page.get(path).content.decode(), path


def test_the_form_begins_with_what_a_chat_program_needs(page: Client) -> None:
    text = page.get(NEW).content.decode()
    ticked = re.findall(r'name="scopes" value="(\w+)" checked', text)
    assert ticked == ["chat", "models"]
    assert 'value="admin"' not in text
    assert '<select name="account"' not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["admin"]}, "Select a valid choice."),
        ({"expires": "100000"}, "Select a valid choice."),
        ({"allowed_ips": "office"}, "is no address or network"),
        ({"name": "a\u202eb"}, "none of them invisible"),
        ({"account": "other"}, "Select a valid choice."),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field_and_the_rest_is_kept(
    page: Client, ada: User, more: dict[str, Any], said: str
) -> None:
    answer = page.post(NEW, words(ada, name="Kept name") | more)
    assert answer.status_code == 400
    text = answer.content.decode()
    assert said in text
    assert "name" in more or "Kept name" in text
    assert ApiKey.objects.count() == 0


def test_an_address_that_is_wrong_is_shown_unfolded(page: Client, ada: User) -> None:
    text = page.post(NEW, words(ada, allowed_ips="office")).content.decode()
    assert '<details class="further" open>' in text


def test_a_posted_account_of_somebody_else_is_no_choice(page: Client, bob: User, program: User) -> None:
    User.objects.filter(pk=program.pk).update(owner=bob)
    for account in (bob, program):
        assert page.post(NEW, words(account)).status_code == 400
    assert ApiKey.objects.count() == 0


def test_a_programs_key_is_made_by_its_owner(page: Client, ada: User, program: User) -> None:
    assert '<select name="account"' in page.get(NEW).content.decode()
    secret = secret_on(page.post(NEW, words(program, scopes=["usage"])))
    found = api_keys.find(secret, address=ADDRESS)
    assert found is not None
    assert found.user == program
    assert "Report" in page.get("/me/keys/").content.decode()


def test_a_right_that_only_the_owner_has_is_refused_for_the_program(root: User) -> None:
    program = User.objects.create(email="r@programs.invalid", name="Report", is_service=True, owner=root)
    page = signed_in(root)
    assert 'value="admin"' in page.get(NEW).content.decode()
    answer = page.post(NEW, words(program, scopes=["admin"]))
    assert answer.status_code == 400
    assert "may not do “admin” itself" in answer.content.decode()


def test_an_old_sign_in_is_asked_for_the_password_before_a_key_is_made(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    assert client.get(NEW)["Location"] == f"/accounts/confirm/?next={NEW.replace('/', '%2F')}"
    assert client.post(NEW, words(ada)).status_code == 302
    assert ApiKey.objects.count() == 0
    assert client.get("/me/keys/").status_code == 200


def test_somebody_without_a_password_is_not_led_in_circles(db: None) -> None:
    carol = User.objects.create_user("carol@example.com", None, sso_at=ago(hours=1))
    client = Client()
    client.force_login(carol)
    assert client.get(NEW).status_code == 200  # there is nothing else that could be asked for


# --- the list ----------------------------------------------------------------------------------------------------------


def test_without_a_key_the_list_offers_the_first_step(page: Client) -> None:
    text = page.get("/me/keys/").content.decode()
    assert "You have no key yet." in text
    assert f'href="{NEW}"' in text


def test_the_list_tells_living_from_over_and_nobody_elses(page: Client, ada: User, bob: User) -> None:
    for name, state in (("Works", "active"), ("Gone", "revoked"), ("Late", "expired")):
        key = api_keys.make(ada, name=name, scopes=["chat"])[0]
        if state == "revoked":
            api_keys.revoke(key, by=ada)
        elif state == "expired":
            ApiKey.objects.filter(pk=key.pk).update(expires_at=ago(days=1))
    api_keys.make(bob, name="Bobs", scopes=["chat"])
    text = page.get("/me/keys/").content.decode()
    living, over = text.split("2 keys that are over")
    assert ("Works" in living, "Gone" in over, "Late" in over, "Bobs" in text) == (True, True, True, False)
    assert text.count("New secret for") == 1


def test_paused_keys_are_explained(page: Client, ada: User) -> None:
    api_keys.make(ada, name="Editor", scopes=["chat"])
    User.objects.filter(pk=ada.pk).update(sso_at=ago(days=31))
    assert "Your keys pause" in page.get("/me/keys/").content.decode()


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_the_same_queries_for_one_key_and_for_three(page: Client, ada: User, count: int) -> None:
    Organisation.get()
    for _ in range(count):
        api_keys.make(ada, name="Editor", scopes=["chat"])
    page.get("/me/keys/")
    with CaptureQueriesContext(connection) as asked:
        page.get("/me/keys/")
    own = [q["sql"] for q in asked if "accounts_apikey" in q["sql"]]
    assert len(own) == 1, own


def test_revoking_takes_a_post_and_the_own_key(page: Client, ada: User, bob: User) -> None:
    key, secret = api_keys.make(ada, name="Editor", scopes=["chat"])
    foreign = api_keys.make(bob, name="Bobs", scopes=["chat"])[0]
    path = f"/me/keys/{key.uuid}/revoke/"
    assert page.get(path).status_code == 405
    assert page.post(f"/me/keys/{foreign.uuid}/revoke/").status_code == 404
    assert page.post(path)["Location"] == "/me/keys/"
    assert "“Editor” is revoked" in page.get("/me/keys/").content.decode()
    assert api_keys.find(secret, address=ADDRESS) is None
    page.post(path)
    assert "“Editor” was revoked before." in page.get("/me/keys/").content.decode()
    foreign.refresh_from_db()
    assert foreign.revoked_at is None


def test_a_form_from_another_site_revokes_nothing(ada: User) -> None:
    key = api_keys.make(ada, name="Editor", scopes=["chat"])[0]
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    for path in (f"/me/keys/{key.uuid}/revoke/", f"/me/keys/{key.uuid}/roll/", NEW):
        assert strict.post(path, {"keep": "0"}).status_code == 403, path
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_new_secret_asks_when_the_old_one_ends(page: Client, ada: User) -> None:
    key, old = api_keys.make(ada, name="Editor", scopes=["chat"])
    path = f"/me/keys/{key.uuid}/roll/"
    assert "checked" not in page.get(path).content.decode()
    assert page.post(path, {}).status_code == 400
    assert page.post(path, {"keep": "2"}).status_code == 400
    answer = page.post(path, {"keep": "1"})
    assert "The old secret works for 1 more hour." in answer.content.decode()
    assert api_keys.find(secret_on(answer), address=ADDRESS) is not None
    assert api_keys.find(old, address=ADDRESS) is not None
    assert page.post(path, {"keep": "1"})["Location"] == "/me/keys/"
    assert "was replaced already" in page.get("/me/keys/").content.decode()


def test_a_strangers_key_is_not_rolled(page: Client, bob: User) -> None:
    key = api_keys.make(bob, name="Bobs", scopes=["chat"])[0]
    assert page.get(f"/me/keys/{key.uuid}/roll/").status_code == 404
    assert page.post(f"/me/keys/{key.uuid}/roll/", {"keep": "0"}).status_code == 404


# --- the administration ------------------------------------------------------------------------------------------------


def staff(*permissions: str) -> User:
    user = User.objects.create_user("staff@example.com", PASSWORD, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return user


def test_an_administrator_sees_and_revokes_all_and_never_a_secret(ada: User, root: User) -> None:
    key, secret = api_keys.make(ada, name="Editor", scopes=["chat"])
    page = signed_in(root)
    text = page.get("/setup/keys/").content.decode()
    assert ("Editor" in text, "ada@example.com" in text, key.prefix in text) == (True, True, True)
    assert secret[11:] not in text
    assert key.digest not in text
    assert page.post(f"/setup/keys/{key.uuid}/revoke/")["Location"] == "/setup/keys/?q=&show="
    assert api_keys.find(secret, address=ADDRESS) is None
    assert AuditEvent.objects.get(action="key.revoked").actor == root.uuid


def test_colleagues_and_staff_without_the_right_see_nothing(ada: User, bob: User) -> None:
    key = api_keys.make(ada, name="Editor", scopes=["chat"])[0]
    for person in (bob, staff("view_user")):
        page = signed_in(person)
        assert page.get("/setup/keys/").status_code == 403
        assert page.post(f"/setup/keys/{key.uuid}/revoke/").status_code == 403


def test_staff_who_may_only_look_cannot_revoke(ada: User) -> None:
    key = api_keys.make(ada, name="Editor", scopes=["chat"])[0]
    page = signed_in(staff("view_apikey"))
    assert "Revoke" not in page.get("/setup/keys/").content.decode().split("<section")[1]
    assert page.post(f"/setup/keys/{key.uuid}/revoke/").status_code == 403


def test_whoever_manages_programs_sees_their_keys_only(ada: User, program: User) -> None:
    own = api_keys.make(ada, name="Hers", scopes=["chat"])[0]
    api_keys.make(program, name="Nightly", scopes=["chat"], by=ada)
    page = signed_in(staff("manage_service_accounts"))
    text = page.get("/setup/keys/").content.decode()
    assert ("Nightly" in text, "Hers" in text) == (True, False)
    assert page.post(f"/setup/keys/{own.uuid}/revoke/").status_code == 404
    assert page.get(f"/setup/keys/new/?for={ada.uuid}").status_code == 404
    answer = page.post(f"/setup/keys/new/?for={program.uuid}", words(program, name="Second"))
    assert api_keys.find(secret_on(answer), address=ADDRESS) is not None


def test_whoever_sees_keys_only_makes_none_for_a_program(program: User) -> None:
    page = signed_in(staff("view_apikey"))
    assert page.get(f"/setup/keys/new/?for={program.uuid}").status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Editor", "Nightly"}),
        ("editor", {"Editor"}),
        ("ada", {"Editor"}),
        ("Report nightly", {"Nightly"}),
        ("sk-", {"Editor", "Nightly"}),
        ("%", set()),
        ("_", set()),
        ("\x00", {"Editor", "Nightly"}),
        ("' OR 1=1", set()),
    ],
)
def test_keys_are_found_by_name_owner_and_beginning(
    ada: User, program: User, root: User, query: str, found: set[str]
) -> None:
    api_keys.make(ada, name="Editor", scopes=["chat"])
    api_keys.make(program, name="Nightly", scopes=["chat"], by=ada)
    text = signed_in(root).get("/setup/keys/", {"q": query}).content.decode()
    assert {name for name in ("Editor", "Nightly") if f"<b>{name}</b>" in text} == found


@pytest.mark.parametrize("count", [1, 3])
def test_the_administrations_list_takes_the_same_queries_for_one_and_for_three(
    ada: User, root: User, count: int
) -> None:
    for _ in range(count):
        api_keys.make(ada, name="Editor", scopes=["chat"])
    page = signed_in(root)
    page.get("/setup/keys/")
    with CaptureQueriesContext(connection) as asked:
        page.get("/setup/keys/")
    own = [q["sql"] for q in asked if "accounts_apikey" in q["sql"]]
    assert len(own) == 2, own  # how many, and the page


def test_names_are_shown_as_text(ada: User, root: User) -> None:
    api_keys.make(ada, name="<img src=x onerror=alert(1)>", scopes=["chat"])
    for page, path in ((signed_in(ada), "/me/keys/"), (signed_in(root), "/setup/keys/")):
        text = page.get(path).content.decode()
        assert "<img src=x" not in text
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
