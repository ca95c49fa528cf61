"""A12 and A43: tokens that somebody else made, changed, or shows in the wrong place. Each is refused without an error.

First it is shown that the hand that forges them here can also write a right one.
"""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.conf import settings as live
from rest_framework_simplejwt import tokens as library

from accounts import token_format, tokens
from accounts.models import LoginSession, User
from accounts.tokens import TokenRefused
from tests.accounts.programs import asked, forged, key, packed, signed_in

pytestmark = pytest.mark.django_db
FAR = 4_102_444_800


def believed(access: str) -> bool:
    try:
        tokens.read_access(access)
    except TokenRefused:
        return False
    return True


@pytest.fixture
def session(ada: User) -> LoginSession:
    return signed_in(ada).session


def test_the_forging_hand_can_write_a_right_one(session: LoginSession) -> None:
    assert believed(forged(session))


HEADERS: dict[str, dict[str, Any]] = {
    "another algorithm": {"alg": "HS512"},
    "no algorithm": {"alg": "none"},
    "no algorithm, in capitals": {"alg": "NoNe"},
    "an empty algorithm": {"alg": ""},
    "a list of algorithms": {"alg": ["HS256"]},
    "a public-key algorithm": {"alg": "RS256"},
    "no header algorithm": {"alg": None},
    "no key id": {"kid": None},
    "another key id": {"kid": "other"},
    "an empty key id": {"kid": ""},
    "a number as key id": {"kid": 0},
    "a path as key id": {"kid": "../../../../dev/null"},
    "a query as key id": {"kid": "x' UNION SELECT 'a"},
    "a list as key id": {"kid": ["a"]},
    "a key of its own": {"jwk": {"kty": "oct", "k": packed(b"a" * 32)}},
    "a key's address": {"jku": "https://evil.example/keys"},
    "a certificate's address": {"x5u": "https://evil.example/cert"},
    "a certificate": {"x5c": ["MIIB"]},
    "something critical": {"crit": ["exp"]},
    "an unknown extension": {"crit": ["b64"], "b64": False},
    "a refresh token's type": {"typ": "rt+jwt"},
    "a general type": {"typ": "JWT"},
    "no type": {"typ": None},
    "a nested token": {"cty": "JWT"},
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_not_ours_is_refused_though_the_signature_is_right(session: LoginSession, name: str) -> None:
    assert not believed(forged(session, header=HEADERS[name]))


CLAIMS: dict[str, dict[str, Any]] = {
    "over": {"exp": 1_700_000_000, "iat": 1_699_999_940},
    "an end far away": {"exp": FAR},
    "an end beyond all numbers": {"exp": 10**400},
    "an end as text": {"exp": "4102444800"},
    "an end that is no whole number": {"exp": time.time() + 60.5},
    "an end that is no number": {"exp": [FAR]},
    "made tomorrow": {"iat": int(time.time()) + 86_400, "exp": int(time.time()) + 86_460},
    "not valid before tomorrow": {"nbf": int(time.time()) + 86_400},
    "another audience": {"aud": "https://evil.example/api/"},
    "ours among other audiences": {"aud": ["http://localhost/api/", "https://evil.example/"]},
    "the refresh token's audience": {"aud": "http://localhost/api/v1/auth/token/"},
    "another issuer": {"iss": "https://evil.example"},
    "a list of issuers": {"iss": ["http://localhost"]},
    "a refresh token's kind": {"token_type": "refresh"},
    "no kind": {"token_type": None},
    "an older version": {"sv": 0},
    "a later version": {"sv": 2},
    "the version as text": {"sv": "1"},
    "the version as yes": {"sv": True},
    "another sign-in": {"sid": "00000000-0000-0000-0000-000000000000"},
    "a sign-in that is no number": {"sid": "' OR 1=1 --"},
    "a list as sign-in": {"sid": ["a"]},
    "NUL as sign-in": {"sid": "\x00"},
    "another person": {"sub": "00000000-0000-0000-0000-000000000000"},
    "a number as person": {"sub": 1},
    "a number as id": {"jti": 1},
}


@pytest.mark.parametrize("name", CLAIMS)
def test_words_that_are_not_ours_are_refused_though_the_signature_is_right(session: LoginSession, name: str) -> None:
    assert not believed(forged(session, **CLAIMS[name]))


@pytest.mark.parametrize("claim", ["exp", "iat", "jti", "sub", "sid", "sv", "aud", "iss", "token_type"])
def test_each_word_must_be_there(session: LoginSession, claim: str) -> None:
    assert not believed(forged(session, drop=claim))


def test_a_token_that_ended_just_now_is_believed_within_the_leeway_only(session: LoginSession) -> None:
    now = int(time.time())
    assert believed(forged(session, iat=now - 60, exp=now - token_format.LEEWAY_S + 3))
    assert not believed(forged(session, iat=now - 60, exp=now - token_format.LEEWAY_S - 1))


def test_a_signature_by_another_key_is_refused(session: LoginSession) -> None:
    for secret in (live.SECRET_KEY, "a" * 64, b"\x00" * 32, key()[0]):
        assert not believed(forged(session, secret=secret))
    assert not believed(forged(session, algorithm="sha512"))


def test_every_bit_of_a_token_counts(session: LoginSession) -> None:
    token = forged(session)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    believed_ones = []
    for place, char in enumerate(token):
        if char != ".":
            for bit in (1, 2, 4, 8, 16, 32):
                other = alphabet[alphabet.index(char) ^ bit]
                changed = token[:place] + other + token[place + 1 :]
                try:
                    token_format.Access(changed)  # type: ignore[arg-type]  # the library's annotation is wrong
                except token_format.TokenError:
                    continue
                believed_ones.append(changed)
    assert believed_ones == []


def test_parts_of_two_tokens_do_not_make_a_third(session: LoginSession, ada: User) -> None:
    one, other = forged(session).split("."), forged(signed_in(ada).session).split(".")
    assert not believed(".".join([one[0], other[1], one[2]]))
    assert not believed(".".join([other[0], other[1], one[2]]))


def test_what_is_no_token_at_all_is_refused(session: LoginSession) -> None:
    first, words, signature = forged(session).split(".")
    deep = packed(b"[" * 1200)
    for text in (
        "", ".", "..", "...", first, f"{first}.{words}", f"{first}.{words}.", f".{words}.{signature}", f"{first}..{signature}",
        f"{first}.{words}.{signature}.{signature}", f" {first}.{words}.{signature}", f"{first}.{words}.{signature}\n",
        f"{first}=.{words}.{signature}", f"{first}.{words}.{signature}=", f"{first}.{words}\x00.{signature}",
        f"{first}.{words}.{signature}é", "\ud800.\ud800.\ud800", f"{deep}.{words}.{signature}", f"{first}.{deep}.{signature}",
        f"{packed(b'null')}.{words}.{signature}", f"{packed(b'[]')}.{words}.{signature}", f"{packed(b'no')}.{words}.{signature}",
    ):  # fmt: skip
        assert not believed(text), text[:80]


def test_a_megabyte_of_token_is_not_even_looked_at(session: LoginSession) -> None:
    long = forged(session, padding="x" * 1_000_000)
    start = time.perf_counter()
    for _ in range(1000):
        assert not believed(long)
    assert time.perf_counter() - start < 2  # a thousand


def test_a_refresh_token_opens_nothing_and_an_access_token_refreshes_nothing(ada: User) -> None:
    pair = signed_in(ada)
    assert not believed(pair.refresh)
    for deed in (tokens.rotate, tokens.revoke):
        with pytest.raises(TokenRefused):
            deed(pair.access, request=asked())
    assert believed(pair.access)  # nothing was ended by trying


def test_a_refresh_token_made_into_an_access_token_by_its_words_alone_is_refused(session: LoginSession) -> None:
    refreshing: dict[str, Any] = {"token_type": "refresh", "aud": f"{live.JWT_ISSUER}/api/v1/auth/token/"}
    written = forged(session, header={"typ": "rt+jwt"}, **refreshing)
    # Rightly signed and of the right kind, but no row knows it: a key alone makes no refresh token.
    for text in (written, forged(session, header={"typ": "rt+jwt"}), forged(session, **refreshing)):
        with pytest.raises(TokenRefused):
            tokens.rotate(text, request=asked())


def test_the_librarys_own_classes_sign_and_believe_nothing_here(ada: User) -> None:
    with pytest.raises(TypeError):
        str(library.AccessToken())
    pair = signed_in(ada)
    with pytest.raises((token_format.TokenError, TypeError)):
        library.AccessToken(pair.access)  # type: ignore[arg-type]  # the library's annotation is wrong


def test_nothing_is_read_unverified(ada: User) -> None:
    with pytest.raises(token_format.TokenError):
        token_format.Access(signed_in(ada).access, verify=False)  # type: ignore[arg-type]  # the library's annotation is wrong


def test_a_library_with_known_holes_is_not_installed() -> None:
    assert tuple(int(part) for part in jwt.__version__.split(".")[:2]) >= (2, 12)


def test_keys_are_rotated_without_signing_anybody_out(ada: User, settings: Any) -> None:
    old = signed_in(ada)
    settings.JWT_KEYS = {"next": "n" * 20 + "-0123456789abcdef", **settings.JWT_KEYS}
    new = signed_in(ada)
    assert jwt.get_unverified_header(new.access)["kid"] == "next"
    assert believed(old.access)
    assert believed(new.access)
    following = tokens.rotate(old.refresh, request=asked())
    assert jwt.get_unverified_header(following.refresh)["kid"] == "next"
    settings.JWT_KEYS = {"next": settings.JWT_KEYS["next"]}
    assert not believed(old.access)
    assert believed(new.access)


def test_another_installation_with_the_same_keys_believes_nothing(ada: User, settings: Any) -> None:
    pair = signed_in(ada)
    settings.JWT_ISSUER = "https://trial.example.com"
    assert not believed(pair.access)
    with pytest.raises(TokenRefused):
        tokens.rotate(pair.refresh, request=asked())
