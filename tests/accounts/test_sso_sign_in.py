"""Sign-in through the company, from the button to the session, with an issuer that behaves well: who comes in, and as whom."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import sso_secrets
from accounts.models import (
    AuditEvent,
    LoginSession,
    Membership,
    Organisation,
    SsoConnection,
    SsoTeam,
    Team,
    User,
)
from accounts.models.people import NO_MAIL
from tests.accounts.conftest import PASSWORD
from tests.accounts.sso_issuer import ADA, Issuer, at_issuer, begin, come_in, refused, who

pytestmark = pytest.mark.django_db


def test_the_first_sign_in_makes_an_account_without_a_password(client: Client, company: SsoConnection) -> None:
    answer = come_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    ada = User.objects.get()
    assert (ada.email, ada.name, ada.has_usable_password()) == ("ada@example.com", "Ada Lovelace", False)
    assert (ada.is_staff, ada.is_superuser) == (False, False)
    assert ada.sso_at is not None
    assert client.get("/me/").status_code == 200
    account = SocialAccount.objects.get()
    assert (account.provider, account.uid, account.user) == ("company", "ada-1", ada)
    assert account.extra_data == {"name": "Ada Lovelace", "email": "ada@example.com"}


def test_the_second_sign_in_finds_the_same_person_under_another_address(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(client)
    issuer.person |= {"email": "ada.byron@example.com", "email_verified": False}
    again = Client()
    assert come_in(again).status_code == 302
    assert (User.objects.count(), who(again)) == (1, "ada@example.com")


def test_the_sign_in_stands_in_the_list_with_its_way_and_the_issuers_name_for_it(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    issuer.person["sid"] = "issuer-session-7"
    come_in(client)
    row = LoginSession.objects.get()
    assert (row.method, row.sso_session) == ("sso:company", "issuer-session-7")


def test_what_is_asked_for_carries_state_nonce_and_pkce(client: Client, company: SsoConnection, issuer: Issuer) -> None:
    address = begin(client)
    asked = dict(parse_qsl(urlsplit(address).query))
    assert address.startswith(f"{issuer.url}/authorize?")
    assert asked | {"state": "", "nonce": "", "code_challenge": ""} == {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": "http://testserver/accounts/company/company/callback/",
        "scope": "openid profile email",
        "state": "",
        "nonce": "",
        "code_challenge": "",
        "code_challenge_method": "S256",
    }
    assert min(len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])) >= 32


def test_a_client_that_must_use_basic_does(client: Client, company: SsoConnection, issuer: Issuer) -> None:
    issuer.secret = "with a colon: and a %"
    SsoConnection.objects.update(secret=sso_secrets.encrypt(issuer.secret))
    issuer.metadata = lambda said: said | {"token_endpoint_auth_methods_supported": ["client_secret_basic"]}
    assert come_in(client).status_code == 302


def test_what_the_id_token_leaves_out_is_asked_of_userinfo(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    issuer.person = {"sub": "ada-1"}
    issuer.userinfo = dict(ADA)
    come_in(client)
    assert who(client) == "ada@example.com"


def test_userinfo_about_somebody_else_lets_nobody_in(client: Client, company: SsoConnection, issuer: Issuer) -> None:
    issuer.person = {"sub": "mallory"}
    issuer.userinfo = dict(ADA)
    assert refused(come_in(client)) == "Your company's answer could not be believed, so nobody was signed in."
    assert User.objects.count() == 0


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        ({"email_verified": False}, "Your company did not confirm that this e-mail address is yours"),
        ({"email_verified": None}, "Your company did not confirm that this e-mail address is yours"),
        ({"email_verified": 1}, "Your company did not confirm that this e-mail address is yours"),
        ({"email": None}, "Your company did not tell your e-mail address"),
        ({"email": "no address"}, "Your company did not tell your e-mail address"),
        ({"email": "ada@example.com.evil.example"}, "This sign-in makes no accounts for addresses like"),
        ({"email": "ada@evil.example"}, "This sign-in makes no accounts for addresses like"),
        ({"email": '"x@example.com"@evil.example'}, "This sign-in makes no accounts for addresses like"),
        ({"email": "ada@evil.example@example.com"}, "Your company did not tell your e-mail address"),
        ({"email": ["ada@example.com"]}, "Your company did not tell your e-mail address"),
    ],
)
def test_no_account_is_made_for_an_address_that_is_not_vouched_for(
    client: Client, company: SsoConnection, issuer: Issuer, twist: dict[str, Any], words: str
) -> None:
    issuer.person |= twist
    assert refused(come_in(client)).startswith(words)
    assert (User.objects.count(), SocialAccount.objects.count(), who(client)) == (0, 0, "")


def test_a_private_google_account_under_the_companys_address_makes_no_account(
    client: Client, company: SsoConnection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.sso_oidc.GOOGLE", issuer.url)
    assert refused(come_in(client)).startswith("Your company did not confirm")
    issuer.person["hd"] = "evil.example"
    assert refused(come_in(Client())).startswith("Your company did not confirm")
    issuer.person["hd"] = "example.com"
    assert come_in(client).status_code == 302


def test_entra_ids_own_mark_for_a_verified_domain_counts_there_only(
    client: Client, company: SsoConnection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del issuer.person["email_verified"]
    issuer.person["xms_edov"] = "1"
    assert refused(come_in(client)).startswith("Your company did not confirm")
    monkeypatch.setattr("accounts.sso_oidc.ENTRA", ("127.0.0.1",))
    assert come_in(client).status_code == 302


def test_an_issuer_that_may_not_make_accounts_makes_none(client: Client, company: SsoConnection) -> None:
    SsoConnection.objects.update(makes_people=False)
    assert refused(come_in(client)) == "Nobody here is known under this company account."
    assert User.objects.count() == 0


def test_an_address_that_belongs_to_somebody_is_never_merged(
    client: Client, company: SsoConnection, ada: User, issuer: Issuer
) -> None:
    issuer.person["email"] = "ADA@Example.com"
    answer = come_in(client)
    assert answer.status_code == 409
    assert refused(answer) == "There is an account with the address ada@example.com already."
    assert "connect the company sign-in under “My settings”" in answer.content.decode()
    assert (User.objects.count(), SocialAccount.objects.count(), who(client)) == (1, 0, "")
    assert User.objects.get().check_password(PASSWORD)


def test_two_issuers_with_the_same_subject_and_address_are_two_identities(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    come_in(client)
    other = Issuer(person=dict(ADA)).start()
    try:
        SsoConnection.objects.create(
            kind="oidc", slug="other", name="Other", server_url=other.url, client_id="portal", email_domains="example.com",
            secret=sso_secrets.encrypt(other.secret),
        )  # fmt: skip
        assert refused(come_in(Client(), "other")) == "There is an account with the address ada@example.com already."
    finally:
        other.stop()


@pytest.mark.parametrize("how", ["deactivated", "waiting", "program"])
def test_whoever_has_no_door_does_not_come_in_through_the_company(
    client: Client, company: SsoConnection, how: str
) -> None:
    come_in(client)
    fields = {
        "deactivated": {"is_active": False},
        "waiting": {"is_active": False, "awaits_approval": True},
        "program": {"is_service": True},
    }
    User.objects.update(**fields[how])
    later = Client()
    words = "Your account waits for approval." if how == "waiting" else "Your account here is switched off."
    assert refused(come_in(later)) == words
    assert who(later) == ""


def test_a_connection_that_is_off_opens_nothing(client: Client, company: SsoConnection) -> None:
    back = at_issuer(begin(client))
    SsoConnection.objects.update(is_enabled=False)
    assert client.get(back).status_code == 404
    assert client.post("/accounts/company/company/").status_code == 404
    assert "Continue with" not in client.get("/accounts/login/").content.decode()


# --- teams ---
def test_groups_bring_into_teams_and_out_of_them_and_touch_nothing_made_by_hand(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    sales, labs, chess = (Team.objects.create(name=name) for name in ("Sales", "Labs", "Chess"))
    SsoConnection.objects.update(group_claim="realm_access.roles")
    for group, team, role in (("g-sales", sales, "member"), ("g-labs", labs, "manager"), ("g-chess", chess, "manager")):
        SsoTeam.objects.create(connection=company, group=group, team=team, role=role)
    issuer.person["realm_access"] = {"roles": ["g-sales", "g-labs", "admin", 7, None]}
    come_in(client)
    ada = User.objects.get()
    Membership.objects.create(user=ada, team=chess, is_primary=False)

    def teams() -> dict[str, str]:
        return dict(Membership.objects.filter(user=ada).values_list("team__name", "role"))

    assert teams() == {"Sales": "member", "Labs": "manager", "Chess": "member"}
    issuer.person["realm_access"] = {"roles": ["g-sales", "g-chess"]}
    come_in(Client())
    assert teams() == {"Sales": "member", "Chess": "member"}
    SsoTeam.objects.filter(group="g-sales").update(role="manager")
    come_in(Client())
    assert teams() == {"Sales": "manager", "Chess": "member"}
    del issuer.person["realm_access"]
    come_in(Client())  # the userinfo endpoint does not answer, so nobody knows: nothing changes
    assert teams() == {"Sales": "manager", "Chess": "member"}
    issuer.userinfo = {"sub": "ada-1"}
    come_in(Client())
    assert teams() == {"Chess": "member"}
    assert Membership.objects.get(user=ada).is_primary
    ada.refresh_from_db()
    assert (ada.is_staff, ada.is_superuser) == (False, False)
    told = AuditEvent.objects.filter(action="sso.teams_followed").order_by("number").values_list("changes", flat=True)
    assert [row["teams"][1] for row in told] == [
        {"Labs": "manager", "Sales": "member"}, {"Sales": "member"}, {"Sales": "manager"}, {}
    ]  # fmt: skip


def test_groups_that_the_issuer_leaves_out_for_their_number_change_nothing(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    SsoConnection.objects.update(group_claim="groups")
    team = Team.objects.create(name="Sales")
    SsoTeam.objects.create(connection=company, group="g", team=team)
    issuer.person["groups"] = ["g"]
    come_in(client)
    del issuer.person["groups"]
    issuer.person["_claim_names"] = {"groups": "src1"}
    come_in(Client())
    assert Membership.objects.filter(team=team).count() == 1


# --- where one goes then ---
@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/me/", "/me/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("http://testserver/me/", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_next_leads_to_places_of_this_site_only(
    client: Client, company: SsoConnection, wanted: str, led_to: str
) -> None:
    assert come_in(client, next=wanted)["Location"] == led_to


def test_a_link_from_elsewhere_starts_nothing_but_is_asked_about(client: Client, company: SsoConnection) -> None:
    answer = client.get("/accounts/company/company/?next=//evil.example/")
    assert "Continue with Example" in answer.content.decode()
    assert 'name="next" value="//evil.example/"' not in answer.content.decode()
    assert "socialaccount_states" not in client.session
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/accounts/company/company/").status_code == 403


def test_a_second_factor_is_the_companys_affair(client: Client, company: SsoConnection) -> None:
    from allauth.mfa.models import Authenticator

    come_in(client)
    ada = User.objects.get()
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={"secret": "sealed elsewhere"})
    Organisation.objects.update(second_factor="all")
    later = Client()
    assert come_in(later)["Location"] == "/"
    assert later.get("/me/company/").status_code == 200


def test_nobody_without_an_address_is_shown_or_written_to_under_the_one_that_stands_for_it(
    client: Client, company: SsoConnection
) -> None:
    nobody = User.objects.create_user(f"wecom.0123456789abcdef@{NO_MAIL}", None, name="Zhang San")
    assert not nobody.has_mail
    client.force_login(nobody)
    assert NO_MAIL not in client.get("/me/").content.decode()
    assert NO_MAIL not in client.get("/me/company/").content.decode()
