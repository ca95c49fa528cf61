"""What a token looks like and when its words are believed: signed by a key of ours, of the right kind, in time. Knows no database.

Built on simplejwt's token classes. Its backend is replaced, because it knows one key only and neither reads nor writes a header
(`kid`, `typ`), demands no claim, and accepts any `aud` that contains ours. Refuses every algorithm but one and every header
field but three: keys never come from the token.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

__all__ = ["LONGEST", "Access", "Claims", "Refresh", "TokenError"]

ALGORITHM = "HS256"
LEEWAY_S = 10
"""By so much the clocks of two web processes may differ."""
LONGEST = 2048
"""Characters. Ours have about 500; longer ones are not looked at."""
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_CLAIMS = ["exp", "iat", "jti", "sub", "sid", "sv", "aud", "iss"]


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token it is: the person's and the sign-in's public ids, and the version they must still have."""

    person: str
    session: str
    version: int


class Backend(TokenBackend):
    """Signs with the first key of JWT_KEYS and verifies with the one that the token names."""

    def __init__(self, *, typ: str, path: str) -> None:
        super().__init__(ALGORITHM, audience=settings.JWT_ISSUER + path, issuer=settings.JWT_ISSUER, leeway=LEEWAY_S)
        self.typ = typ

    def encode(self, payload: dict[str, Any]) -> str:
        kid, secret = next(iter(settings.JWT_KEYS.items()))
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(claims, secret, algorithm=ALGORITHM, headers={"kid": kid, "typ": self.typ})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002  # the library's signature
        if not verify:
            raise TokenBackendError("no token is read without being verified")
        if not isinstance(token, str) or len(token) > LONGEST or not _SHAPE.fullmatch(token) or not _canonical(token):
            raise TokenBackendError("no token")
        try:
            secret = self._secret(jwt.get_unverified_header(token))
            options: Any = {"require": _CLAIMS, "strict_aud": True}
            return jwt.decode(
                token,
                secret,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options=options,
            )
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise TokenBackendError("not believed") from error

    def _secret(self, header: dict[str, Any]) -> str:
        """The key that the header names, if the header is exactly one of ours."""
        kid = header.get("kid")
        if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != self.typ:
            raise TokenBackendError("not our header")
        if not isinstance(kid, str) or kid not in settings.JWT_KEYS:
            raise TokenBackendError("not our key")
        secret: str = settings.JWT_KEYS[kid]
        return secret


class _Signed(Token):
    """One kind of token; `most` is how long one of it may live."""

    typ = ""
    path = ""
    lifetime = dt.timedelta(0)

    def get_token_backend(self) -> Backend:
        return Backend(typ=self.typ, path=self.path)

    def verify(self) -> None:
        """The claims' types, a life that is not longer than any we give, and then simplejwt's own checks (which trust the types)."""
        claims = self.payload
        texts = all(isinstance(claims[name], str) for name in ("sub", "sid", "jti"))
        numbers = all(type(claims[name]) is int for name in ("exp", "iat", "sv"))
        if not texts or not numbers or claims["exp"] - claims["iat"] > self.most().total_seconds():
            raise TokenError("not one of ours")
        super().verify()

    @classmethod
    def most(cls) -> dt.timedelta:
        """The longest life of a token of this kind."""
        raise NotImplementedError

    @classmethod
    def sign(cls, claims: Claims, *, until: dt.datetime) -> tuple[str, _Signed]:
        """A new token of this kind as text and with its claims; it ends with the session at the latest."""
        token = cls()
        token.set_exp(lifetime=min(cls.most(), max(until - token.current_time, dt.timedelta(0))))
        token["sub"], token["sid"], token["sv"] = claims.person, claims.session, claims.version
        return str(token), token


class Access(_Signed):
    """Opens the API for a few minutes."""

    token_type = "access"  # noqa: S105  # a kind, no secret
    typ = "at+jwt"
    path = "/api/"

    @classmethod
    def most(cls) -> dt.timedelta:
        return dt.timedelta(minutes=settings.JWT_ACCESS_MINUTES)


class Refresh(_Signed):
    """Is exchanged once for the next pair; opens nothing else."""

    token_type = "refresh"  # noqa: S105  # a kind, no secret
    typ = "rt+jwt"
    path = "/api/v1/auth/token/"

    @classmethod
    def most(cls) -> dt.timedelta:
        return dt.timedelta(days=min(settings.JWT_IDLE_DAYS, settings.JWT_SESSION_DAYS))


def _canonical(token: str) -> bool:
    """Whether each part is the one way to write its bytes: the last character's spare bits must be nought."""
    for part in token.split("."):
        try:
            raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except (binascii.Error, ValueError):
            return False
        if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode():
            return False
    return True
