"""A10 to A15, A19 to A21: one funnel for every credential, one of them decides, and what ends one acts on the next request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import api_keys, login_sessions
from accounts.authentication import Principal, Unauthenticated, authenticate
from accounts.models import ApiKey, LoginSession, Organisation, User
from portal.threads import make_environ
from tests.accounts.programs import ADDRESS, ago, bearer, signed_in

pytestmark = pytest.mark.django_db


def made(user: User, **words: Any) -> str:
    return api_keys.make(user, **{"name": "editor", "scopes": ["chat", "models"]} | words)[1]


def ask(headers: Mapping[str, str], **more: Any) -> Principal:
    return authenticate(headers, **{"address": ADDRESS} | more)


def refused(headers: Mapping[str, str], **more: Any) -> tuple[int, str]:
    with pytest.raises(Unauthenticated) as error:
        ask(headers, **more)
    assert str(error.value.message)
    return error.value.status, error.value.code


def cookie(client: Client) -> dict[str, str]:
    return {"cookie": f"sessionid={client.session.session_key}"}


# --- the three kinds ---------------------------------------------------------------------------------------------------


def test_a_key_says_who_and_what(ada: User) -> None:
    found = ask(bearer(made(ada)))
    assert (found.kind, found.user(), found.scopes, found.model_names) == (
        "key",
        ada,
        frozenset({"chat", "models"}),
        None,
    )
    assert found.key == ApiKey.objects.get()


def test_a_token_says_who_and_may_what_its_person_may(ada: User) -> None:
    found = ask(bearer(signed_in(ada).access))
    assert (found.kind, found.user(), found.key) == ("token", ada, None)
    assert found.scopes == {"chat", "models", "usage", "profile", "keys"}


def test_a_session_counts_only_where_it_is_asked_for(client: Client, ada: User) -> None:
    client.force_login(ada)
    found = ask(cookie(client), session=True)
    assert (found.kind, found.user()) == ("session", ada)
    assert refused(cookie(client)) == (401, "no_credential")


def test_without_anything_nobody_is_asking() -> None:
    assert refused({}) == (401, "no_credential")
    assert refused({}, session=True) == (401, "no_credential")
    assert refused({"cookie": "sessionid=" + "a" * 32}, session=True) == (401, "no_credential")


QUERIES: list[tuple[str, str, int]] = [("key", "optional", 2), ("token", "optional", 2), ("session", "optional", 3)]
QUERIES += [("key", "all", 3), ("token", "all", 3), ("session", "all", 4)]


@pytest.mark.parametrize(("kind", "second_factor", "count"), QUERIES)
def test_the_number_of_queries(client: Client, ada: User, kind: str, second_factor: str, count: int) -> None:
    Organisation.get()
    Organisation.objects.update(second_factor=second_factor)
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={})
    client.force_login(ada)
    headers = {
        "key": lambda: bearer(made(ada)),
        "token": lambda: bearer(signed_in(ada).access),
        "session": lambda: cookie(client),
    }
    shown = headers[kind]()
    ask(shown, session=True)  # the last use is written now, and not again within the minute
    with CaptureQueriesContext(connection) as asked:
        ask(shown, session=True)
    assert len(asked) == count, [q["sql"] for q in asked]


# --- one decides -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["Bearer sk-" + "a" * 48, "Bearer a.b.c", "Bearer", "", "Basic YTpi", "Token abc"])
def test_a_wrong_header_never_falls_back_to_a_good_cookie(client: Client, ada: User, wrong: str) -> None:
    client.force_login(ada)
    status, _code = refused({"authorization": wrong, **cookie(client)}, session=True)
    assert status == 401


def test_a_good_header_decides_over_a_cookie_of_somebody_else(client: Client, ada: User) -> None:
    bob = User.objects.create_user("bob@example.com")
    client.force_login(bob)
    assert ask({**bearer(made(ada)), **cookie(client)}, session=True).user() == ada


def test_the_header_of_other_services_is_refused_by_itself_and_ignored_beside_ours(client: Client, ada: User) -> None:
    secret, client_cookie = made(ada), cookie
    client.force_login(ada)
    for name in ("x-api-key", "api-key"):
        assert refused({name: secret}) == (401, "wrong_header")
        assert refused({name: secret, **client_cookie(client)}, session=True) == (401, "wrong_header")
        assert refused({name: secret, "authorization": "Bearer no"}) == (401, "invalid_token")
        # Some programs send both: the one header decides, whatever the other says.
        assert ask({name: "sk-" + "a" * 48, **bearer(secret)}).kind == "key"


@pytest.mark.parametrize(
    "name",
    ["proxy-authorization", "x-authorization", "x-forwarded-user", "x-remote-user", "x_api_key", "authentication"],
)
def test_other_headers_are_nobody(ada: User, name: str) -> None:
    assert refused({name: f"Bearer {made(ada)}"}) == (401, "no_credential")


def test_header_names_with_an_underscore_reach_nobody() -> None:
    names = [b"x_api_key", b"api_key", b"http_authorization", b"authorization_", b"x_forwarded_for"]
    scope = {"method": "GET", "headers": [(name, b"sk-x") for name in names], "client": ("127.0.0.1", 1)}
    environ = make_environ(scope, path="/api/v1/me/", body=None, size=0)
    assert not [value for value in environ.values() if value == "sk-x"]


MALFORMED = [
    "Bearer", "Bearer ", "bearer", "Bearer  sk-a", "Bearer\tsk-a", "Bearer sk-a sk-b", "Bearer sk-a,sk-b", "Basic YTpi", "Digest x",
    " Bearer sk-a", "Bearer sk-a ", "Bearer sk-a\n", "Bearer sk-a\x00", "Bearer 'sk-a'", "Bearer sk-é", "Bearer \ud800", "BearerX sk-a",
    "Bearer " + "a" * 10_000, "' OR 1=1 --", ";", "\x00",
]  # fmt: skip


@pytest.mark.parametrize("shown", MALFORMED)
def test_a_malformed_header_is_refused_without_a_query(shown: str) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert refused({"authorization": shown}) == (401, "malformed")
    assert len(asked) == 0


@pytest.mark.parametrize(
    "secret", ["sk-", "sk-' OR 1=1 --", "sk-" + "a" * 47, "sk-" + "a" * 49, "a.b.c", "a.b", "abc", "eyJ"]
)
def test_what_is_well_formed_but_no_credential_is_refused(secret: str) -> None:
    status, code = refused({"authorization": f"Bearer {secret}"})
    assert (status, code in {"malformed", "invalid_key", "invalid_token"}) == (401, True)


def test_the_scheme_is_taken_in_any_capitals(ada: User) -> None:
    assert ask({"authorization": f"bEARER {made(ada)}"}).kind == "key"


# --- never in an address -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "key={secret}", "api_key=x", "API-KEY=x", "apikey=", "access_token=x", "token=x", "authorization=Bearer+x", "%6bey=x",
        "a=1&key=x", "q={secret}", "q=please+use+{secret}", "model={token}", "next=%2F%3Fkey%3D{secret}", " key=x",
    ],
)  # fmt: skip
def test_a_credential_in_the_address_is_refused_even_beside_a_good_header(ada: User, query: str) -> None:
    secret, token = made(ada), signed_in(ada).access
    asked = query.format(secret=secret, token=token)
    assert refused(bearer(secret), query=asked) == (400, "key_in_address")
    assert refused({}, query=asked) == (400, "key_in_address")


@pytest.mark.parametrize(
    "query", ["", "page=2", "q=keyboard", "monkey=1", "model=sk-learn", "q=a.b.c", "everyone=true", "&&", "=", "%ff"]
)
def test_other_queries_are_fine(ada: User, query: str) -> None:
    assert ask(bearer(made(ada)), query=query).kind == "key"


# --- what ends a credential --------------------------------------------------------------------------------------------


def change(**fields: Any) -> Callable[[User], None]:
    def deed(user: User) -> None:
        User.objects.filter(pk=user.pk).update(**fields)

    return deed


def demand_a_factor(user: User) -> None:
    Organisation.get()
    Organisation.objects.update(second_factor="all")


ENDS: dict[str, tuple[Callable[[User], None], dict[str, tuple[int, str] | None]]] = {
    "switched off": (
        change(is_active=False),
        {"key": (401, "invalid_key"), "token": (401, "invalid_token"), "session": (401, "no_credential")},
    ),
    "waits for approval": (
        change(is_active=False, awaits_approval=True),
        {"key": (401, "invalid_key"), "token": (401, "invalid_token"), "session": (401, "no_credential")},
    ),
    "has a one-time password": (
        change(password_expired=True),
        {"key": (403, "password_expired"), "token": (403, "password_expired"), "session": (401, "no_credential")},
    ),
    "lacks the second factor": (
        demand_a_factor,
        {
            "key": (403, "second_factor_missing"),
            "token": (403, "second_factor_missing"),
            "session": (403, "second_factor_missing"),
        },
    ),
    "signed out everywhere": (
        User.sign_out_everywhere,
        {"key": None, "token": (401, "invalid_token"), "session": (401, "no_credential")},
    ),
    "a program's account by now": (
        change(is_service=True),
        {"key": None, "token": (401, "invalid_token"), "session": (401, "no_credential")},
    ),
    "signed in through the company too long ago": (
        change(sso_at=ago(days=31)),
        {"key": (403, "key_paused"), "token": None, "session": None},
    ),
}


@pytest.mark.parametrize("why", ENDS)
def test_what_happens_to_the_person_acts_on_the_next_request(client: Client, ada: User, why: str) -> None:
    client.force_login(ada)
    shown = {"key": bearer(made(ada)), "token": bearer(signed_in(ada).access), "session": cookie(client)}
    for headers in shown.values():
        ask(headers, session=True)
    deed, expected = ENDS[why]
    deed(ada)
    for kind, headers in shown.items():
        wanted = expected[kind]
        if wanted is None:
            ask(headers, session=True)
        else:
            assert refused(headers, session=True) == wanted, kind


def test_what_happens_to_the_credential_acts_on_the_next_request(ada: User) -> None:
    one, other, pair = made(ada), made(ada, name="other"), signed_in(ada)
    ask(bearer(one))
    ApiKey.objects.filter(name="editor").update(revoked_at=ago())
    assert refused(bearer(one)) == (401, "invalid_key")
    ask(bearer(other))
    ask(bearer(pair.access))
    login_sessions.end(pair.session, because="ended_by_owner")
    assert refused(bearer(pair.access)) == (401, "invalid_token")


def test_a_right_that_is_gone_is_gone_for_key_and_token(ada: User) -> None:
    User.objects.update(is_staff=True)
    ada.refresh_from_db()
    shown = (bearer(made(ada, scopes=["chat", "admin"])), bearer(signed_in(ada).access))
    assert all("admin" in ask(headers).scopes for headers in shown)
    User.objects.update(is_staff=False)
    assert not any("admin" in ask(headers).scopes for headers in shown)


def test_a_key_from_a_wrong_address_is_an_unknown_one_whose_answer_names_the_address(ada: User) -> None:
    secret = made(ada, allowed_ips=["10.0.0.0/8"])
    with pytest.raises(Unauthenticated) as error:
        ask(bearer(secret))
    assert error.value.code == "invalid_key"
    assert ADDRESS in str(error.value.message)
    assert ask(bearer(secret), address="10.1.1.1").kind == "key"


def test_a_second_factor_of_the_company_is_enough(client: Client, ada: User) -> None:
    demand_a_factor(ada)
    User.objects.update(sso_at=ago(days=1))
    assert ask(bearer(made(ada))).kind == "key"
    client.force_login(ada)
    session = client.session
    session[login_sessions.METHOD] = "sso:corp"
    session.save()
    assert ask(cookie(client), session=True).kind == "session"
    assert refused(bearer(signed_in(ada).access)) == (403, "second_factor_missing")


def test_a_programs_account_needs_no_second_factor_and_never_pauses(ada: User) -> None:
    program = User.objects.create(email="r@programs.invalid", is_service=True, owner=ada, sso_at=ago(days=400))
    demand_a_factor(ada)
    secret = made(program, by=ada)
    assert ask(bearer(secret)).user() == program


def test_using_a_token_notes_it_on_its_sign_in(ada: User) -> None:
    pair = signed_in(ada)
    LoginSession.objects.update(last_used_at=ago(minutes=5))
    ask(bearer(pair.access))
    assert LoginSession.objects.get().last_used_at > ago(minutes=1)


def test_an_unknown_key_takes_as_long_as_a_revoked_or_a_known_one(ada: User) -> None:
    """A25 for keys: what can be measured is one look-up by digest, whatever the key is."""
    known, revoked = made(ada, allowed_ips=["10.0.0.0/8"]), made(ada, name="revoked")
    ApiKey.objects.filter(name="revoked").update(revoked_at=ago())
    took: dict[str, list[float]] = {known: [], revoked: [], "sk-" + "a" * 48: []}
    for _ in range(60):
        for secret, times in took.items():
            start = time.perf_counter()
            refused(bearer(secret))
            times.append(time.perf_counter() - start)
    quickest = [min(times) for times in took.values()]  # a busy machine only makes things slower
    assert max(quickest) - min(quickest) < 0.003, quickest
