"""API keys: shown once, stored as a digest, never more than the owner may today, and over when they are over."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import api_keys, scopes
from accounts.api_keys import KeyRefused, State
from accounts.models import ApiKey, AuditEvent, Organisation, User
from accounts.refusals import Refused
from providers.models import LanguageModel, ModelRoute, Provider
from tests.accounts.programs import ADDRESS, ago, asked

pytestmark = pytest.mark.django_db
Made = tuple[ApiKey, str]


def make(user: User, **words: Any) -> Made:
    return api_keys.make(user, **{"name": "editor", "scopes": ["chat", "models"]} | words)


def works(secret: str, address: str = ADDRESS) -> bool:
    return api_keys.find(secret, address=address) is not None


@pytest.fixture
def program(ada: User) -> User:
    return User.objects.create(email="report@programs.invalid", name="Report", is_service=True, owner=ada)


@pytest.fixture
def administrator(db: None) -> User:
    return User.objects.create_superuser("root@example.com")


def staff(*permissions: str) -> User:
    user = User.objects.create_user("staff@example.com", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return User.objects.get(pk=user.pk)


def test_the_secret_is_found_again_and_stands_nowhere(ada: User) -> None:
    key, secret = make(ada)
    assert re.fullmatch(r"sk-[A-Za-z0-9]{48}", secret)
    assert (key.prefix, len(key.digest)) == (secret[:11], 64)
    assert api_keys.find(secret, address=ADDRESS) == key
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            assert not any(secret[11:] in str(cell) for row in cursor.fetchall() for cell in row), table


def test_two_keys_with_the_same_beginning_are_two_keys(ada: User) -> None:
    _key, secret = make(ada)
    assert not works(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    assert not works(secret[:11] + "A" * 40)


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda s: s + "a", lambda s: s[:-1], lambda s: f" {s}"])
def test_a_secret_is_taken_by_the_letter(ada: User, change: Any) -> None:
    assert not works(change(make(ada)[1]))


def test_finding_takes_one_query_and_what_has_not_the_shape_takes_none(ada: User) -> None:
    secret = make(ada)[1]
    with CaptureQueriesContext(connection) as made:
        assert works(secret)
    assert len(made) == 1
    with CaptureQueriesContext(connection) as made:
        for text in (
            "",
            "sk-",
            "' OR 1=1 --",
            "sk-" + "é" * 48,
            "sk-" + "a" * 1_000_000,
            secret + "\n",
            "sk-" + "\x00" * 48,
        ):
            assert not works(text)
    assert len(made) == 0


def test_many_keys_of_one_person_are_told_apart(ada: User) -> None:
    made = [make(ada, name=f"program {n}") for n in range(3)]
    api_keys.revoke(made[1][0], by=ada)
    assert [works(secret) for _key, secret in made] == [True, False, True]


# --- what may be asked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        ({"name": "  "}, "no_name", "name"),
        ({"name": "x" * 81}, "bad_name", "name"),
        ({"name": "a\x00b"}, "bad_name", "name"),
        ({"name": "a\u202eb"}, "bad_name", "name"),
        ({"scopes": []}, "no_scope", "scopes"),
        ({"scopes": ["*"]}, "unknown_scope", "scopes"),
        ({"scopes": ["chat", "root"]}, "unknown_scope", "scopes"),
        ({"scopes": ["CHAT"]}, "unknown_scope", "scopes"),
        ({"scopes": ["chat", "admin"]}, "scope_refused", "scopes"),
        ({"models": ["gpt-secret"]}, "unknown_model", "models"),
        ({"models": ["a"] * 101}, "too_many_models", "models"),
        ({"expires_at": ago(seconds=1)}, "bad_expiry", "expires_at"),
        ({"expires_at": ago(days=-1900)}, "bad_expiry", "expires_at"),
        ({"allowed_ips": ["office"]}, "bad_address", "allowed_ips"),
        ({"allowed_ips": ["10.0.0.1/8"]}, "bad_address", "allowed_ips"),
        ({"allowed_ips": ["10.0.0.0/33"]}, "bad_address", "allowed_ips"),
        ({"allowed_ips": [""]}, "bad_address", "allowed_ips"),
        ({"allowed_ips": [f"10.0.0.{n}" for n in range(51)]}, "too_many_addresses", "allowed_ips"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_made(
    ada: User, words: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(KeyRefused) as refused:
        make(ada, **words)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert ApiKey.objects.count() == 0


def test_what_is_stored_has_one_spelling(ada: User) -> None:
    key, _secret = make(
        ada,
        name="  my\teditor ",
        scopes=["models", "chat", "chat"],
        allowed_ips=[" 192.0.2.7 ", "2001:DB8:0::/32", "192.0.2.7"],
    )
    assert (key.name, key.scopes) == ("my editor", ["chat", "models"])
    assert key.allowed_ips == ["192.0.2.7/32", "2001:db8::/32"]


def test_an_account_has_at_most_a_hundred_living_keys(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MOST_KEYS", 3)
    made = [make(ada)[0] for _ in range(3)]
    with pytest.raises(KeyRefused) as refused:
        make(ada)
    assert refused.value.code == "too_many_keys"
    api_keys.revoke(made[0], by=ada)
    make(ada)


def model(slug: str, *, enabled: bool = True) -> LanguageModel:
    provider, _ = Provider.objects.get_or_create(name="P", defaults={"base_url": "https://p.example/v1"})
    made = LanguageModel.objects.create(slug=slug, name=slug.title(), enabled=enabled)
    ModelRoute.objects.create(model=made, provider=provider, upstream_name=slug)
    return made


def test_only_models_that_the_owner_may_use_can_be_named(ada: User) -> None:
    model("quick")
    model("hidden", enabled=False)
    assert make(ada, models=["quick", "quick"])[0].model_names == ["quick"]
    for name in ("hidden", "QUICK", "quick ", "quіck"):
        with pytest.raises(KeyRefused):
            make(ada, models=[name])


# --- whose key ---------------------------------------------------------------------------------------------------------


def test_nobody_makes_a_key_for_a_colleague(ada: User, administrator: User) -> None:
    bob = User.objects.create_user("bob@example.com")
    for by in (bob, administrator):
        with pytest.raises(Refused):
            make(ada, by=by)


def test_a_programs_keys_are_made_by_its_owner_and_by_administrators(
    program: User, ada: User, administrator: User
) -> None:
    bob = User.objects.create_user("bob@example.com")
    makers = (ada, administrator, staff("manage_service_accounts"))
    assert [make(program, by=by)[0].user for by in makers] == [program] * 3
    for by in (bob, program):
        with pytest.raises(Refused):
            make(program, by=by)


def test_whoever_is_off_makes_nothing(ada: User, program: User) -> None:
    ada.is_active = False
    for user in (ada, program):
        with pytest.raises(Refused):
            make(user, by=ada)


def test_a_key_is_revoked_by_its_owner_and_by_administrators_only(ada: User, administrator: User) -> None:
    bob, helper = User.objects.create_user("bob@example.com"), staff("delete_apikey")
    key, secret = make(ada)
    with pytest.raises(Refused):
        api_keys.revoke(key, by=bob)
    assert works(secret)
    for by in (ada, administrator, helper):
        key, secret = make(ada)
        assert api_keys.revoke(key, by=by)
        assert not works(secret)
        assert not api_keys.revoke(key, by=by)
        assert ApiKey.objects.get(pk=key.pk).revoked_by == by
    assert AuditEvent.objects.filter(action="key.revoked").count() == 3


def test_staff_do_not_revoke_keys_of_administrators(administrator: User) -> None:
    key, secret = make(administrator)
    with pytest.raises(Refused):
        api_keys.revoke(key, by=staff("delete_apikey"))
    assert works(secret)


# --- what it may do today ----------------------------------------------------------------------------------------------


def test_a_scope_counts_only_as_long_as_the_owner_has_the_right(administrator: User) -> None:
    key, _secret = make(administrator, scopes=["chat", "admin", "keys"])
    assert scopes.effective(key.scopes, user=administrator) == {"chat", "admin", "keys"}
    administrator.is_staff = administrator.is_superuser = False
    assert scopes.effective(key.scopes, user=administrator) == {"chat", "keys"}
    administrator.is_active = False
    assert scopes.effective(key.scopes, user=administrator) == frozenset()


def test_a_scope_that_left_the_table_counts_for_nothing(ada: User) -> None:
    assert scopes.effective(["chat", "fax", "*"], user=ada) == {"chat"}


def test_a_programs_account_changes_no_profile(program: User) -> None:
    assert scopes.of(program) == {"chat", "models", "usage", "keys"}


def test_an_expired_key_is_over_by_the_databases_clock(ada: User) -> None:
    key, secret = make(ada, expires_at=ago(days=-1))
    assert works(secret)
    ApiKey.objects.update(expires_at=ago(seconds=1))
    assert not works(secret)
    key.refresh_from_db()
    assert api_keys.state(key, organisation=Organisation.get()) == State.EXPIRED


@pytest.mark.parametrize(
    ("address", "let_in"),
    [
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("10.1.2.3", True),
        ("10.2.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8:1::5", True),
        ("2001:db9::1", False),
        ("", False),
        ("not an address", False),
        ("10.1.2.3, 192.0.2.9", False),
    ],
)
def test_a_key_is_good_from_its_addresses_only(ada: User, address: str, let_in: bool) -> None:
    secret = make(ada, allowed_ips=["192.0.2.7", "10.1.0.0/16", "2001:db8::/32"])[1]
    assert works(secret, address) is let_in


def test_without_addresses_a_key_is_good_from_anywhere(ada: User) -> None:
    assert works(make(ada)[1], "")


# --- people of the company's sign-in -----------------------------------------------------------------------------------


def test_keys_pause_when_the_last_company_sign_in_is_too_old(ada: User, program: User) -> None:
    organisation = Organisation.get()
    assert organisation.sso_days == 30
    for sso_at, paused in ((None, False), (ago(days=29), False), (ago(days=31), True)):
        ada.sso_at = program.sso_at = sso_at
        assert api_keys.paused(ada, organisation=organisation) is paused
        assert not api_keys.paused(program, organisation=organisation)
    organisation.sso_days = 60
    assert not api_keys.paused(ada, organisation=organisation)


# --- rolling -----------------------------------------------------------------------------------------------------------


def test_rolling_gives_a_new_secret_with_the_same_rights(ada: User) -> None:
    key, secret = make(ada, allowed_ips=["192.0.2.7"], expires_at=ago(days=-30))
    new, new_secret = api_keys.roll(key, keep_hours=24, by=ada, request=asked())
    assert works(secret)
    assert works(new_secret)
    same = ("name", "scopes", "model_names", "allowed_ips", "expires_at", "user_id")
    assert [getattr(new, field) for field in same] == [getattr(key, field) for field in same]
    key.refresh_from_db()
    assert key.successor == new
    assert key.expires_at is not None
    assert abs(key.expires_at - ago(hours=-24)) < dt.timedelta(minutes=1)
    assert api_keys.state(key, organisation=Organisation.get()) == State.ENDING
    (event,) = AuditEvent.objects.filter(action="key.rolled")
    assert event.changes == {"prefix": [key.prefix, new.prefix], "old_lives_hours": [None, 24]}


def test_the_old_secret_can_end_at_once(ada: User) -> None:
    key, secret = make(ada)
    _new, new_secret = api_keys.roll(key, keep_hours=0, by=ada)
    assert (works(secret), works(new_secret)) == (False, True)


def test_rolling_never_lengthens_the_old_ones_life(ada: User) -> None:
    key, _secret = make(ada, expires_at=ago(hours=-1))
    api_keys.roll(key, keep_hours=100, by=ada)
    key.refresh_from_db()
    assert key.expires_at is not None
    assert key.expires_at < ago(hours=-2)


def test_a_key_is_rolled_once_and_not_when_it_is_over(ada: User) -> None:
    key, _secret = make(ada)
    api_keys.roll(key, keep_hours=1, by=ada)
    revoked, _secret = make(ada)
    api_keys.revoke(revoked, by=ada)
    for over in (key, revoked):
        with pytest.raises(KeyRefused) as refused:
            api_keys.roll(over, keep_hours=1, by=ada)
        assert refused.value.code == "not_living"
    assert ApiKey.objects.count() == 3


@pytest.mark.parametrize("hours", [-1, 169])
def test_the_old_one_lives_on_for_a_week_at_most(ada: User, hours: int) -> None:
    with pytest.raises(KeyRefused):
        api_keys.roll(make(ada)[0], keep_hours=hours, by=ada)


def test_revoking_ends_also_what_it_replaced(ada: User) -> None:
    first, first_secret = make(ada)
    second, second_secret = api_keys.roll(first, keep_hours=24, by=ada)
    third, third_secret = api_keys.roll(second, keep_hours=24, by=ada)
    api_keys.revoke(third, by=ada)
    assert not any(works(secret) for secret in (first_secret, second_secret, third_secret))


def test_a_stranger_rolls_nothing(ada: User, administrator: User) -> None:
    key, _secret = make(ada)
    for by in (User.objects.create_user("bob@example.com"), administrator):
        with pytest.raises(Refused):
            api_keys.roll(key, keep_hours=1, by=by)
