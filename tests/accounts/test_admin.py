"""The plain administration: its pages open, nothing inline, one door, and what saving a person ends."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Membership, Organisation, Team, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.crowd import proved

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> Client:
    return proved(User.objects.create_superuser("root@example.com", PASSWORD))


def test_the_door_is_the_same_for_administrators(client: Client, ada: User) -> None:
    there = client.get("/admin/", follow=True)
    assert there.redirect_chain[-1][0] == "/accounts/login/?next=/admin/"
    client.force_login(ada)
    assert client.get("/admin/", follow=True).status_code == 403
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/password_change/")["Location"] == "/accounts/password/change/"


def test_every_page_opens_and_carries_nothing_inline(admin: Client, ada: User) -> None:
    team = Team.objects.create(name="Sales")
    member = Membership.objects.create(user=ada, team=team)
    only = Organisation.get()
    paths = [reverse("admin:index")]
    for name, row in (("user", ada), ("team", team), ("membership", member), ("organisation", only)):
        paths += [reverse(f"admin:accounts_{name}_change", args=[row.pk])]
        paths += [] if row is only else [reverse(f"admin:accounts_{name}_{page}") for page in ("changelist", "add")]
    paths.append(reverse("admin:auth_user_password_change", args=[ada.pk]))
    for path in paths:
        answer = admin.get(path)
        assert answer.status_code == 200, path
        text = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)(?![^>]*application/json)", text), path
        assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", text), path
        assert "<style" not in text, path


def test_the_organisation_is_one_row(admin: Client) -> None:
    assert admin.get("/admin/accounts/organisation/")["Location"] == "/admin/accounts/organisation/1/change/"
    assert admin.get("/admin/accounts/organisation/add/").status_code == 403
    assert admin.post("/admin/accounts/organisation/1/delete/", {"post": "yes"}).status_code == 403


def test_a_new_person_must_choose_a_password(admin: Client) -> None:
    fields = {
        "email": "New@Example.com",
        "name": "",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert admin.post("/admin/accounts/user/add/", fields | inline).status_code == 302
    person = User.objects.get(email="new@example.com")
    assert (person.password_expired, person.check_password(PASSWORD)) == (True, True)


def test_switching_off_and_rights_are_done_on_the_persons_page_and_not_here(admin: Client, ada: User) -> None:
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    boss = User.objects.get(email="root@example.com")
    for person in (ada, boss):
        before = User.objects.values("is_active", "is_staff", "is_superuser", "session_version").get(pk=person.pk)
        path = reverse("admin:accounts_user_change", args=[person.pk])
        assert admin.post(path, {"email": person.email, "name": "New", "is_staff": "on"} | inline).status_code == 302
        after = User.objects.values("is_active", "is_staff", "is_superuser", "session_version").get(pk=person.pk)
        assert after == before
        assert User.objects.get(pk=person.pk).name == "New"


def test_who_waits_for_approval_is_not_let_in_here(admin: Client) -> None:
    waits = User.objects.create(email="new@example.com", is_active=False, awaits_approval=True)
    path = reverse("admin:accounts_user_change", args=[waits.pk])
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    admin.post(path, {"email": waits.email, "is_active": "on", "awaits_approval": ""} | inline)
    waits.refresh_from_db()
    assert (waits.is_active, waits.awaits_approval) == (False, True)


def test_only_an_account_that_is_switched_off_is_deleted_and_never_an_administrators(admin: Client, ada: User) -> None:
    boss = User.objects.get(email="root@example.com")
    for person in (ada, boss):
        assert admin.post(reverse("admin:accounts_user_delete", args=[person.pk]), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(ada.pk), str(boss.pk)], "post": "yes"}
    admin.post(reverse("admin:accounts_user_changelist"), chosen)
    assert User.objects.count() == 2
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert admin.post(reverse("admin:accounts_user_delete", args=[ada.pk]), {"post": "yes"}).status_code == 302
    assert User.objects.count() == 1


def test_a_password_typed_by_an_administrator_is_a_one_time_password(admin: Client, ada: User) -> None:
    path = reverse("admin:auth_user_password_change", args=[ada.pk])
    fields = {"usable_password": "true", "password1": "harbour lantern 9", "password2": "harbour lantern 9"}
    assert admin.post(path, fields).status_code == 302
    ada.refresh_from_db()
    assert (ada.password_expired, ada.session_version) == (True, 2)
    assert ada.check_password("harbour lantern 9")


def test_an_administrator_signs_people_out(admin: Client, ada: User) -> None:
    chosen = {"_selected_action": [str(ada.pk)]}
    admin.post("/admin/accounts/user/", {"action": "sign_out", **chosen})
    ada.refresh_from_db()
    assert ada.session_version == 2


def test_language_and_time_zone_are_chosen_not_typed(admin: Client, ada: User) -> None:
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    path = reverse("admin:accounts_user_change", args=[ada.pk])
    wanted = {"email": ada.email, "is_active": "on", "language": "zh-hans"} | inline
    assert admin.post(path, wanted | {"time_zone": "Mars/Base"}).status_code == 200
    assert admin.post(path, wanted | {"time_zone": "Asia/Shanghai"}).status_code == 302
    ada.refresh_from_db()
    assert (ada.language, ada.time_zone, ada.session_version) == ("zh-hans", "Asia/Shanghai", 1)


def limited(*rights: str) -> tuple[Client, User]:
    """Somebody who may open the administration and has just these rights."""
    user = User.objects.create_user("desk@example.com", PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return proved(user), user


@pytest.mark.parametrize("whose", ["root", "own"])
def test_who_may_change_people_cannot_become_an_administrator(admin: Client, whose: str) -> None:
    desk, own = limited("change_user", "view_user", "delete_user")
    target = User.objects.get(email="root@example.com") if whose == "root" else own
    before = User.objects.values().get(pk=target.pk)
    change = reverse("admin:accounts_user_change", args=[target.pk])
    fields = {"email": "mine@example.com", "name": "", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    empty = {f"memberships-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    assert desk.post(change, fields | empty).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[target.pk])
    assert desk.get(password).status_code == 403
    typed = {"password1": "another long secret 5", "password2": "another long secret 5", "usable_password": "true"}
    assert desk.post(password, typed).status_code == 403
    assert desk.post(reverse("admin:accounts_user_delete", args=[target.pk]), {"post": "yes"}).status_code == 403
    for action in ("sign_out", "delete_selected"):
        people = reverse("admin:accounts_user_changelist")
        desk.post(people, {"action": action, "_selected_action": target.pk, "post": "yes"})
    assert User.objects.values().get(pk=target.pk) == before


def test_who_may_change_people_changes_colleagues_but_gives_no_rights(ada: User) -> None:
    desk, _own = limited("change_user", "view_user")
    fields = {"email": ada.email, "name": "Ada L.", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    answer = desk.post(reverse("admin:accounts_user_change", args=[ada.pk]), fields)
    assert answer.status_code == 302
    ada.refresh_from_db()
    assert (ada.name, ada.is_staff, ada.is_superuser, ada.user_permissions.count()) == ("Ada L.", False, False, 0)


@pytest.mark.parametrize("table", ["mfa/authenticator", "socialaccount/socialaccount", "account/emailaddress"])
def test_nobody_writes_a_way_in_for_somebody_else(admin: Client, ada: User, table: str) -> None:
    """A passkey signs in by itself: whoever may write one may sign in as anybody, without a word to the owner."""
    for page in ("", "add/", "1/change/"):
        assert admin.get(f"/admin/{table}/{page}").status_code == 404
    assert admin.post(f"/admin/{table}/add/", {"user": ada.pk, "type": "webauthn", "data": "{}"}).status_code == 404


def test_how_people_come_in_is_not_decided_in_the_plain_administration() -> None:
    """The right to change the organisation's name opens no registration and decides on no second factor."""
    Organisation.objects.update_or_create(
        pk=1, defaults={"second_factor": "optional", "open_domains": "", "sso_days": 30}
    )
    before = Organisation.objects.values().get(pk=1)
    desk, _own = limited("change_organisation", "view_organisation")
    fields = {
        "name": "Other", "time_zone": "", "language": "", "instructions": "", "house_rules": "", "starters": "", "contact": "",
        "currency": "USD", "second_factor": "all", "open_domains": "example.com", "sso_only": "on", "sso_days": "9999",
        "usage_shown": before["usage_shown"],
    }  # fmt: skip
    assert desk.post(reverse("admin:accounts_organisation_change", args=[1]), fields).status_code == 302
    assert Organisation.objects.values().get(pk=1) == before | {"name": "Other"}
