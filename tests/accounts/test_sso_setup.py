"""The administration's pages of the company sign-in: who may open them, what they refuse, what "Try it" says, what removing does."""

from __future__ import annotations

import html
import re
import socket
import time
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import sso_fetch, sso_secrets, sso_trial
from accounts.models import AuditEvent, Membership, Organisation, SsoConnection, SsoTeam, Team, User
from tests.accounts.conftest import PASSWORD
from tests.accounts.sso_issuer import Issuer, come_in, public_jwk, who

pytestmark = pytest.mark.django_db
LIST = "/setup/company-sign-in/"
CALLBACK = "http://testserver/accounts/company/company/callback/"


@pytest.fixture
def root(client: Client, db: None) -> User:
    admin = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(admin)
    return admin


def fields(issuer: Issuer, **more: str) -> dict[str, str]:
    base = {
        "name": "Example", "server_url": issuer.url, "client_id": "portal", "new_secret": issuer.secret,
        "email_domains": "Example.com\n@example.org\n", "makes_people": "on", "group_claim": "groups", "scopes": "",
    }  # fmt: skip
    return {name: value for name, value in (base | more).items() if value is not None}


def page(connection: SsoConnection, part: str = "") -> str:
    return f"{LIST}{connection.uuid}/{part}"


def errors(answer: Any) -> list[str]:
    return [
        html.unescape(each)
        for each in re.findall(r'class="error"[^>]*>.*?<span>(.*?)</span>', answer.content.decode(), re.S)
    ]


# --- adding ---
def test_a_connection_is_added_tried_and_switched_on(client: Client, root: User, issuer: Issuer) -> None:
    assert "How do your colleagues sign in elsewhere?" in client.get(LIST).content.decode()
    form = client.get(f"{LIST}new/oidc/").content.decode()
    assert CALLBACK in form
    assert "http://testserver/accounts/company/company/logout/" in form
    answer = client.post(f"{LIST}new/oidc/", fields(issuer))
    assert answer.status_code == 200
    told = answer.content.decode()
    assert "The issuer answers and says where to sign in." in told
    assert "Client id and secret are right." in told
    row = SsoConnection.objects.get()
    assert (row.slug, row.is_enabled, row.email_domains, row.secret_tail) == (
        "company",
        False,
        "example.com\nexample.org",
        "more",
    )
    assert issuer.secret not in row.secret
    assert sso_secrets.decrypt(row.secret) == issuer.secret
    assert client.post(page(row, "switch/"), {"do": "on"}).status_code == 302
    assert come_in(Client()).status_code == 302
    deeds = list(AuditEvent.objects.filter(action__startswith="sso.conn").order_by("number"))
    assert [deed.action for deed in deeds] == ["sso.connection_made", "sso.connection_changed"]
    assert issuer.secret not in str([(deed.changes, deed.private) for deed in deeds])


def test_a_second_one_has_an_address_of_its_own(client: Client, root: User, company: SsoConnection) -> None:
    assert "/accounts/company/company-2/callback/" in client.get(f"{LIST}new/oidc/").content.decode()
    SsoConnection.objects.all().delete()
    SocialAccount.objects.create(user=root, provider="company", uid="left over")
    assert "/accounts/company/company-2/callback/" in client.get(f"{LIST}new/oidc/").content.decode()
    assert client.get(f"{LIST}new/saml/").status_code == 404


def test_the_secret_goes_in_and_never_comes_out(client: Client, root: User, company: SsoConnection) -> None:
    SsoConnection.objects.update(secret_tail="more")
    for address in (LIST, page(company), page(company, "remove/")):
        text = client.get(address).content.decode()
        assert "a secret of twelve" not in text
        assert company.secret not in text
    text = client.post(page(company, "try/")).content.decode()
    assert "a secret of twelve" not in text
    text = client.post(page(company), {"name": "", "new_secret": "another long secret"}).content.decode()
    assert "another long secret" not in text


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "the cloud's metadata": ({"server_url": "https://169.254.169.254/x"}, "This address may not be asked."),
    "without encryption": ({"server_url": "http://sso.example.com"}, "This address is not encrypted."),
    "no address": ({"server_url": "sso.example.com"}, "This address may not be asked."),
    "a user in it": ({"server_url": "https://a:b@sso.example.com"}, "This address may not be asked."),
    "no domain though it makes accounts": ({"email_domains": ""}, "For whom may it make accounts?"),
    "no real domain": ({"email_domains": "example"}, "example is no domain."),
    "a domain of everything": ({"email_domains": "*"}, "* is no domain."),
    "no secret": ({"new_secret": ""}, "Enter the secret."),
    "a secret with a line break": ({"new_secret": "a\nb"}, "A secret has neither line breaks nor special characters."),
    "a claim with blanks": ({"group_claim": "my groups"}, "A claim's name has no blanks."),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_entered_wrongly_is_said_beside_the_field(
    client: Client, root: User, issuer: Issuer, what: str
) -> None:
    given, words = WRONG[what]
    answer = client.post(f"{LIST}new/oidc/", fields(issuer, **given))
    assert len(found := errors(answer)) == 1
    assert words in found[0]
    assert SsoConnection.objects.count() == 0
    assert issuer.journal == []


def test_an_address_is_taken_as_people_paste_it(client: Client, root: User, issuer: Issuer) -> None:
    pasted = f" {issuer.url}/.well-known/openid-configuration"
    client.post(f"{LIST}new/oidc/", fields(issuer, server_url=pasted))
    assert SsoConnection.objects.get().server_url == issuer.url


# --- changing ---
def test_what_names_the_issuer_stays_once_somebody_came_in(
    client: Client, root: User, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(Client())
    elsewhere = fields(issuer, server_url="https://evil.example", new_secret="another long secret")
    client.post(page(company), elsewhere)
    company.refresh_from_db()
    assert company.server_url == issuer.url
    assert "Colleagues sign in through it: it stays." in client.get(page(company)).content.decode()


def test_a_secret_is_not_sent_to_another_server_than_it_was_meant_for(
    client: Client, root: User, company: SsoConnection, issuer: Issuer
) -> None:
    other = Issuer().start()
    try:
        answer = client.post(page(company), fields(issuer, server_url=other.url, new_secret=""))
        assert "the one in use was meant for another server" in errors(answer)[0]
        assert other.journal == []
    finally:
        other.stop()
    assert client.post(page(company), fields(issuer, name="New name", new_secret="")).status_code == 200
    company.refresh_from_db()
    assert (company.name, sso_secrets.decrypt(company.secret)) == ("New name", issuer.secret)


# --- trying ---
TRIALS: dict[str, tuple[Any, str]] = {
    "no document": (lambda said: said, "There is no discovery document at this address."),
    "another issuer": (lambda said: said | {"issuer": "https://evil.example"}, "The issuer calls itself by another address."),
    "no token endpoint": (
        lambda said: {k: v for k, v in said.items() if k != "token_endpoint"},
        "The discovery document lacks something that is needed.",
    ),
    "an endpoint inside the cloud": (
        lambda said: said | {"token_endpoint": "https://169.254.169.254/token"},
        "The discovery document names an address that may not be asked.",
    ),
    "an endpoint without encryption": (
        lambda said: said | {"jwks_uri": "http://keys.example.com/"},
        "The discovery document names an address that may not be asked.",
    ),
    "a script for an endpoint": (
        lambda said: said | {"authorization_endpoint": "javascript:alert(1)"},
        "The discovery document names an address that may not be asked.",
    ),
    "no code flow": (lambda said: said | {"response_types_supported": ["id_token"]}, "The issuer does not offer the code flow."),
    "shared secrets only": (
        lambda said: said | {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        "The issuer signs in a way that is not believed here.",
    ),
    "no secrets": (
        lambda said: said | {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        "The issuer takes no client secret.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TRIALS)
def test_try_it_says_exactly_what_is_wrong_with_an_issuer(
    client: Client, root: User, company: SsoConnection, issuer: Issuer, what: str
) -> None:
    twist, words = TRIALS[what]
    issuer.metadata = twist
    if what == "no document":
        issuer.answers["/.well-known/openid-configuration"] = lambda handler: handler.say(404, {})
    text = client.post(page(company, "try/")).content.decode()
    assert words in text
    assert 'role="alert"' in text


def tried(company: SsoConnection) -> list[tuple[str, str]]:
    return [(step.state, str(step.what)) for step in sso_trial.run(company, callback=CALLBACK).steps]


def test_try_it_tells_a_good_client_from_a_wrong_one(company: SsoConnection, issuer: Issuer) -> None:
    assert tried(company) == [
        ("good", "The issuer answers and says where to sign in."),
        ("good", "Its public keys can be read."),
        ("good", "Client id and secret are right."),
        ("good", "The redirect address is known there."),
    ]
    company.secret = sso_secrets.encrypt("a wrong one")
    assert tried(company)[2] == ("bad", "The issuer does not accept the client id or the secret.")


def test_try_it_tells_whether_the_redirect_address_is_known(company: SsoConnection, issuer: Issuer) -> None:
    issuer.answers["/authorize"] = lambda handler: handler.say(400, b"<html>Invalid parameter: redirect_uri</html>")
    assert tried(company)[3] == ("bad", "The issuer refuses this redirect address.")
    issuer.answers["/authorize"] = lambda handler: handler.say(200, b"<html>Sign in</html>")
    assert tried(company)[3][0] == "unseen"
    issuer.answers["/authorize"] = lambda handler: handler.say(302, {}, Location="https://login.example.com/")
    assert tried(company)[3][0] == "unseen"


def test_try_it_names_a_missing_server_a_closed_port_and_a_slow_one(
    company: SsoConnection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        company.server_url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert tried(company) == [("bad", "The server cannot be reached.")]
    company.server_url = issuer.url
    monkeypatch.setattr(sso_fetch, "LIMIT_S", 0.5)
    issuer.answers["/.well-known/openid-configuration"] = lambda handler: time.sleep(1.5)
    assert tried(company) == [("bad", "The server did not answer within ten seconds.")]

    def unknown(*_args: Any, **_kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    company.server_url = "https://sso.exmaple.com"
    assert tried(company) == [("bad", "There is no server of this name.")]


def test_try_it_refuses_keys_that_sign_nothing(company: SsoConnection, issuer: Issuer) -> None:
    issuer.keys = [public_jwk(use="enc"), {"kty": "oct", "k": "c2VjcmV0"}]
    assert tried(company)[-1] == ("bad", "The issuer's public keys cannot be used.")


# --- groups ---
def test_groups_are_tied_to_teams_and_untied(client: Client, root: User, company: SsoConnection) -> None:
    SsoConnection.objects.update(group_claim="groups")
    sales, labs = Team.objects.create(name="Sales"), Team.objects.create(name="Labs")
    given = {
        "group0": "/sales", "team0": sales.pk, "role0": "member", "group1": "/labs", "team1": labs.pk, "role1": "manager",
        "group2": "", "team2": "", "role2": "member",
    }  # fmt: skip
    assert client.post(page(company, "teams/"), given)["Location"].endswith("?tied")
    assert list(SsoTeam.objects.order_by("group").values_list("group", "team__name", "role")) == [
        ("/labs", "Labs", "manager"), ("/sales", "Sales", "member")
    ]  # fmt: skip
    shown = client.get(page(company)).content.decode()
    assert 'value="/labs"' in shown
    answer = client.post(page(company, "teams/"), given | {"team1": ""})
    assert "Which team is this group?" in answer.content.decode()
    assert SsoTeam.objects.count() == 2
    assert client.post(page(company, "teams/"), given | {"group1": "", "team1": ""}).status_code == 302
    assert SsoTeam.objects.count() == 1
    assert AuditEvent.objects.filter(action="sso.groups_changed").count() == 2


# --- switching and removing ---
def test_switched_off_nobody_new_signs_in_and_whoever_is_in_stays(
    client: Client, root: User, company: SsoConnection
) -> None:
    ada = Client()
    come_in(ada)
    assert client.post(page(company, "switch/"), {"do": "off"}).status_code == 302
    assert ada.get("/me/company/").status_code == 200
    assert Client().post("/accounts/company/company/").status_code == 404
    assert "switched off" in ada.get("/me/company/").content.decode()


def test_removing_asks_once_says_who_loses_the_way_in_and_takes_everything_it_brought(
    client: Client, root: User, company: SsoConnection, issuer: Issuer
) -> None:
    SsoConnection.objects.update(group_claim="groups")
    team, other = Team.objects.create(name="Sales"), Team.objects.create(name="Chess")
    SsoTeam.objects.create(connection=company, group="g", team=team)
    issuer.person["groups"] = ["g"]
    ada = Client()
    come_in(ada)
    person = User.objects.get(email="ada@example.com")
    Membership.objects.create(user=person, team=other, is_primary=False)
    SocialAccount.objects.create(user=root, provider="company", uid="root-1")
    User.objects.update(sso_at="2026-01-01T00:00:00Z")
    asked = client.get(page(company, "remove/")).content.decode()
    assert "2 colleagues are no longer connected with it." in asked
    assert "1 colleague has no other way to sign in" in asked
    assert "Ada Lovelace · ada@example.com" in asked
    assert "root@example.com" not in asked
    assert client.post(page(company, "remove/"))["Location"] == f"{LIST}?removed"
    assert (SsoConnection.objects.count(), SocialAccount.objects.count()) == (0, 0)
    assert [(row.team, row.is_primary) for row in Membership.objects.filter(user=person)] == [(other, True)]
    assert ada.get("/me/company/").status_code == 302
    assert User.objects.filter(pk=person.pk, is_active=True, sso_at__isnull=False).exists()
    assert User.objects.filter(pk=root.pk, sso_at=None).exists()  # she has a password: her keys need not wait
    assert AuditEvent.objects.get(action="sso.connection_removed").changes == {"connected": [2, 0]}


def test_the_same_short_name_later_lets_nobody_in_who_was_known_before(
    client: Client, root: User, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(Client())
    client.post(page(company, "remove/"))
    other = Issuer(person={"sub": "ada-1", "email": "mallory@example.com", "email_verified": True}).start()
    try:
        client.post(f"{LIST}new/oidc/", fields(other))
        client.post(page(SsoConnection.objects.get(), "switch/"), {"do": "on"})
        mallory = Client()
        come_in(mallory)
        assert who(mallory) == "mallory@example.com"
    finally:
        other.stop()


def test_the_list_asks_the_database_as_often_for_three_as_for_one(
    client: Client, root: User, company: SsoConnection, django_assert_num_queries: Any
) -> None:
    client.get(LIST)
    with django_assert_num_queries(8) as one:
        client.get(LIST)
    for number in (2, 3):
        SsoConnection.objects.create(kind="wecom", slug=f"wecom-{number}", name=f"WeCom {number}", client_id="ww")
    with django_assert_num_queries(len(one.captured_queries)):
        client.get(LIST)


def test_the_days_after_which_keys_pause_are_set_here(client: Client, root: User, company: SsoConnection) -> None:
    assert 'name="days" value="30"' in client.get(LIST).content.decode()
    for wrong in ("0", "366", "-1", "x", ""):
        assert client.post(f"{LIST}days/", {"days": wrong}).status_code == 200
    assert Organisation.get().sso_days == 30
    assert client.post(f"{LIST}days/", {"days": "7"})["Location"] == f"{LIST}?saved"
    assert Organisation.get().sso_days == 7
    assert AuditEvent.objects.get(action="organisation.changed").changes == {"sso_days": [30, 7]}


def test_identities_and_apps_are_not_edited_in_the_plain_administration(client: Client, root: User) -> None:
    for path in ("socialaccount/socialaccount/", "socialaccount/socialapp/", "socialaccount/socialtoken/"):
        assert client.get(f"/admin/{path}").status_code == 404


def test_what_changed_is_asked_anew(client: Client, root: User, company: SsoConnection, issuer: Issuer) -> None:
    def times() -> int:
        return len(issuer.asked("/.well-known/openid-configuration"))

    come_in(Client())
    come_in(Client())
    assert times() == 1
    client.post(page(company), fields(issuer, name="New name", new_secret=""))
    assert times() == 3  # by the trial, and for the next sign-in
