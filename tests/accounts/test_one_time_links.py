"""Links that work once: to a new password by an administrator, to one sign-in from the server; and changepassword there."""

from __future__ import annotations

import datetime as dt
import io
import re
import threading
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from accounts import clock, one_time_links, passwords, people
from accounts.models import AuditEvent, LoginSession, Notice, OneTimeLink, Organisation, User
from tests.accounts.conftest import PASSWORD, SignIn

NEW = "a lantern over the harbour"
CHOSEN = {"password1": NEW, "password2": NEW}
pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(db: None) -> Client:
    """The administrator, who has signed in a moment ago."""
    client = Client()
    root = User.objects.create_superuser("root@example.com", PASSWORD, name="Root")
    client.post("/accounts/login/", {"login": root.email, "password": PASSWORD})
    return client


def made_by(desk: Client, person: User) -> str:
    """The link's local address, as the page shows it."""
    page = desk.post(f"/setup/people/{person.uuid}/link/").content.decode()
    found = re.search(r"http://testserver(/accounts/link/[\w-]{40,}/)", page)
    assert found, page
    return found[1]


def rescue(email: str = "ada@example.com") -> str:
    said = io.StringIO()
    call_command("rescue", email, stdout=said, stderr=io.StringIO())
    return said.getvalue().strip().removeprefix("http://localhost:8000")


def test_an_administrators_link_opens_a_new_password_once(
    desk: Client, client: Client, ada: User, sign_in: SignIn
) -> None:
    path = made_by(desk, ada)
    assert client.get(path).status_code == 200
    assert client.get(path).status_code == 200, "looking takes nothing: mail servers look, too"
    assert "For ada@example.com." in client.get(path).content.decode()
    answer = client.post(path, CHOSEN)
    assert answer["Location"] == "/accounts/password/reset/key/done/"
    ada.refresh_from_db()
    assert (ada.check_password(NEW), ada.session_version) == (True, 2)
    assert (client.get(path).status_code, client.post(path, CHOSEN).status_code) == (410, 410)
    assert sign_in(password=NEW)["Location"].startswith("/me/notices/")
    assert Notice.objects.get().kind == "link_made"
    assert list(
        AuditEvent.objects.filter(action__startswith="password").order_by("number").values_list("action", flat=True)
    ) == [
        "password.link_made",
        "password.reset",
    ]


def test_the_link_stands_nowhere_but_on_that_page(desk: Client, ada: User) -> None:
    token = made_by(desk, ada).split("/")[3]
    rows = str(list(OneTimeLink.objects.values())) + str(list(AuditEvent.objects.values()))
    assert token not in rows
    assert token not in str(list(connection.introspection.table_names()))


@pytest.mark.parametrize("end", ["older", "expired", "switched off", "password", "program"])
def test_a_link_ends(desk: Client, client: Client, ada: User, end: str) -> None:
    path = made_by(desk, ada)
    if end == "older":
        made_by(desk, ada)
    elif end == "expired":
        OneTimeLink.objects.update(expires_at=clock.now() - dt.timedelta(seconds=1))
    elif end == "password":
        passwords.change(ada, password="something else again")
    else:
        User.objects.filter(pk=ada.pk).update(**{"is_active": False} if end == "switched off" else {"is_service": True})
    assert client.post(path, CHOSEN).status_code == 410
    ada.refresh_from_db()
    assert not ada.check_password(NEW)


@pytest.mark.parametrize("token", ["x", "a" * 43, "..", "%00", "ü"])
def test_what_is_no_link_gets_the_page_of_one_that_is_over(client: Client, token: str) -> None:
    assert client.get(f"/accounts/link/{token}/").status_code in (404, 410)


@pytest.mark.parametrize(
    "given", [{"password1": "short", "password2": "short"}, {"password1": NEW, "password2": "x"}, {}]
)
def test_a_bad_password_does_not_use_the_link_up(
    desk: Client, client: Client, ada: User, given: dict[str, str]
) -> None:
    path = made_by(desk, ada)
    assert client.post(path, given or {"password1": ""}).status_code == 200
    assert client.post(path, CHOSEN).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_use_a_link_at_once_one_is_let_in(ada: User) -> None:
    link, _path = one_time_links.make(ada, purpose=OneTimeLink.Purpose.PASSWORD)
    begin, found = threading.Barrier(8), []

    def work() -> None:
        begin.wait()
        found.append(one_time_links.use(link))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]


def test_who_may_make_one(desk: Client, ada: User) -> None:
    root = User.objects.get(email="root@example.com")
    staff = User.objects.create_user("desk@example.com", PASSWORD, is_staff=True)
    path = f"/setup/people/{ada.uuid}/link/"
    client = Client()
    client.post("/accounts/login/", {"login": staff.email, "password": PASSWORD})
    assert client.post(path).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert client.post(path).status_code == 200
    assert client.post(f"/setup/people/{root.uuid}/link/").status_code == 403, "staff does not become administrator"
    assert desk.post(f"/setup/people/{root.uuid}/link/").status_code == 403, "nobody for herself"
    assert desk.get(path).status_code == 405
    assert Client().post(path).status_code == 302
    assert OneTimeLink.objects.count() == 1


def test_it_takes_a_fresh_proof_and_goes_on_with_what_was_asked(desk: Client, ada: User) -> None:
    session = desk.session
    session["account_authentication_methods"] = []
    session.save()
    path = f"/setup/people/{ada.uuid}/link/"
    asked = desk.post(path)["Location"]
    assert asked == f"/accounts/confirm/?next={path.replace('/', '%2F')}"
    assert OneTimeLink.objects.count() == 0
    page = desk.post(asked, {"password": PASSWORD, "next": path}).content.decode()
    assert "/accounts/link/" in page
    assert OneTimeLink.objects.count() == 1


def test_where_passwords_are_off_no_link_to_one_is_made(desk: Client, ada: User) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"sso_only": True})
    assert desk.post(f"/setup/people/{ada.uuid}/link/").status_code == 302
    assert OneTimeLink.objects.count() == 0


@pytest.mark.parametrize("sso_only", [False, True])
def test_a_rescue_signs_in_once_without_password_code_or_company(client: Client, ada: User, sso_only: bool) -> None:
    TOTP.activate(ada, "JBSWY3DPEHPK3PXP")
    Organisation.objects.update_or_create(pk=1, defaults={"sso_only": sso_only, "second_factor": "all"})
    other = Client()
    other.force_login(ada)
    path = rescue()
    assert "It signs in ada@example.com and works once." in client.get(path).content.decode()
    assert client.get("/me/").status_code == 302, "looking does not sign in"
    answer = client.post(path)
    assert answer["Location"] == "/accounts/password/change/"
    assert LoginSession.objects.latest("pk").method == "rescue"
    assert Authenticator.objects.count() == 0, "what was lost is gone"
    assert client.get("/me/")["Location"] == "/accounts/password/change/"
    assert client.post("/accounts/password/change/", CHOSEN).status_code == 302
    assert client.get("/me/")["Location"] == "/accounts/second-factor/", "a new factor is demanded"
    assert other.get("/me/").status_code == 302
    assert Client().post(path).status_code == 410
    actions = list(AuditEvent.objects.order_by("number").values_list("action", flat=True))
    assert actions[-4:] == ["rescue.made", "rescue.used", "sign_in.succeeded", "password.changed"]


def test_a_rescue_is_for_people_who_may_sign_in(ada: User) -> None:
    with pytest.raises(CommandError, match="Nobody has the address"):
        rescue("no@example.com")
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        rescue()
    assert OneTimeLink.objects.count() == 0


def test_a_password_typed_on_the_server_ends_every_session_and_token(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(ada)
    typed = iter(["short", "short", NEW, "something else", NEW, NEW])
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    said = io.StringIO()
    call_command("changepassword", "ADA@example.com", stdout=said, stderr=io.StringIO())
    ada.refresh_from_db()
    assert (ada.check_password(NEW), ada.session_version) == (True, 2)
    assert client.get("/me/").status_code == 302
    event: Any = AuditEvent.objects.latest("number")
    assert (event.action, event.actor_kind) == ("password.set", "command")


def test_a_password_that_is_no_good_changes_nothing(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "short")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("changepassword", "ada@example.com", stderr=io.StringIO())
    ada.refresh_from_db()
    assert (ada.check_password(PASSWORD), ada.session_version) == (True, 1)


def switched_off(root: User) -> None:
    people.deactivate(root, by=None)


def demoted(root: User) -> None:
    User.objects.filter(pk=root.pk).update(is_superuser=False)


def gone(root: User) -> None:
    people.deactivate(root, by=None)
    root.delete()


@pytest.mark.parametrize("happens", [switched_off, demoted, gone])
def test_who_no_longer_may_has_prepared_nothing(desk: Client, client: Client, ada: User, happens: Any) -> None:
    """A link that somebody makes for herself on the eve of leaving opens nobody's account afterwards."""
    User.objects.create_superuser("other@example.com", PASSWORD)
    path = made_by(desk, ada)
    assert client.get(path).status_code == 200
    happens(User.objects.get(email="root@example.com"))
    assert client.get(path).status_code == 410
    assert client.post(path, CHOSEN).status_code == 410
    assert User.objects.get(pk=ada.pk).check_password(PASSWORD)


def test_a_link_is_over_once_its_person_is_out_of_its_makers_reach(client: Client, ada: User) -> None:
    helper = User.objects.create_user("helper@example.com", PASSWORD, is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="change_user"))
    path = one_time_links.make(ada, purpose=OneTimeLink.Purpose.PASSWORD, by=helper)[1]
    assert client.get(path).status_code == 200
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    assert client.get(path).status_code == 410
