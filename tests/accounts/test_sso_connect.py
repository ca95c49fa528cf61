"""Accounts that exist and company accounts: connected while signed in, by an invitation, never by an address; and untied again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import invitations
from accounts.models import AuditEvent, Invitation, Organisation, SsoConnection, Team, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.sso_issuer import Issuer, at_issuer, begin, come_in, refused, who

pytestmark = pytest.mark.django_db


# --- invitations ---
def invited(**fields: Any) -> str:
    """Invites a guest; returns the local address of the link."""
    by = User.objects.create_superuser("root@example.com", None)
    request: Any = Client().get("/accounts/login/").wsgi_request
    sent = invitations.invite(invitations.Guest(email="guest@elsewhere.example", **fields), by=by, request=request)
    return urlsplit(sent.link).path


def test_an_invitation_is_accepted_through_the_company_whatever_address_that_tells(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    SsoConnection.objects.update(makes_people=False)
    team = Team.objects.create(name="Sales")
    link = invited(team=team, role="manager", language="zh-hans")
    issuer.person |= {"email": "private@elsewhere.example", "email_verified": False}
    page = client.get(link).content.decode()
    assert 'name="invitation" value="1"' in page  # the page speaks the guest's language
    answer = come_in(client, invitation="1")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    guest = User.objects.get(email="guest@elsewhere.example")
    assert (guest.name, guest.language, guest.has_usable_password()) == ("Ada Lovelace", "zh-hans", False)
    assert [(row.team, row.role, row.sso) for row in guest.memberships.all()] == [(team, "manager", None)]
    assert Invitation.objects.get().user == guest
    later = Client()
    come_in(later)
    assert who(later) == "guest@elsewhere.example"


def test_an_invitation_that_ends_on_the_way_makes_no_account(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    SsoConnection.objects.update(makes_people=False)
    client.get(invited())
    back = at_issuer(begin(client, invitation="1"))
    Invitation.objects.update(revoked_at="2026-01-01T00:00:00Z")
    answer = client.get(back)
    assert (answer.status_code, User.objects.count(), SocialAccount.objects.count()) == (410, 1, 0)


def test_an_invitation_opened_in_another_browser_is_of_no_use_here(client: Client, company: SsoConnection) -> None:
    SsoConnection.objects.update(makes_people=False)
    Client().get(invited())
    assert refused(come_in(client, invitation="1")) == "Nobody here is known under this company account."


def test_whoever_is_invited_and_comes_without_the_link_gets_the_invitations_team(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    SsoConnection.objects.update(email_domains="elsewhere.example")
    team = Team.objects.create(name="Sales")
    invited(team=team, name="Guest")
    issuer.person |= {"email": "guest@elsewhere.example", "name": "Another name"}
    come_in(client)
    guest = User.objects.get(email="guest@elsewhere.example")
    assert (guest.name, [row.team for row in guest.memberships.all()]) == ("Guest", [team])


# --- connecting ---
def test_a_colleague_connects_while_signed_in_and_comes_in_by_it(
    client: Client, company: SsoConnection, ada: User, issuer: Issuer
) -> None:
    issuer.person |= {"sub": "somebody-9", "email": "a.lovelace@example.com"}
    client.force_login(ada)
    assert "not connected" in client.get("/me/company/").content.decode()
    answer = come_in(client, connect="1")
    assert answer["Location"] == "/me/company/?connected"
    page = client.get("/me/company/?connected").content.decode()
    assert "a.lovelace@example.com" in page
    later = Client()
    come_in(later)
    assert who(later) == "ada@example.com"
    assert client.post("/me/company/company/disconnect/")["Location"] == "/me/company/?disconnected"
    ada.refresh_from_db()
    assert (SocialAccount.objects.count(), ada.sso_at) == (0, None)
    deeds = AuditEvent.objects.filter(action__in=("sso.connected", "sso.disconnected")).order_by("number")
    assert [(deed.action, deed.actor) for deed in deeds] == [
        ("sso.connected", ada.uuid), ("sso.disconnected", ada.uuid)
    ]  # fmt: skip


def test_another_persons_identity_and_a_second_one_are_not_connected(
    client: Client, company: SsoConnection, ada: User, issuer: Issuer
) -> None:
    bob = User.objects.create_user("bob@example.com", PASSWORD)
    client.force_login(ada)
    come_in(client, connect="1")
    bobs = Client()
    bobs.force_login(bob)
    assert refused(come_in(bobs, connect="1")) == "This company account belongs to another account here."
    issuer.person["sub"] = "ada-2"
    assert refused(come_in(client, connect="1")) == "You are connected with another account of this company already."
    assert list(SocialAccount.objects.values_list("user", "uid")) == [(ada.pk, "ada-1")]


def test_the_last_way_in_stays_connected(client: Client, company: SsoConnection) -> None:
    come_in(client)
    assert client.post("/me/company/company/disconnect/")["Location"] == "/me/company/?kept"
    assert SocialAccount.objects.count() == 1
    User.objects.get().set_password(PASSWORD)
    ada = User.objects.get()
    ada.set_password(PASSWORD)
    ada.save()
    Organisation.get()
    Organisation.objects.update(sso_only=True)
    client.force_login(ada)
    assert client.post("/me/company/company/disconnect/")["Location"] == "/me/company/?kept"
    Organisation.objects.update(sso_only=False)
    assert client.post("/me/company/company/disconnect/")["Location"] == "/me/company/?disconnected"


def test_nobody_disconnects_somebody_else(client: Client, company: SsoConnection, ada: User) -> None:
    come_in(Client()) if not User.objects.filter(email="ada@example.com").exists() else None
    other = User.objects.create_user("bob@example.com", PASSWORD)
    SocialAccount.objects.create(user=other, provider="company", uid="bob-1")
    client.force_login(ada)
    assert client.post("/me/company/company/disconnect/").status_code == 404
    assert SocialAccount.objects.filter(user=other).exists()
