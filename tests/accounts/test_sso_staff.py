"""A group of the issuer as staff: given and taken at each sign-in, never above what administrators ticked, never over their heads."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts import people, people_rights
from accounts.models import AuditEvent, SsoConnection, User
from tests.accounts.crowd import proved, root
from tests.accounts.sso_issuer import Issuer, come_in
from tests.accounts.test_sso_setup import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def tied(company: SsoConnection) -> SsoConnection:
    """The group "desk" opens people and teams."""
    SsoConnection.objects.update(group_claim="groups", staff_group="desk", staff_bundles=["people", "teams"])
    return SsoConnection.objects.get()


def arrive(issuer: Issuer, *groups: str) -> User:
    issuer.person["groups"] = list(groups)
    come_in(Client())
    return User.objects.get(is_superuser=False)


def rights(user: User) -> tuple[bool, bool, set[str]]:
    user = User.objects.get(pk=user.pk)
    return user.is_staff, user.is_superuser, set(people_rights.held(user))


def test_the_group_makes_staff_at_one_sign_in_and_takes_it_away_at_the_next(
    tied: SsoConnection, issuer: Issuer
) -> None:
    ada = arrive(issuer, "desk", "admins")
    assert rights(ada) == (True, False, {"people", "teams"})
    SsoConnection.objects.update(staff_bundles=["teams"])
    assert rights(arrive(issuer, "desk")) == (True, False, {"teams"})
    assert rights(arrive(issuer, "admins")) == (False, False, set())
    told = AuditEvent.objects.filter(action="sso.staff_followed").order_by("number").values_list("changes", flat=True)
    assert [row.get("role") for row in told] == [["colleague", "staff"], None, ["staff", "colleague"]]


def test_an_open_session_loses_it_at_the_next_request(tied: SsoConnection, issuer: Issuer) -> None:
    issuer.person["groups"] = ["desk"]
    hers = Client()
    come_in(hers)
    assert hers.get("/setup/people/").status_code == 200
    arrive(issuer, "none")
    assert hers.get("/setup/people/").status_code == 403


def test_groups_that_nobody_knows_change_nothing(tied: SsoConnection, issuer: Issuer) -> None:
    arrive(issuer, "desk")
    del issuer.person["groups"]
    issuer.person["_claim_names"] = {"groups": "src1"}
    come_in(Client())
    assert rights(User.objects.get()) == (True, False, {"people", "teams"})


def test_staff_made_by_hand_and_administrators_are_left_alone(tied: SsoConnection, issuer: Issuer) -> None:
    ada = arrive(issuer)
    assert people.set_rights(ada, by=None, is_staff=True, is_superuser=False, bundles=["mail"])
    assert rights(arrive(issuer, "desk")) == (True, False, {"mail"})
    assert rights(arrive(issuer)) == (True, False, {"mail"})
    User.objects.filter(pk=ada.pk).update(is_superuser=True)
    issuer.person["groups"] = []
    come_in(Client())
    assert rights(ada)[:2] == (True, True)


def test_who_was_staff_by_the_group_and_is_made_so_by_hand_stays(tied: SsoConnection, issuer: Issuer) -> None:
    ada = arrive(issuer, "desk")
    assert people.set_rights(ada, by=None, is_staff=True, is_superuser=False, bundles=["mail"])
    assert rights(arrive(issuer)) == (True, False, {"mail"})


@pytest.mark.parametrize("how", ["no group", "removed", "disconnected"])
def test_without_the_tie_nobody_is_staff_by_it(tied: SsoConnection, issuer: Issuer, how: str) -> None:
    ada = arrive(issuer, "desk")
    ada.set_password("a lantern over the harbour")
    ada.save(update_fields=["password"])
    boss = proved(root())
    if how == "no group":
        assert boss.post(page(tied, "staff/"), {"staff_group": ""}).status_code == 302
    elif how == "removed":
        assert boss.post(page(tied, "remove/")).status_code == 302
    else:
        hers = proved(ada)
        assert hers.post(f"/me/company/{tied.slug}/disconnect/").status_code == 302
    assert rights(ada) == (False, False, set())


def test_only_administrators_say_which_group_and_what_it_may(tied: SsoConnection) -> None:
    boss = proved(root())
    answer = boss.post(page(tied, "staff/"), {"staff_group": "it", "bundles": ["keys", "audit"]})
    assert answer.status_code == 302
    tied.refresh_from_db()
    assert (tied.staff_group, tied.staff_bundles) == ("it", ["audit", "keys"])
    assert AuditEvent.objects.latest("pk").action == "sso.staff_changed"
    text = boss.get(page(tied)).content.decode()
    assert 'value="keys" checked' in text and 'value="people" checked' not in text
    assert boss.post(page(tied, "staff/"), {"staff_group": "it", "bundles": ["everything"]}).status_code == 200
    desk = helper("change_ssoconnection", "view_ssoconnection")
    assert desk.post(page(tied, "staff/"), {"staff_group": "mine"}).status_code == 403
    assert "A group as staff" not in desk.get(page(tied)).content.decode()
    tied.refresh_from_db()
    assert (tied.staff_group, tied.staff_bundles) == ("it", ["audit", "keys"])


@pytest.mark.parametrize(
    ("field", "value"), [("group_claim", "nickname"), ("client_id", "mine"), ("scopes", "openid x")]
)
def test_who_may_change_a_connection_does_not_give_herself_rights_by_it(
    tied: SsoConnection, field: str, value: str
) -> None:
    """The claim could be made one that she chooses herself at the issuer."""
    desk = helper("change_ssoconnection")
    fields: dict[str, Any] = {
        name: getattr(tied, name)
        for name in ("name", "server_url", "client_id", "group_claim", "scopes", "email_domains")
    }
    answer = desk.post(page(tied), fields | {field: value})
    assert "only administrators change who says so" in answer.content.decode()
    assert getattr(SsoConnection.objects.get(), field) == getattr(tied, field)


def helper(*codenames: str) -> Client:
    user = User.objects.create(email="helper@example.com", password="!", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return proved(user)
