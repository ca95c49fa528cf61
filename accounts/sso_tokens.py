"""Reads the signed tokens of an issuer: who signed in (id_token), and who is to be signed out (logout_token).

Every check is made here and none is left to the library's defaults: signature by the issuer's own key, algorithm, issuer,
audience, time, nonce, purpose. Heavy (PyJWT): loaded when somebody signs in through the company.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.utils.crypto import constant_time_compare

from accounts import sso_metadata
from accounts.sso_metadata import ALGORITHMS, Metadata

LONGEST = 64 * 1024
LEEWAY_S = 60
SMALLEST_RSA = 2048
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE_S = 300
LONGEST_SUBJECT = 191  # what fits beside the connection's name in the unique index of identities
LONGEST_SESSION = 255


class BadToken(Exception):
    """A token that is not believed; `reason` is one word for the log, never the token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Logout:
    """Whom the issuer signs out: one sign-in (`session`), or everywhere (`subject`)."""

    subject: str
    session: str
    jti: str
    expires_at: float


def identity(token: str, *, issuer: Metadata, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims about who signed in. Raises BadToken, Unanswered, BadMetadata."""
    claims = _verified(token, issuer=issuer, client_id=client_id, required=["exp", "iat", "iss", "aud", "sub"])
    if "events" in claims:
        raise BadToken("purpose")
    said = claims.get("nonce")
    if not nonce or not isinstance(said, str) or not constant_time_compare(said, nonce):
        raise BadToken("nonce")
    subject = claims["sub"]
    if not subject or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise BadToken("subject")
    return claims


def logout(token: str, *, issuer: Metadata, client_id: str) -> Logout:
    """Whom to sign out. Raises BadToken, Unanswered, BadMetadata."""
    claims = _verified(token, issuer=issuer, client_id=client_id, required=["iat", "iss", "aud", "jti"])
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise BadToken("purpose")
    if "nonce" in claims:  # it is an id_token in disguise
        raise BadToken("purpose")
    subject, session, jti = (claims.get(name, "") for name in ("sub", "sid", "jti"))
    if not all(isinstance(each, str) for each in (subject, session, jti)) or not jti or not (subject or session):
        raise BadToken("subject")
    now, made = time.time(), claims["iat"]
    if not isinstance(made, int | float) or made < now - LOGOUT_AGE_S - LEEWAY_S:
        raise BadToken("expired")
    return Logout(subject, session[:LONGEST_SESSION], jti, now + LOGOUT_AGE_S + 2 * LEEWAY_S)


def _verified(token: str, *, issuer: Metadata, client_id: str, required: list[str]) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > LONGEST:
        raise BadToken("malformed")
    try:
        claims = _decoded(token, issuer=issuer, client_id=client_id, required=required)
    except jwt.InvalidIssuerError:
        raise BadToken("issuer") from None
    except jwt.InvalidAudienceError:
        raise BadToken("audience") from None
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        raise BadToken("expired") from None
    except jwt.InvalidSignatureError:
        raise BadToken("signature") from None
    except jwt.MissingRequiredClaimError:
        raise BadToken("claims") from None
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        raise BadToken("malformed") from None
    _check_audience(claims, client_id=client_id)
    return claims


def _decoded(token: str, *, issuer: Metadata, client_id: str, required: list[str]) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    algorithm, kid = header.get("alg"), header.get("kid", "")
    if algorithm not in ALGORITHMS or algorithm not in issuer.algorithms:
        raise BadToken("algorithm")
    if not isinstance(kid, str):
        raise BadToken("malformed")
    known = sso_metadata.key(issuer, kid=kid, algorithm=algorithm)
    if known is None:
        raise BadToken("key")
    public = jwt.PyJWK(known, algorithm).key
    if isinstance(public, RSAPublicKey) and public.key_size < SMALLEST_RSA:
        raise BadToken("key")
    claims: dict[str, Any] = jwt.decode(
        token,
        public,
        algorithms=[algorithm],
        issuer=issuer.issuer,
        audience=client_id,
        leeway=LEEWAY_S,
        options={"require": required},
    )
    return claims


def _check_audience(claims: dict[str, Any], *, client_id: str) -> None:
    """A token for several, or handed over by another client, is for us only if it says so."""
    audience, party = claims["aud"], claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise BadToken("audience")
    if party is not None and party != client_id:
        raise BadToken("audience")
