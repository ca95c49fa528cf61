"""Passkeys: added, used as the second step and instead of a password, renamed, removed; and what is not believed."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.models import LoginSession, Notice, Organisation, User
from tests.accounts.conftest import PASSWORD, SignIn
from tests.accounts.soft_key import SoftKey

ADD = "/accounts/second-factor/passkeys/add/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    """A browser on localhost, where passkeys work without https."""
    return Client(headers={"host": "localhost"})


def asked(client: Client, path: str) -> Any:
    """The options that the page hands to its script."""
    found = re.search(r'data-options="([^"]+)"', client.get(path).content.decode())
    assert found
    return json.loads(html.unescape(found[1]))


def asked_at_the_door(client: Client) -> Any:
    return client.get("/accounts/passkey/", headers={"x-requested-with": "XMLHttpRequest"}).json()["request_options"]


@pytest.fixture
def key(client: Client, ada: User, sign_in: SignIn) -> SoftKey:
    """Ada's, and she has signed out again."""
    sign_in()
    made = SoftKey()
    answer = client.post(ADD, {"name": "Laptop", "credential": made.make(asked(client, ADD))})
    assert answer["Location"] == "/accounts/second-factor/codes/"
    client.post("/accounts/logout/")
    return made


def test_a_passkey_is_the_second_step(client: Client, key: SoftKey, sign_in: SignIn) -> None:
    assert sign_in(next="/me/")["Location"] == "/accounts/code/"
    page = client.get("/accounts/code/").content.decode()
    assert "Use a passkey" in page
    answer = client.post("/accounts/code/", {"credential": key.use(asked(client, "/accounts/code/"))})
    assert answer["Location"] == "/me/"
    assert LoginSession.objects.latest("pk").method == "passkey"


def test_a_passkey_signs_in_by_itself_and_leads_to_where_she_wanted(client: Client, key: SoftKey) -> None:
    options = asked_at_the_door(client)
    assert options["publicKey"]["userVerification"] == "required"
    answer = client.post("/accounts/passkey/", {"credential": key.use(options), "next": "/me/"})
    assert answer["Location"] == "/me/"
    assert client.get("/me/").status_code == 200
    assert LoginSession.objects.latest("pk").method == "passkey"
    assert client.session.get_expiry_age() > 10 * 24 * 3600


def unverified(key: SoftKey) -> None:
    key.verified = False


def elsewhere(key: SoftKey) -> None:
    key.origin = "https://evil.example"


def for_another_site(key: SoftKey) -> None:
    key.rp = "evil.example"


def of_somebody_else(key: SoftKey) -> None:
    key.private = SoftKey().private


@pytest.mark.parametrize("wrong", [unverified, elsewhere, for_another_site, of_somebody_else])
def test_what_a_passkey_must_not_be_opens_nothing(
    client: Client, key: SoftKey, wrong: Callable[[SoftKey], None]
) -> None:
    wrong(key)
    answer = client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    assert answer["Location"] == "/accounts/login/"
    assert "was not accepted" in client.get("/accounts/login/").content.decode()
    assert client.get("/me/").status_code == 302


def test_an_answer_works_once_and_for_its_own_question_only(client: Client, key: SoftKey) -> None:
    given = key.use(asked_at_the_door(client))
    assert client.post("/accounts/passkey/", {"credential": given})["Location"] == "/"
    client.post("/accounts/logout/")
    for _ in range(2):  # without a question, and with another one
        assert client.post("/accounts/passkey/", {"credential": given})["Location"] == "/accounts/login/"
        asked_at_the_door(client)


@pytest.mark.parametrize("closed", [{"is_active": False}, {"is_service": True}])
def test_who_has_no_door_gets_in_by_no_passkey(client: Client, key: SoftKey, closed: dict[str, Any]) -> None:
    User.objects.update(**closed)
    assert client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})["Location"] == (
        "/accounts/login/"
    )
    assert "switched off" in client.get("/accounts/login/").content.decode()


def test_where_only_the_companys_sign_in_is_open_passkeys_are_closed(client: Client, key: SoftKey) -> None:
    Organisation.objects.update_or_create(pk=1, defaults={"sso_only": True})
    answer = client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    assert answer["Location"] == "/accounts/login/"
    assert client.get("/me/").status_code == 302


def test_a_passkey_proves_who_she_is_before_something_delicate(client: Client, ada: User, key: SoftKey) -> None:
    client.force_login(ada)
    asked_for = client.get("/accounts/second-factor/codes/new/")["Location"]
    path = asked_for.replace("/confirm/", "/confirm/passkey/")
    failed = client.post(path, {"credential": SoftKey(handle=key.handle).use(asked(client, path))})
    assert "was not accepted" in failed.content.decode()
    answer = client.post(
        path, {"credential": key.use(asked(client, path)), "next": "/accounts/second-factor/codes/new/"}
    )
    assert answer["Location"] == "/accounts/second-factor/codes/new/"
    assert client.get(answer["Location"]).status_code == 200


def test_passkeys_are_renamed_and_removed_by_their_owner_only(client: Client, ada: User, key: SoftKey) -> None:
    row = Authenticator.objects.get(type="webauthn")
    path = f"/accounts/second-factor/passkeys/{row.pk}/"
    eve = Client(headers={"host": "localhost"})
    User.objects.create_user("eve@example.com", PASSWORD)
    eve.post("/accounts/login/", {"login": "eve@example.com", "password": PASSWORD})
    assert (eve.post(path, {"name": "mine"}).status_code, eve.post(f"{path}remove/").status_code) == (404, 404)
    client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    assert client.post(path, {"name": "<b>Old laptop</b>"}).status_code == 302
    assert "&lt;b&gt;Old laptop" in client.get("/accounts/second-factor/").content.decode()
    assert client.post(f"{path}remove/").status_code == 302
    assert Authenticator.objects.count() == 0


def test_where_one_is_demanded_the_last_passkey_stays(client: Client, ada: User, key: SoftKey) -> None:
    client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    Organisation.objects.update_or_create(pk=1, defaults={"second_factor": "all"})
    row = Authenticator.objects.get(type="webauthn")
    page = client.post(f"/accounts/second-factor/passkeys/{row.pk}/remove/", follow=True).content.decode()
    assert "add another one first" in page
    assert Authenticator.objects.filter(pk=row.pk).exists()


def test_a_device_is_not_added_twice_and_its_name_is_the_browsers(client: Client, ada: User, key: SoftKey) -> None:
    client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    options = asked(client, ADD)["publicKey"]
    assert len(options["excludeCredentials"]) == 1
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("preferred", "preferred")
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"
    )
    assert 'value="Chrome, Windows"' in client.get(ADD, headers={"user-agent": agent}).content.decode()


def test_where_she_was_told_something_she_reads_it_first(client: Client, ada: User, key: SoftKey) -> None:
    Notice.objects.create(user=ada, kind="link_made", by="Root")
    answer = client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client)), "next": "/me/"})
    assert answer["Location"] == "/me/notices/?next=%2Fme%2F"


def test_the_key_belongs_to_the_host_of_public_url(client: Client, key: SoftKey, settings: Any) -> None:
    settings.PUBLIC_URL = "https://chat.example.com"
    assert asked_at_the_door(client)["publicKey"]["rpId"] == "chat.example.com"


@pytest.mark.parametrize("credential", ["", "x", "[]", "{}", '{"id": 1}', '{"response": {}}', "[" * 5000])
@pytest.mark.parametrize("path", ["/accounts/code/", "/accounts/passkey/", "/accounts/confirm/passkey/", ADD])
def test_whatever_a_browser_sends_it_breaks_nothing(
    client: Client, ada: User, key: SoftKey, sign_in: SignIn, path: str, credential: str
) -> None:
    if path == "/accounts/code/":
        sign_in()
    elif path != "/accounts/passkey/":
        client.post("/accounts/passkey/", {"credential": key.use(asked_at_the_door(client))})
    client.get(path, headers={"x-requested-with": "XMLHttpRequest"})
    assert client.post(path, {"credential": credential, "name": "n"}).status_code in (200, 302)
    for part in ("clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"):
        spoilt = json.loads(key.use({"publicKey": {"challenge": "AAAA"}}))
        spoilt["response"][part] = "AAAA"
        assert client.post(path, {"credential": json.dumps(spoilt), "name": "n"}).status_code in (200, 302)
    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_asking_for_passkeys_fills_no_table(client: Client) -> None:
    answers = [
        Client().get("/accounts/passkey/", headers={"x-requested-with": "XMLHttpRequest"}).status_code
        for _ in range(61)
    ]
    assert answers == [200] * 60 + [429]
