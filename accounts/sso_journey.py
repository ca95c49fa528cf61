"""One person's way to an issuer and back: state, nonce and PKCE, kept in her session under allauth's state for ten minutes.

Each state is for one connection, one browser and one use. Knows no protocol.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.socialaccount.internal import statekit
from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.crypto import get_random_string

from accounts import passwords
from accounts.models import SsoConnection, User
from accounts.sso_fetch import Answer, Unanswered
from accounts.sso_refusals import Refusal

LONGEST_CODE = 8192
_ERROR = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class Journey:
    """What is sent along, and what must come back."""

    state: str
    nonce: str
    verifier: str
    callback: str
    process: str = "login"
    next: str = ""
    user: int | None = None
    """Who connects; nobody else may be signed in when the answer comes."""
    invitation: dict[str, str] | None = None

    @property
    def challenge(self) -> str:
        """What PKCE shows of the verifier before the answer."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def begin(
    request: HttpRequest, *, connection: SsoConnection, connecting: bool, after: str, invitation: dict[str, str] | None
) -> Journey:
    """A new one, remembered in the session."""
    kept: dict[str, Any] = {
        "nonce": secrets.token_urlsafe(24),
        "verifier": secrets.token_urlsafe(48),
        "process": "connect" if connecting else "login",
        "next": after,
        "user": request.user.pk if connecting and isinstance(request.user, User) else None,
        "invitation": invitation,
    }
    # Letters and digits only: WeCom takes no others.
    state = statekit.stash_state(request, provider_id=connection.slug, state=kept, state_id=get_random_string(32))
    return Journey(state=state, callback=callback_address(request, connection=connection), **kept)


def resume(request: HttpRequest, *, connection: SsoConnection) -> Journey:
    """The one that this answer belongs to; it is used up. Raises Refusal: not begun here, too old, used."""
    state = request.GET.get("state", "")
    kept = statekit.unstash_state(request, provider_id=connection.slug, state_id=state) if state else None
    if not isinstance(kept, dict) or not {"nonce", "verifier", "process"} <= kept.keys():
        raise Refusal("stale")
    return Journey(state=state, callback=callback_address(request, connection=connection), **kept)


def callback_address(request: HttpRequest, *, connection: SsoConnection) -> str:
    """Where the issuer sends the browser back to: one address for each connection."""
    return passwords.absolute(reverse("company_callback", kwargs={"slug": connection.slug}), request=request)


def code_in(answer: QueryDict) -> str:
    """The code of an issuer's answer. Raises Refusal for a refusal, and for an answer without one."""
    error = answer.get("error", "")
    if error:
        name = error if _ERROR.fullmatch(error) else "an error"
        raise Refusal("cancelled" if name == "access_denied" else "issuer", detail=f"answer: {name}")
    code = answer.get("code", "")
    if not code or len(code) > LONGEST_CODE or not code.isprintable():
        raise Refusal("answer", detail="no code")
    return code


def error_name(answer: Answer) -> str:
    """The error code in an OAuth answer, if it is one of the plain kind."""
    try:
        found = answer.json().get("error")
    except Unanswered:
        return ""
    return found if isinstance(found, str) and _ERROR.fullmatch(found) else ""


def with_query(url: str, fields: dict[str, str]) -> str:
    """The address with these fields behind whatever it asks already."""
    joint = "&" if urlsplit(url).query else "?"
    return f"{url}{joint}{urlencode(fields)}"
