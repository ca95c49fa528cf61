"""What happens at the door and in the plain administration is written down: who, before, after; no secret, no flood."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib import admin
from django.core.management import call_command
from django.test import Client

from accounts import audit_signals, clock, tries
from accounts.audit_admin import Audited
from accounts.models import AuditEvent, Membership, Organisation, Team, Tries, User
from portal.management.commands import setup
from providers.models import Provider
from tests.accounts.conftest import PASSWORD, SignIn
from tests.accounts.crowd import proved

pytestmark = pytest.mark.django_db


def told(*fields: str, **which: Any) -> list[Any]:
    rows = AuditEvent.objects.filter(**which).order_by("number")
    return list(rows.values_list(*fields, flat=True) if len(fields) == 1 else rows.values_list(*fields))


def later() -> None:
    """A minute and more has passed for every count."""
    Tries.objects.update(ends=int(clock.now().timestamp()) - 1)


def everything() -> str:
    return str(list(AuditEvent.objects.values()))


# --- the door ---


def test_signing_in_and_out_are_told_with_the_way_it_was_done(ada: User, client: Client, sign_in: SignIn) -> None:
    sign_in()
    client.post("/accounts/logout/", REMOTE_ADDR="192.0.2.7")
    assert told("action", "actor", "concerns", "address") == [
        ("sign_in.succeeded", ada.uuid, ada.uuid, "192.0.2.7"),
        ("sign_in.ended", ada.uuid, ada.uuid, "192.0.2.7"),
    ]
    assert told("changes", action="sign_in.succeeded") == [{"method": [None, "password"]}]


def test_a_session_that_was_ended_elsewhere_is_not_a_sign_out(ada: User, client: Client, sign_in: SignIn) -> None:
    sign_in()
    ada.sign_out_everywhere()
    client.get("/chat/")
    assert told("action") == ["sign_in.succeeded"]


def test_a_wrong_password_names_the_account_and_an_unknown_name_names_nobody(ada: User, sign_in: SignIn) -> None:
    sign_in("ADA@example.com", "my other password")
    sign_in("pass.word@in-the-wrong.box", "x")
    sign_in("nobody@example.com", "my other password")
    sign_in(" PASS.word@in-the-wrong.box", "x", address="192.0.2.8")
    sign_in("no address at all", "x", address="192.0.2.8")  # is refused before anybody is looked for
    assert told("action", "actor_kind", "target", "address") == [
        ("sign_in.failed", "anonymous", ada.uuid, "192.0.2.7"),
        ("sign_in.unknown", "anonymous", None, "192.0.2.7"),
        ("sign_in.unknown", "anonymous", None, "192.0.2.8"),
    ]
    assert "my other password" not in everything()
    assert "nobody@example.com" not in everything()
    assert "wrong.box" not in everything().lower()
    marks = [changes["unknown_name"][1] for changes in told("changes", action="sign_in.unknown")]
    assert marks[0] == marks[1]  # the same name again can be recognised, the name cannot
    assert len(marks[0]) == 12


def test_repeated_failures_are_one_event_a_minute_for_each_account_and_address(ada: User, sign_in: SignIn) -> None:
    for _ in range(5):
        sign_in(password="wrong")
    sign_in(password="wrong", address="192.0.2.9")
    assert told("address") == ["192.0.2.7", "192.0.2.9"]
    Tries.objects.filter(key=tries.Limit(f"audit {ada.email} 192.0.2.7", most=1, per=60).key).update(ends=0)
    sign_in(password="wrong")
    assert told("address") == ["192.0.2.7", "192.0.2.9", "192.0.2.7"]


def test_a_lock_is_told_once_while_it_lasts(ada: User, sign_in: SignIn, settings: LazySettings) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    assert [sign_in(password="wrong").status_code for _ in range(6)][-1] == 429
    assert sign_in().status_code == 429
    assert told("action", "target") == [("sign_in.failed", ada.uuid), ("sign_in.locked", ada.uuid)]


def test_a_flood_is_told_as_one(ada: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_signals, "FAILURES_A_MINUTE", 4)
    for number in range(20):
        sign_in(f"x{number}@example.com", "wrong", address=f"198.51.100.{number}")
    assert told("action") == ["sign_in.unknown"] * 4 + ["sign_in.flood"]
    later()
    sign_in("y@example.com", "wrong")
    assert told("action")[-1] == "sign_in.unknown"


def test_changing_the_own_password_is_told_without_it(ada: User, client: Client, sign_in: SignIn) -> None:
    sign_in()
    new = "a wholly different pine"
    data = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    client.post("/accounts/password/change/", data)
    ada.refresh_from_db()
    assert ada.check_password(new)
    assert told("actor", "target", "changes", action="password.changed") == [(ada.uuid, ada.uuid, {})]
    assert new not in everything()
    assert ada.password not in everything()


# --- the plain administration ---


@pytest.fixture
def root(client: Client) -> User:
    user = User.objects.create_superuser("root@example.com", PASSWORD, name="Root", language="en")
    client.force_login(user)
    return user


def post(client: Client, path: str, **data: Any) -> None:
    answer = client.post(f"/admin/{path}", data)
    assert answer.status_code == 302, answer.content.decode()[:3000]


def test_a_person_changed_in_the_administration_is_told_before_and_after(client: Client, root: User, ada: User) -> None:
    client.cookies = proved(root).cookies
    sales = Team.objects.create(name="Sales")
    path = f"accounts/user/{ada.pk}/change/"
    page = client.get(f"/admin/{path}").context
    form = page["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields if name != "user_permissions"}
    inline: dict[str, Any] = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 0,
        "memberships-0-team": sales.pk,
    }
    inline |= {"memberships-0-user": ada.pk, "memberships-0-role": "manager"}
    post(client, path, **data | {"name": "A. L."} | inline)
    event = AuditEvent.objects.order_by("number").last()
    assert event is not None
    assert (event.actor, event.target, event.actor_name) == (root.uuid, ada.uuid, "Root <root@example.com>")
    assert event.action == "person.changed"
    assert event.private["name"] == ["Ada", "A. L."]
    assert "Sales" in str(event.changes)


def test_a_password_set_in_the_administration_is_told_without_it(client: Client, root: User, ada: User) -> None:
    client.cookies = proved(root).cookies
    new = "a wholly different pine"
    data = {"password1": new, "password2": new, "usable_password": "true"}
    post(client, f"accounts/user/{ada.pk}/password/", **data)
    assert told("action", "target", "changes", target=ada.uuid) == [("password.set", ada.uuid, {})]
    assert new not in everything()


def test_a_row_of_any_table_is_told_when_added_changed_and_deleted(client: Client, root: User, ada: User) -> None:
    post(client, "accounts/team/add/", name="Sales", cost_centre="7")
    team = Team.objects.get()
    post(client, f"accounts/team/{team.pk}/change/", name="Selling", cost_centre="7")
    post(client, "accounts/membership/add/", user=ada.pk, team=team.pk, role="manager", is_primary="on")
    membership = Membership.objects.get()
    post(client, f"accounts/membership/{membership.pk}/delete/", post="yes")
    action = {"action": "delete_selected", "_selected_action": [team.pk], "post": "yes"}
    post(client, "accounts/team/", **action)
    assert told("action", "target_name", "changes")[1:] == [
        ("team.added", "Sales", {"name": [None, "Sales"], "cost_centre": [None, "7"]}),
        ("team.changed", "Selling", {"name": ["Sales", "Selling"]}),
        ("person.team_changed", "Ada <ada@example.com>", {"team": [None, "Selling"], "role": [None, "manager"]}
         | {"is_primary": [None, True]}),
        ("person.team_changed", "Ada <ada@example.com>", {"team": ["Selling", None]}),
        ("team.deleted", "Selling", {}),
    ]  # fmt: skip


def test_a_providers_key_never_stands_in_the_trail_only_that_it_changed(client: Client, root: User) -> None:
    key = "sk-very-secret-0123456789"
    data = {"name": "Ours", "enabled": "on", "base_url": "http://127.0.0.1:9/v1", "new_key": key, "max_concurrency": 4}
    post(client, "providers/provider/add/", **data, dialect="{}")
    provider = Provider.objects.get(name="Ours")
    post(client, f"providers/provider/{provider.pk}/change/", **data | {"new_key": f"{key}-2", "dialect": "{}"})
    assert told("action", target=provider.uuid) == ["provider.added", "provider.key_changed"]
    assert "very-secret" not in everything()
    assert told("changes", action="provider.added")[0]["base_url"] == [None, "http://127.0.0.1:9/v1"]


def test_every_table_of_the_administration_is_under_the_trail() -> None:
    assert admin.site._registry
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, Audited)] == []
    assert AuditEvent not in admin.site._registry


# --- the pages ---


def test_the_organisation_is_told_with_what_changed_and_nothing_when_nothing_did(client: Client, root: User) -> None:
    before = Organisation.get()
    values = {
        "name": "Pine",
        "time_zone": "",
        "language": "",
        "contact": "",
        "house_rules": "",
        "instructions": "Brief",
    }
    client.post("/setup/organisation/", values)
    client.post("/setup/organisation/", values)
    changes = {"name": [before.name, "Pine"], "instructions": ["", "Brief"]}
    assert told("changes", action="organisation.changed") == [changes]


# --- commands ---


def test_an_administrator_made_on_the_server_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--noinput", "--email=new@example.com", verbosity=0)
    User.objects.create_user("other@example.com")
    made = User.objects.get(email="new@example.com")
    assert told("action", "actor_kind", "target", "changes") == [
        ("person.added", "command", made.uuid, {"role": [None, "administrator"]})
    ]
    assert PASSWORD not in everything()


def test_the_first_administrator_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    setup.first_administrator("http://localhost")
    assert told("action", "actor_kind", "target_name") == [("person.added", "command", "admin@example.com")]
    setup.first_administrator("http://localhost")
    assert AuditEvent.objects.count() == 1
