"""What a person sets about herself: theme on every page, the default model, and the house rules asked for once."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client

from accounts import profile
from accounts.models import Organisation, User
from chat.models import Message
from providers import access
from tests.accounts.crowd import actions, person, root, signed_in
from tests.chat import asking, scene

pytestmark = pytest.mark.django_db
MINE = {"name": "Ada", "language": "en", "time_zone": "", "theme": "system", "default_model": ""}


def page_of(client: Client, path: str = "/chat/") -> str:
    return client.get(path).content.decode()


# --- theme ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theme", "mark", "sheet"),
    [
        ("system", None, 'media="screen and (prefers-color-scheme: dark)"'),
        ("light", 'data-theme="light"', None),
        ("dark", 'data-theme="dark"', 'media="screen"'),
    ],
)
def test_the_theme_is_on_every_page(theme: str, mark: str | None, sheet: str | None) -> None:
    ada = root("ada")
    client = signed_in(ada)
    client.post("/me/", MINE | {"theme": theme})
    for path in ("/chat/", "/me/", "/setup/people/", "/accounts/logout/"):
        words = page_of(client, path)
        assert ("data-theme" in words) == (mark is not None), path
        assert mark is None or mark in words
        assert ("css/dark.css" in words) == (sheet is not None), path
        assert sheet is None or sheet in words


def test_pages_without_a_person_follow_the_device() -> None:
    words = page_of(Client(), "/accounts/login/")
    assert "data-theme" not in words
    assert 'media="screen and (prefers-color-scheme: dark)"' in words
    lost = Client().get("/nowhere").content.decode()
    assert 'media="screen and (prefers-color-scheme: dark)"' in lost


@pytest.mark.parametrize("theme", ["", "sepia", "<script>"])
def test_a_theme_that_there_is_not_changes_nothing(theme: str) -> None:
    ada = person("ada", theme="dark")
    signed_in(ada).post("/me/", MINE | {"theme": theme})
    assert User.objects.get(pk=ada.pk).theme == "dark"


# --- the default model ------------------------------------------------------------------------------------------------------


@pytest.fixture
def models(db: None) -> None:
    for slug in ("alpha", "beta", "gamma"):
        scene.model(slug)


@pytest.mark.usefixtures("models")
def test_the_own_default_model_comes_first_and_is_asked() -> None:
    ada, bob = person("ada"), person("bob")
    client = signed_in(ada)
    assert "beta" in page_of(client, "/me/")
    client.post("/me/", MINE | {"default_model": "beta"})
    ada.refresh_from_db()
    assert [model.slug for model in access.models_for(ada)] == ["beta", "alpha", "gamma"]
    assert [model.slug for model in access.models_for(bob)] == ["alpha", "beta", "gamma"]
    assert scene.ask(ada).generation.model == access.model_for(ada, "beta")
    assert 'value="beta"' in page_of(client).partition("checked")[0].rpartition("<input")[2]
    assert actions() == ["person.changed"]


@pytest.mark.usefixtures("models")
def test_a_default_model_that_is_gone_gives_way_and_is_not_lost_by_saving() -> None:
    ada = person("ada", default_model="old-model", language="en")
    client = signed_in(ada)
    assert "old-model (not available now)" in page_of(client, "/me/")
    client.post("/me/", MINE | {"name": "Ada L.", "default_model": "old-model"})
    ada.refresh_from_db()
    assert (ada.name, ada.default_model) == ("Ada L.", "old-model")
    assert scene.ask(ada).generation.model == access.model_for(person("bob"), None)
    assert client.post("/me/", MINE | {"default_model": "other"}).status_code == 200
    ada.refresh_from_db()
    assert ada.default_model == "old-model"


def test_who_has_no_password_is_told_so() -> None:
    client = signed_in(person("ada", language="en"))
    assert "/accounts/password/change/" not in page_of(client, "/me/")
    answer = client.get("/accounts/password/change/", follow=True)
    assert answer.redirect_chain[-1][0] == "/me/"
    assert "there is no password to change" in answer.content.decode()


def test_rooms_that_know_models_offer_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_offers", [lambda user: [("a", "A")], lambda user: [("b", "B")]])
    assert profile.models_for(person("ada")) == [("a", "A"), ("b", "B")]


def test_saving_nothing_new_writes_nothing_down() -> None:
    ada = person("ada", language="en")
    client = signed_in(ada)
    client.post("/me/", MINE)
    assert actions() == []
    client.post("/me/", MINE | {"theme": "dark"})
    assert actions() == ["person.changed"]


# --- house rules ------------------------------------------------------------------------------------------------------------

RULES = "Be kind.\n\nNo <b>secrets</b>."
DIGEST = hashlib.sha256(RULES.encode()).hexdigest()
REFUSAL = "Read the house rules first."


@pytest.fixture
def rules(db: None) -> None:
    scene.model()
    Organisation.objects.update_or_create(pk=1, defaults={"house_rules": f" {RULES}\n"})


@pytest.mark.usefixtures("rules")
def test_new_rules_are_asked_for_before_the_next_message_and_only_once() -> None:
    ada = person("ada", language="en")
    client = signed_in(ada)
    words = page_of(client)
    assert "I have read them and agree" in words
    assert "No &lt;b&gt;secrets&lt;/b&gt;." in words
    refused = asking.send(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "house_rules")
    assert Message.objects.count() == 0
    plain = client.post("/chat/messages/", {"text": "My words", "client_id": scene.new_id()})
    assert (plain.status_code, "My words" in plain.content.decode(), REFUSAL in plain.content.decode()) == (
        403,
        True,
        True,
    )
    answer = client.post("/me/house-rules/", {"rules": DIGEST, "next": "/chat/"})
    assert answer["Location"] == "/chat/"
    assert "I have read them and agree" not in page_of(client)
    assert asking.send(client).status_code == 202
    assert actions() == ["person.rules_read"]
    client.post("/me/house-rules/", {"rules": DIGEST, "next": "/chat/"})
    assert actions() == ["person.rules_read"]


@pytest.mark.usefixtures("rules")
def test_history_reads_all_the_same() -> None:
    ada = person("ada", language="en")
    sent = asking.asked(ada)
    client = signed_in(ada)
    for path in (f"/chat/{sent.conversation.uuid}/", f"/chat/messages/{sent.answer.uuid}/", "/chat/list/"):
        assert client.get(path).status_code == 200
    for verb in ("regenerate", "edit"):
        uuid = sent.answer.uuid if verb == "regenerate" else (sent.question and sent.question.uuid)
        fields = {"client_id": scene.new_id(), "text": "x"}
        assert asking.post(client, f"/chat/messages/{uuid}/{verb}/", fields).status_code == 403


@pytest.mark.usefixtures("rules")
def test_rules_that_change_are_asked_for_again() -> None:
    ada = person("ada", house_rules_read=DIGEST)
    client = signed_in(ada)
    assert asking.send(client).status_code == 202
    Organisation.objects.update(house_rules="Be kinder.")
    assert asking.send(client).status_code == 403
    client.post("/me/house-rules/", {"rules": DIGEST, "next": "/chat/"})  # the old ones
    assert asking.send(client).status_code == 403
    Organisation.objects.update(house_rules="  ")
    assert asking.send(client).status_code == 202


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "javascript:alert(1)", ""])
def test_agreeing_leads_back_to_this_site_only(back: str) -> None:
    client = signed_in(person("ada"))
    assert client.post("/me/house-rules/", {"rules": DIGEST, "next": back})["Location"] == "/"


@pytest.mark.usefixtures("rules")
def test_the_rules_are_read_at_any_time_and_the_box_leads_to_them() -> None:
    client = signed_in(person("ada"))
    assert 'href="/me/house-rules/">House rules' in client.get("/chat/").content.decode()
    assert "No &lt;b&gt;secrets&lt;/b&gt;." in client.get("/me/house-rules/").content.decode()
    Organisation.objects.update(house_rules="")
    assert "/me/house-rules/" not in client.get("/chat/").content.decode()
    assert "There are none at the moment." in client.get("/me/house-rules/").content.decode()


def test_a_language_that_was_chosen_stays_after_signing_out_and_none_leaves_it_to_the_browser() -> None:
    client = signed_in(person("ada"))
    client.post("/me/", MINE | {"language": "zh-hans"})
    client.post("/accounts/logout/")
    assert 'lang="zh-Hans"' in page_of(client, "/accounts/login/")
    client.force_login(person("eve"), backend="accounts.backend.PasswordBackend")
    client.post("/me/", MINE | {"language": ""})
    client.post("/accounts/logout/")
    assert 'lang="en"' in page_of(client, "/accounts/login/")
