"""Feishu, against a double that answers as its documentation says: who comes in, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import sso_feishu, sso_secrets, sso_trial
from accounts.models import SsoConnection, User
from tests.accounts.sso_doubles import APP, SECRET, Feishu
from tests.accounts.sso_issuer import at_issuer, begin, come_in, refused, who

pytestmark = pytest.mark.django_db
ZHANG = {
    "open_id": "ou-caecc734c2e3328a62489fe0648c4b98",
    "union_id": "on-1",
    "name": "张三",
    "email": "z@private.example",
}


@pytest.fixture
def feishu() -> Iterator[Feishu]:
    started = Feishu(person=dict(ZHANG))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def connection(feishu: Feishu, db: None) -> SsoConnection:
    return SsoConnection.objects.create(
        kind="feishu", slug="feishu", name="飞书", client_id=APP, secret=sso_secrets.encrypt(SECRET),
        server_url=feishu.url, makes_people=True, email_domains="example.cn",
    )  # fmt: skip


def test_a_colleague_comes_in_without_any_address(client: Client, connection: SsoConnection, feishu: Feishu) -> None:
    assert come_in(client, "feishu")["Location"] == "/"
    zhang = User.objects.get()
    assert (zhang.name, zhang.has_mail, zhang.has_usable_password()) == ("张三", False, False)
    assert (SocialAccount.objects.get().uid, zhang.is_superuser) == (ZHANG["open_id"], False)
    again = Client()
    come_in(again, "feishu")
    assert (User.objects.count(), who(again)) == (1, zhang.email)


def test_what_is_asked_is_what_the_documentation_names(
    client: Client, connection: SsoConnection, feishu: Feishu
) -> None:
    come_in(client, "feishu")
    asked = feishu.asked("/open-apis/authen/v1/authorize")[0]
    assert sorted(asked) == [
        "client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "state"
    ]  # fmt: skip
    given = feishu.asked("/open-apis/authen/v2/oauth/token")[0]
    assert (given["grant_type"], given["client_id"], given["client_secret"]) == ("authorization_code", APP, SECRET)
    assert given["redirect_uri"] == "http://testserver/accounts/company/feishu/callback/"


def test_an_address_counts_if_the_company_gave_it_out_and_may_vouch_for_it(
    client: Client, connection: SsoConnection, feishu: Feishu
) -> None:
    feishu.person["enterprise_email"] = "San.Zhang@example.cn"
    come_in(client, "feishu")
    assert who(client) == "san.zhang@example.cn"
    feishu.person |= {"open_id": "ou-2", "enterprise_email": "boss@elsewhere.example"}
    other = Client()
    come_in(other, "feishu")
    assert who(other).endswith("@no-mail.invalid")


def test_an_address_that_belongs_to_somebody_is_never_merged(
    client: Client, connection: SsoConnection, feishu: Feishu
) -> None:
    User.objects.create_superuser("boss@example.cn", None)
    feishu.person["enterprise_email"] = "boss@example.cn"
    assert refused(come_in(client, "feishu")) == "There is an account with the address boss@example.cn already."
    assert who(client) == ""


def test_nobody_new_comes_in_where_accounts_are_made_by_invitation(
    client: Client, connection: SsoConnection, ada: User
) -> None:
    SsoConnection.objects.update(makes_people=False)
    assert refused(come_in(client, "feishu")) == "Nobody here is known under this company account."
    client.force_login(ada)
    assert come_in(client, "feishu", connect="1")["Location"] == "/me/company/?connected"
    later = Client()
    come_in(later, "feishu")
    assert who(later) == "ada@example.com"


def test_a_code_works_once_and_with_its_own_verifier_only(
    client: Client, connection: SsoConnection, feishu: Feishu
) -> None:
    back = at_issuer(begin(client, "feishu"))
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    thief = Client()
    state = dict(parse_qsl(urlsplit(begin(thief, "feishu")).query))["state"]
    stolen = f"/accounts/company/feishu/callback/?{urlencode({'code': code, 'state': state})}"
    assert refused(thief.get(stolen)) == "Your company's sign-in server refused."
    assert refused(client.get(back)) == "Your company's sign-in server refused."  # the thief has used it up


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"open_id": ""},
        {"open_id": 7},
        {"open_id": "x" * 200},
        {"open_id": "a\nb"},
        {"open_id": None, "name": "张三"},
    ],
)
def test_an_answer_without_a_person_lets_nobody_in(
    client: Client, connection: SsoConnection, feishu: Feishu, person: dict[str, Any]
) -> None:
    feishu.person = person
    assert come_in(client, "feishu").status_code == 400
    assert User.objects.count() == 0


def test_cancelled_there_is_cancelled_here(client: Client, connection: SsoConnection) -> None:
    state = dict(parse_qsl(urlsplit(begin(client, "feishu")).query))["state"]
    query = urlencode({"error": "access_denied", "state": state})
    answer = client.get(f"/accounts/company/feishu/callback/?{query}")
    assert refused(answer) == "The sign-in was cancelled at your company."


def test_the_doors_of_feishu_and_lark() -> None:
    assert sso_feishu.doors(SsoConnection()) == ("https://open.feishu.cn", "https://accounts.feishu.cn")
    lark = SsoConnection(server_url="https://open.larksuite.com")
    assert sso_feishu.doors(lark) == ("https://open.larksuite.com", "https://accounts.larksuite.com")


def test_the_trial_tells_right_from_wrong(connection: SsoConnection) -> None:
    assert sso_trial.run(connection, callback="https://chat.example.com/x/").outcome == "unseen"
    connection.secret = sso_secrets.encrypt("another secret of the app")
    trial = sso_trial.run(connection, callback="https://chat.example.com/x/")
    assert (trial.outcome, str(trial.steps[-1].what)) == ("bad", "Feishu does not accept the app id or the app secret.")


def test_it_is_added_in_the_browser_and_tried(client: Client, feishu: Feishu) -> None:
    client.force_login(User.objects.create_superuser("root@example.com", None))
    form = client.get("/setup/company-sign-in/new/feishu/").content.decode()
    assert "http://testserver/accounts/company/feishu/callback/" in form
    given = {"name": "飞书", "client_id": APP, "new_secret": SECRET, "server_url": feishu.url, "makes_people": "on"}
    told = client.post("/setup/company-sign-in/new/feishu/", given | {"email_domains": "example.cn"}).content.decode()
    assert "App id and app secret are right." in told
    row = SsoConnection.objects.get()
    assert (row.kind, row.slug, row.email_domains, row.makes_people) == ("feishu", "feishu", "example.cn", True)
