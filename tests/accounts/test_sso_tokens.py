"""Tokens that lie: unsigned, signed by others, for others, for other purposes, too old. None lets anybody in.

Each test first walks the way that works, or shows by its neighbour that the way works, and then bends one thing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client

from accounts import sso_metadata
from accounts.models import SsoConnection, User
from tests.accounts.sso_issuer import KEY, OTHER_KEY, Claims, Issuer, come_in, public_jwk, refused, sign, who

pytestmark = pytest.mark.django_db
NOT_BELIEVED = "Your company's answer could not be believed, so nobody was signed in."
SMALL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(claims: Claims) -> str:
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def with_the_public_key_as_a_secret(claims: Claims) -> str:
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # the library refuses to sign so: an attacker does not ask it
    return by_hand(claims, secret=pem)


def with_the_client_secret(claims: Claims) -> str:
    return by_hand(claims, secret=Issuer.secret.encode())


def by_hand(claims: Claims, *, secret: bytes) -> str:
    head = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'first'})}.{part(claims)}"
    mac = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def changed_after_signing(claims: Claims) -> str:
    head, _, mac = sign(claims).split(".")
    return f"{head}.{part(claims | {'sub': 'root'})}.{mac}"


SIGNATURES = {
    "another key under the same name": lambda claims: sign(claims, key=OTHER_KEY),
    "a key that nobody knows": lambda claims: sign(claims, key=OTHER_KEY, kid="mine"),
    "none": unsigned,
    "None in capitals": lambda claims: unsigned(claims).replace(
        part({"alg": "none", "typ": "JWT"}), part({"alg": "nOnE", "typ": "JWT"})
    ),
    "the public key as a secret": with_the_public_key_as_a_secret,
    "the client secret": with_the_client_secret,
    "changed after signing": changed_after_signing,
    "the key in the token itself": lambda claims: sign(claims, key=OTHER_KEY, jwk=public_jwk(OTHER_KEY)),
    "an address for keys in the token": lambda claims: sign(claims, key=OTHER_KEY, jku="https://evil.example/keys"),
    "a critical extension": lambda claims: sign(claims, crit=["exp"]),
    "no token": lambda claims: "",
    "no JWT": lambda claims: "eyJ.abc.def",
    "a hundred thousand brackets": lambda claims: f"{part({'alg': 'RS256', 'kid': 'first'})}.{'W' * 100_000}.x",
}


@pytest.mark.parametrize("how", SIGNATURES)
def test_a_token_that_the_issuer_did_not_sign_lets_nobody_in(
    client: Client, company: SsoConnection, issuer: Issuer, how: str
) -> None:
    issuer.metadata = lambda said: said | {"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]}
    issuer.sign = SIGNATURES[how]
    assert refused(come_in(client)) == NOT_BELIEVED
    assert (User.objects.count(), SocialAccount.objects.count(), who(client)) == (0, 0, "")
    issuer.sign = sign
    assert come_in(client).status_code == 302


def test_weak_keys_and_keys_for_other_purposes_prove_nothing(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    issuer.keys = [public_jwk(SMALL_KEY)]
    issuer.sign = lambda claims: sign(claims, key=SMALL_KEY)
    with pytest.warns(Warning, match="minimum"):
        assert refused(come_in(client)) == NOT_BELIEVED
    sso_metadata.forget()
    issuer.sign = sign
    issuer.keys = [public_jwk(use="enc")]
    assert refused(come_in(client)) == "Your company's sign-in server refused."
    sso_metadata.forget()
    issuer.keys = [public_jwk(alg="PS256")]
    assert refused(come_in(client)) == NOT_BELIEVED
    assert User.objects.count() == 0


CLAIMS: dict[str, Claims] = {
    "another issuer": {"iss": "https://evil.example"},
    "the issuer with a slash": {"iss": None},
    "another audience": {"aud": "another-client"},
    "several audiences and nobody named": {"aud": ["portal", "another-client"]},
    "handed over by another client": {"aud": ["portal", "another-client"], "azp": "another-client"},
    "no audience": {"aud": []},
    "expired": {"exp": 1_000_000_000},
    "no end": {"exp": None},
    "made in the future": {"iat": 4_000_000_000},
    "another nonce": {"nonce": "a nonce of somebody else's sign-in"},
    "no nonce": {"nonce": None},
    "a nonce that is no text": {"nonce": 7},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is no text": {"sub": 7},
    "a subject of 300 characters": {"sub": "x" * 300},
    "a subject with a line break": {"sub": "ada\n1"},
    "a logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
}


@pytest.mark.parametrize("what", CLAIMS)
def test_a_signed_token_that_is_not_for_this_sign_in_lets_nobody_in(
    client: Client, company: SsoConnection, issuer: Issuer, what: str
) -> None:
    twist = {"iss": f"{issuer.url}/"} if what == "the issuer with a slash" else CLAIMS[what]
    issuer.claims = lambda claims: {
        name: value for name, value in (claims | issuer.person | twist).items() if value is not None
    }
    issuer.sign = lambda claims: sign_anything(
        claims | {k: v for k, v in twist.items() if v is not None}, without=twist
    )
    assert refused(come_in(client)) == NOT_BELIEVED
    assert (User.objects.count(), who(client)) == (0, "")


def sign_anything(claims: Claims, *, without: Claims) -> str:
    """Signed with the right key, though the library would not make such a token."""
    kept = {name: value for name, value in claims.items() if not (name in without and without[name] is None)}
    return jwt.PyJWS().encode(json.dumps(kept).encode(), KEY, algorithm="RS256", headers={"kid": "first"})


def test_several_audiences_are_fine_when_the_token_says_it_is_for_us(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    issuer.claims = lambda claims: claims | {"aud": ["portal", "api"], "azp": "portal"}
    assert come_in(client).status_code == 302


def test_keys_that_changed_are_asked_for_again_but_not_for_every_name(
    client: Client, company: SsoConnection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert come_in(client).status_code == 302
    issuer.keys, issuer.sign = [public_jwk(OTHER_KEY, kid="second")], lambda c: sign(c, key=OTHER_KEY, kid="second")
    assert refused(come_in(Client())) == NOT_BELIEVED
    assert len(issuer.asked("/keys")) == 1
    monkeypatch.setattr(sso_metadata, "NEW_KEYS_S", 0)
    assert come_in(Client()).status_code == 302
    assert len(issuer.asked("/keys")) == 2


def test_a_key_of_another_kind_is_as_good_if_the_issuer_names_it(
    client: Client, company: SsoConnection, issuer: Issuer
) -> None:
    curve: Claims = jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
    issuer.keys = [public_jwk(), curve | {"kid": "curve"}]
    issuer.sign = lambda claims: sign(claims, key=EC_KEY, algorithm="ES256", kid="curve")
    assert refused(come_in(client)) == NOT_BELIEVED  # its document names RS256 only
    sso_metadata.forget()
    issuer.metadata = lambda said: said | {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
    assert come_in(client).status_code == 302
