"""What tests of tokens, keys and the API share: requests as programs send them, and tokens written by hand."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import uuid
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts import tokens
from accounts.models import LoginSession, User

ADDRESS = "192.0.2.7"
AGENT = "curl/8.1"


def asked(address: str = ADDRESS, agent: str = AGENT) -> HttpRequest:
    """A request from somewhere, by some program."""
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": address, "HTTP_USER_AGENT": agent}
    return request


def signed_in(user: User, **where: str) -> tokens.Pair:
    """A new sign-in of a program."""
    return tokens.issue(user, request=asked(**where), method="password")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def packed(words: bytes | dict[str, Any]) -> str:
    raw = words if isinstance(words, bytes) else json.dumps(words).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unpacked(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def key() -> tuple[str, str]:
    """Name and secret of the key that signs."""
    return next(iter(settings.JWT_KEYS.items()))


def forged(
    session: LoginSession,
    *,
    header: dict[str, Any] | None = None,
    secret: str | bytes = "",
    algorithm: str = "sha256",
    drop: str = "",
    **claims: Any,
) -> str:
    """A token with these words instead of the right ones, rightly signed unless `secret` says otherwise."""
    kid, own = key()
    now = int(timezone.now().timestamp())
    words: dict[str, Any] = {
        "token_type": "access",
        "iss": settings.JWT_ISSUER,
        "aud": f"{settings.JWT_ISSUER}/api/",
        "sub": str(session.user.uuid),
        "sid": str(session.uuid),
        "sv": session.session_version,
        "iat": now,
        "exp": now + 60,
        "jti": uuid.uuid4().hex,
    } | claims
    words.pop(drop, None)
    first = {"alg": "HS256", "typ": "at+jwt", "kid": kid} | (header or {})
    signed = f"{packed({name: value for name, value in first.items() if value is not None})}.{packed(words)}"
    used = secret or own
    raw = used if isinstance(used, bytes) else used.encode()
    return f"{signed}.{packed(hmac.new(raw, signed.encode(), getattr(hashlib, algorithm)).digest())}"


def ago(**span: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(**span)
