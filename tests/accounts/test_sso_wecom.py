"""WeCom, against a double that answers as its documentation says: by QR code, inside the app, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import sso_secrets, sso_trial, sso_trial_words, sso_wecom
from accounts.models import SsoConnection, User
from accounts.sso_journey import Journey
from tests.accounts.sso_doubles import AGENT, CORP, SECRET, WeCom
from tests.accounts.sso_issuer import at_issuer, begin, come_in, refused, who

pytestmark = pytest.mark.django_db


@pytest.fixture
def wecom() -> Iterator[WeCom]:
    sso_wecom._tokens.clear()
    started = WeCom(person={"userid": "ZhangSan", "name": "张三"})
    started.start()
    yield started
    started.stop()


@pytest.fixture
def connection(wecom: WeCom, db: None) -> SsoConnection:
    return SsoConnection.objects.create(
        kind="wecom", slug="wecom", name="企业微信", client_id=CORP, agent_id=AGENT,
        secret=sso_secrets.encrypt(SECRET), server_url=wecom.url, makes_people=True,
    )  # fmt: skip


def test_a_colleague_comes_in_by_the_qr_page_and_has_no_address(
    client: Client, connection: SsoConnection, wecom: WeCom
) -> None:
    assert come_in(client, "wecom")["Location"] == "/"
    zhang = User.objects.get()
    assert (zhang.name, zhang.has_mail, SocialAccount.objects.get().uid) == ("张三", False, "zhangsan")
    asked = wecom.asked("/wwlogin/sso/login")[0]
    assert asked | {"state": ""} == {
        "login_type": "CorpApp",
        "appid": CORP,
        "agentid": AGENT,
        "redirect_uri": "http://testserver/accounts/company/wecom/callback/",
        "state": "",
    }
    assert asked["state"].isalnum()
    assert len(asked["state"]) == 32


def test_capitals_in_the_userid_make_no_second_person(client: Client, connection: SsoConnection, wecom: WeCom) -> None:
    come_in(client, "wecom")
    wecom.person["userid"] = "zhangsan"
    again = Client()
    come_in(again, "wecom")
    assert (User.objects.count(), who(again)) == (1, who(client))


def test_inside_the_app_nobody_scans_her_own_screen(connection: SsoConnection) -> None:
    journey = Journey(state="s", nonce="n", verifier="v", callback="https://chat.example.com/c/")
    connection.server_url = ""
    device = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0 wxwork/4.1.20 MicroMessenger/7.0.1"
    inside = sso_wecom.authorize(connection, journey=journey, device=device)
    assert inside.startswith("https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww")
    assert inside.endswith("#wechat_redirect")
    assert "scope=snsapi_base" in inside
    outside = sso_wecom.authorize(connection, journey=journey, device="Mozilla/5.0 (X11; Linux x86_64)")
    assert outside.startswith("https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&")


def test_the_way_inside_the_app_leads_to_the_same_person(
    client: Client, connection: SsoConnection, wecom: WeCom
) -> None:
    come_in(client, "wecom")
    inside = Client(HTTP_USER_AGENT="Mozilla/5.0 wxwork/4.1.20 MicroMessenger/7.0.1")
    address = begin(inside, "wecom")
    assert address.startswith(f"{wecom.url}/connect/oauth2/authorize?")
    inside.get(at_issuer(address.partition("#")[0]))
    assert who(inside) == who(client)


def test_somebody_who_is_no_member_does_not_come_in(client: Client, connection: SsoConnection, wecom: WeCom) -> None:
    wecom.person = {"openid": "oAAAA"}
    assert refused(come_in(client, "wecom")) == "Your account there is not a member of the company."
    assert User.objects.count() == 0


@pytest.mark.parametrize("userid", [7, ["zhangsan"], "zhang san", "x" * 65, "zhangsan\n", "张三"])
def test_a_userid_that_is_none_lets_nobody_in(
    client: Client, connection: SsoConnection, wecom: WeCom, userid: Any
) -> None:
    wecom.person["userid"] = userid
    assert come_in(client, "wecom").status_code == 400
    assert User.objects.count() == 0


def test_without_the_right_to_read_names_the_userid_stands_for_one(
    client: Client, connection: SsoConnection, wecom: WeCom
) -> None:
    del wecom.person["name"]
    come_in(client, "wecom")
    assert User.objects.get().name == "ZhangSan"


def test_the_applications_token_is_kept_and_renewed_when_wecom_forgot_it(
    client: Client, connection: SsoConnection, wecom: WeCom
) -> None:
    come_in(client, "wecom")
    come_in(Client(), "wecom")
    assert len(wecom.asked("/cgi-bin/gettoken")) == 1
    wecom.tokens.clear()
    assert come_in(Client(), "wecom").status_code == 302
    assert len(wecom.asked("/cgi-bin/gettoken")) == 2


def test_a_code_works_once_and_only_with_the_state_of_this_browser(
    client: Client, connection: SsoConnection, wecom: WeCom
) -> None:
    back = at_issuer(begin(client, "wecom"))
    assert refused(Client().get(back)).startswith("This sign-in was not started in this browser")
    assert client.get(back).status_code == 302
    state = dict(parse_qsl(urlsplit(begin(client, "wecom")).query))["state"]
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    again = f"/accounts/company/wecom/callback/?{urlencode({'code': code, 'state': state})}"
    assert refused(Client().get(again)).startswith("This sign-in was not started in this browser")
    assert refused(client.get(again)) == "Your company's sign-in server refused."


def test_a_back_channel_logout_is_for_openid_connect_only(client: Client, connection: SsoConnection) -> None:
    assert client.post("/accounts/company/wecom/logout/", {"logout_token": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"client_id": "ww-another"}, "WeCom does not accept the corp id or the secret."),
        ({"secret": "another secret"}, "WeCom does not accept the corp id or the secret."),
        ({"agent_id": "1000099"}, "WeCom does not know the agent id."),
    ],
)
def test_the_trial_says_what_is_wrong(connection: SsoConnection, fields: dict[str, Any], words: str) -> None:
    assert sso_trial.run(connection, callback="https://chat.example.com/x/").outcome == "unseen"
    for name, value in fields.items():
        setattr(connection, name, sso_secrets.encrypt(value) if name == "secret" else value)
    trial = sso_trial.run(connection, callback="https://chat.example.com/x/")
    assert (trial.outcome, str(trial.steps[-1].what)) == ("bad", words)


def test_the_trial_knows_the_commonest_refusal() -> None:
    what, do = sso_trial_words.wecom_words(60020)
    assert "does not accept calls from this server's address" in str(what)
    assert "trusted IPs" in str(do)


def test_it_is_added_in_the_browser_and_tried(client: Client, wecom: WeCom) -> None:
    client.force_login(User.objects.create_superuser("root@example.com", None))
    form = client.get("/setup/company-sign-in/new/wecom/").content.decode()
    assert 'value="testserver"' in form  # the callback domain, to copy
    given = {"name": "企业微信", "client_id": CORP, "new_secret": SECRET, "server_url": wecom.url, "agent_id": ""}
    assert "This field is required." in client.post("/setup/company-sign-in/new/wecom/", given).content.decode()
    told = client.post("/setup/company-sign-in/new/wecom/", given | {"agent_id": AGENT}).content.decode()
    assert "Corp id and secret are right." in told
    row = SsoConnection.objects.get()
    assert (row.kind, row.slug, row.agent_id, row.makes_people, row.is_enabled) == (
        "wecom",
        "wecom",
        AGENT,
        False,
        False,
    )
    assert SECRET not in row.secret
