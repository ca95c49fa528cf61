"""What an OpenID Connect issuer says about itself (discovery document) and its public keys: asked, judged, kept a while.

Believes nothing that the standard does not allow: another issuer than the one that was asked, addresses without TLS, and keys
that are not for signing are refused. Decides nothing about people.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from accounts import sso_fetch

KEPT_S = 600.0
FAILED_S = 10.0
"""A failure is remembered so long: a dead issuer does not hold a thread of the web for each try."""
NEW_KEYS_S = 60.0
"""An unknown key's name makes us ask for the keys again, at most this often."""
MOST_KEPT = 50
WELL_KNOWN = "/.well-known/openid-configuration"
# Signatures that only the issuer can make: no shared secret, and never "none".
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


class Fault(StrEnum):
    """What is wrong with what an issuer says about itself."""

    STATUS = "status"
    REDIRECT = "redirect"
    ISSUER = "issuer"
    MISSING = "missing"
    ENDPOINT = "endpoint"
    FLOW = "flow"
    ALGORITHM = "algorithm"
    CLIENT_AUTH = "client_auth"
    KEYS = "keys"


class BadMetadata(Exception):
    """The issuer answered, but not with what can be used; `detail` may be shown to an administrator."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        self.fault, self.detail = fault, sso_fetch.one_line(detail)
        super().__init__(f"{fault}: {self.detail}" if detail else str(fault))


@dataclass(frozen=True)
class Metadata:
    """An issuer as it may be used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    client_auth: str  # basic or post
    algorithms: tuple[str, ...]
    names_itself: bool  # its answers carry `iss` (RFC 9207): one without is not its own


Failure = sso_fetch.Unanswered | BadMetadata
_kept: dict[str, tuple[float, Metadata | Failure]] = {}
_keys: dict[str, tuple[float, list[dict[str, Any]] | Failure]] = {}


def metadata(server_url: str) -> Metadata:
    """The issuer at this address, asked for at most once in ten minutes. Raises Unanswered, BadMetadata."""
    held = _kept.get(server_url)
    if held and held[0] > time.monotonic():
        if isinstance(held[1], Metadata):
            return held[1]
        raise held[1].with_traceback(None)
    try:
        found = read(server_url)
    except (sso_fetch.Unanswered, BadMetadata) as error:
        _keep(_kept, server_url, (time.monotonic() + FAILED_S, error))
        raise
    _keep(_kept, server_url, (time.monotonic() + KEPT_S, found))
    return found


def read(server_url: str) -> Metadata:
    """Asks the issuer now. Raises Unanswered, BadMetadata."""
    base = server_url.rstrip("/")
    said = _document(base + WELL_KNOWN)
    issuer = _text(said, "issuer")
    if issuer.rstrip("/") != base:
        raise BadMetadata(Fault.ISSUER, issuer)
    flows = said.get("response_types_supported")
    if isinstance(flows, list) and "code" not in flows:
        raise BadMetadata(Fault.FLOW)
    named = said.get("id_token_signing_alg_values_supported")
    algorithms = tuple(name for name in ALGORITHMS if not isinstance(named, list) or name in named)
    if not algorithms:
        raise BadMetadata(Fault.ALGORITHM, ", ".join(map(str, named or [])))
    return Metadata(
        issuer=issuer,
        authorization_endpoint=_endpoint(said, "authorization_endpoint"),
        token_endpoint=_endpoint(said, "token_endpoint"),
        jwks_uri=_endpoint(said, "jwks_uri"),
        userinfo_endpoint=_endpoint(said, "userinfo_endpoint") if said.get("userinfo_endpoint") else "",
        client_auth=_client_auth(said),
        algorithms=algorithms,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def key(issuer: Metadata, *, kid: str, algorithm: str) -> dict[str, Any] | None:
    """The issuer's key of this name for this algorithm; asked for again when the name is new. Raises Unanswered, BadMetadata."""
    held = _keys.get(issuer.jwks_uri)
    now = time.monotonic()
    if held is None or held[0] < now - KEPT_S or (isinstance(held[1], Exception) and held[0] < now - FAILED_S):
        held = _ask_for_keys(issuer.jwks_uri)
    found = _fitting(held[1], kid=kid, algorithm=algorithm)
    if found is None and held[0] < now - NEW_KEYS_S:
        held = _ask_for_keys(issuer.jwks_uri)
        found = _fitting(held[1], kid=kid, algorithm=algorithm)
    return found


def signing_keys(jwks_uri: str) -> list[dict[str, Any]]:
    """The issuer's public keys, asked for now, without those that sign nothing. Raises Unanswered, BadMetadata."""
    keys = _document(jwks_uri).get("keys")
    if not isinstance(keys, list):
        raise BadMetadata(Fault.KEYS)
    usable = [
        each
        for each in keys
        if isinstance(each, dict) and each.get("use", "sig") == "sig" and each.get("kty") in _KEY_TYPES.values()
    ]
    if not usable:
        raise BadMetadata(Fault.KEYS)
    return usable


def forget() -> None:
    """Asks everybody anew: after an administrator changed something, and between tests."""
    _kept.clear()
    _keys.clear()


def _ask_for_keys(jwks_uri: str) -> tuple[float, list[dict[str, Any]] | Failure]:
    answer: list[dict[str, Any]] | Failure
    try:
        answer = signing_keys(jwks_uri)
    except (sso_fetch.Unanswered, BadMetadata) as error:
        answer = error
    held = (time.monotonic(), answer)
    _keep(_keys, jwks_uri, held)
    return held


def _fitting(keys: list[dict[str, Any]] | Failure, *, kid: str, algorithm: str) -> dict[str, Any] | None:
    if isinstance(keys, Exception):
        raise keys.with_traceback(None)
    fitting = [
        each for each in keys if each["kty"] == _KEY_TYPES[algorithm[:2]] and each.get("alg", algorithm) == algorithm
    ]
    if not kid:  # a token need not name its key when there is one only
        return fitting[0] if len(fitting) == 1 else None
    return next((each for each in fitting if each.get("kid") == kid), None)


def _document(url: str) -> dict[str, Any]:
    answer = sso_fetch.fetch(url)
    if 300 <= answer.status < 400:
        raise BadMetadata(Fault.REDIRECT, answer.headers.get("location", ""))
    if answer.status != 200:
        raise BadMetadata(Fault.STATUS, f"HTTP {answer.status}")
    return answer.json()


def _endpoint(said: dict[str, Any], name: str) -> str:
    url = _text(said, name)
    try:
        sso_fetch.check(url)
    except sso_fetch.Unanswered as error:
        raise BadMetadata(Fault.ENDPOINT, f"{name}: {url} ({error})") from None
    return url


def _text(said: dict[str, Any], name: str) -> str:
    found = said.get(name)
    if not isinstance(found, str) or not found or len(found) > 2000:
        raise BadMetadata(Fault.MISSING, name)
    return found


def _client_auth(said: dict[str, Any]) -> str:
    methods = said.get("token_endpoint_auth_methods_supported")
    if not isinstance(methods, list):
        return "basic"
    for way in ("post", "basic"):  # in a form there is nothing to encode wrongly
        if f"client_secret_{way}" in methods:
            return way
    raise BadMetadata(Fault.CLIENT_AUTH, ", ".join(map(str, methods)))


def _keep(where: dict[str, Any], name: str, value: Any) -> None:
    if len(where) >= MOST_KEPT:
        where.clear()
    where[name] = value
