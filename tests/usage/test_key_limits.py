"""Limits of one API key: set from the pages, explained, shown to the key's owner, and not shaken off by a new secret."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts import api_keys, clock
from accounts.models import ApiKey, AuditEvent, Organisation, User
from tests.accounts.test_setup_views import signed_in
from tests.usage import making
from usage import limits, overview, periods, quotas, rules
from usage.limit_models import Quota, QuotaGrant, QuotaPeriod, QuotaRequest

pytestmark = pytest.mark.django_db
NEW = "/setup/limits/new/"
SENTENCE = {"whom": "key", "amount": "5", "unit": "requests", "period": "day", "at_limit": "block"}


def person(name: str, **fields: Any) -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!", language="en", **fields)


@pytest.fixture
def ada() -> User:
    return person("ada")


@pytest.fixture
def admin() -> Client:
    Organisation.get()
    return signed_in(User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC"))


def key_of(user: User, name: str = "Editor") -> ApiKey:
    return api_keys.make(user, name=name, scopes=["chat"])[0]


def say(client: Client, *, do: str = "make", **fields: str) -> Any:
    return client.post(NEW, SENTENCE | fields | {"do": do})


def shown(client: Client, url: str, **query: str) -> str:
    return str(client.get(url, query).content.decode())


def set_for(key: ApiKey, amount: int = 5) -> Quota:
    return rules.make(scope="key", unit="requests", period="day", amount=amount, subject=key)


def ask(key: ApiKey, count: int = 1) -> None:
    """Questions with this key, each to its end."""
    for _ in range(count):
        given = making.hold(key.user, key=key.uuid)
        now = clock.now()
        making.reserve(given, now=now)
        quotas.settle([making.call(given, now=now)], now=now)


def test_first_whose_then_which_one(admin: Client, ada: User) -> None:
    key, other = key_of(ada), key_of(ada, "Script")
    key_of(person("bob"), "Bobs")
    assert list(say(admin).context["form"].errors) == ["account"]
    assert list(say(admin, account="nobody@example.com").context["form"].errors) == ["account"]
    asked = say(admin, account="Ada@example.com")
    assert asked.status_code == 422
    assert list(asked.context["form"].errors) == ["key"]
    html = asked.content.decode()
    assert str(key.uuid) in html and str(other.uuid) in html and "Bobs" not in html
    assert (
        "It touches 1 account or pool."
        in say(admin, do="look", account="ada@example.com", key=str(key.uuid)).content.decode()
    )
    say(admin, account="ada@example.com", key=str(key.uuid))
    made = Quota.objects.get()
    assert (made.scope, made.subject, made.subject_name) == ("key", key.family, "Editor (Ada)")
    assert "The API key Editor (Ada) may use 5 questions a day, then it blocks." in shown(admin, "/setup/limits/")
    event = AuditEvent.objects.get(action="limit.added")
    assert event.concerns == ada.uuid


@pytest.mark.parametrize("key", ["", "x", "00000000-0000-4000-8000-000000000000", "other"])
def test_a_key_of_somebody_else_or_none_is_refused(admin: Client, ada: User, key: str) -> None:
    key_of(ada)
    wrong = str(key_of(person("bob")).uuid) if key == "other" else key
    refused = say(admin, account="ada@example.com", key=wrong)
    assert (refused.status_code, list(refused.context["form"].errors)) == (422, ["key"])
    assert not Quota.objects.exists()


def test_an_account_without_a_key_and_a_program(admin: Client, ada: User) -> None:
    assert list(say(admin, account="ada@example.com").context["form"].errors) == ["account"]
    program = User.objects.create(email="robot@example.com", name="Night report", is_service=True, owner=ada)
    key = api_keys.make(program, name="Night", scopes=["chat"], by=ada)[0]
    say(admin, account="Night report", key=str(key.uuid))
    assert Quota.objects.get().subject == key.family


def test_the_list_of_keys_leads_to_a_sentence_that_names_the_key(admin: Client, ada: User) -> None:
    key = key_of(ada)
    assert f'href="{NEW}?key={key.uuid}"' in shown(admin, "/setup/keys/")
    html = shown(admin, NEW, key=str(key.uuid))
    assert '<option value="key" selected>' in html
    assert f'<option value="{key.uuid}" selected>' in html
    assert 'value="ada@example.com"' in html
    for wrong in ("x", "00000000-0000-4000-8000-000000000000", "\x00"):
        assert str(key.uuid) not in shown(admin, NEW, key=wrong)


def test_only_whoever_may_set_limits_is_led_there(ada: User) -> None:
    Organisation.get()
    key_of(ada)
    page = signed_in(ada)
    assert NEW not in shown(page, "/me/keys/")
    assert page.get(NEW).status_code == 403


def test_a_new_secret_goes_on_with_the_same_allowance_and_shares_it_with_the_old_one(ada: User) -> None:
    old = key_of(ada)
    set_for(old, amount=4)
    ask(old, 2)
    new, _secret = api_keys.roll(old, keep_hours=1)
    ask(new)
    newest, _secret = api_keys.roll(new, keep_hours=1)
    old.refresh_from_db()
    ask(old)
    for key in (old, new, newest):
        (limit,) = limits.standing(person=ada.uuid, key=key.uuid, now=clock.now()).limits
        assert (limit.used, limit.cap) == (4, 4)
        with pytest.raises(quotas.LimitReached):
            ask(key)
    assert QuotaPeriod.objects.count() == 1
    ask(key_of(ada, "Another"))


def test_a_limit_made_meanwhile_counts_what_all_secrets_of_the_key_used(ada: User, admin: Client) -> None:
    old = key_of(ada)
    ask(old, 2)
    new, _secret = api_keys.roll(old, keep_hours=0)
    ask(new)
    looked = say(admin, do="look", account="ada@example.com", key=str(new.uuid), amount="2").content.decode()
    assert "1 would be over it now:" in looked and "3 questions" in looked
    set_for(new, amount=4)
    ask(new)
    with pytest.raises(quotas.LimitReached):
        ask(new)


def test_its_owner_sees_it_and_asks_for_more_and_nobody_else(ada: User, admin: Client) -> None:
    key, bob = key_of(ada), person("bob")
    quota = set_for(key)
    ask(key, 2)
    page = signed_in(ada)
    html = shown(page, "/me/usage/")
    assert "What is left to your API keys" in html and "Editor (Ada) · Questions today" in html and "40 % used" in html
    address = f"/me/usage/ask/{quota.uuid}/"
    assert address in html
    assert page.post(address, {"reason": "A long night"}).status_code == 302
    asked = QuotaRequest.objects.get()
    rules.decide(asked, by=User.objects.get(email="root@example.com"), amount=3, until=clock.now().replace(year=2099))
    assert QuotaGrant.objects.get().subject == key.family
    (limit,) = limits.standing(person=ada.uuid, key=key.uuid, now=clock.now()).limits
    assert limit.cap == 8
    other = signed_in(bob)
    assert "API keys" not in shown(other, "/me/usage/").partition("<main")[2]
    assert other.get(address).status_code == 404


def test_the_reasons_of_its_owner_name_it(ada: User, admin: Client) -> None:
    key = key_of(ada)
    set_for(key)
    said = io.StringIO()
    call_command("explain_quota", "ada@example.com", stdout=said)
    assert "5 requests a day: the API key Editor (Ada); used 0, held 0, left 5" in said.getvalue()
    html = shown(admin, f"/setup/limits/people/{ada.uuid}/")
    assert "Of their API keys" in html and "The API key Editor (Ada)" in html
    assert "Of their API keys" not in shown(admin, f"/setup/limits/people/{person('bob').uuid}/")


def test_keys_cost_no_query_for_each_of_them(ada: User, django_assert_num_queries: Any) -> None:
    Organisation.get()
    for name in ("One", "Two", "Three"):
        key = key_of(ada, name)
        set_for(key)
        ask(key)
    tz, now = periods.zone("UTC"), clock.now()
    with django_assert_num_queries(4):
        assert len(overview.of_keys(ada, now=now, tz=tz)) == 3
