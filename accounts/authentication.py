"""The one funnel for credentials: who is asking, by which credential, and what that credential may do.

Pages, the API and the waiting routes call it. Exactly one credential decides: whoever shows an Authorization header is judged
by that alone, and a failure never falls back to a cookie. Keys in an address are refused, because addresses are written down.
Answers who it is; what she may see is decided elsewhere.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.http.cookie import parse_cookie
from django.utils.crypto import constant_time_compare
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import api_keys, last_used, login_sessions, scopes, second_factor, tokens
from accounts.models import ApiKey, Organisation, User
from accounts.sessions import KEY

LONGEST = 2048
"""Characters of an Authorization header; longer ones are not looked at."""
_BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]+)", re.IGNORECASE)
_OTHER_HEADERS = ("x-api-key", "api-key")
_NAMES_IN_ADDRESS = frozenset(
    {"key", "api_key", "api-key", "apikey", "x-api-key", "token", "access_token", "refresh_token", "authorization"}
)
_LOOKS_LIKE_ONE = re.compile(r"sk-[A-Za-z0-9]{20,}|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


class Unauthenticated(Exception):
    """No credential that counts. 401: show another one; 403: it is yours, but not now; 400: not in this place."""

    def __init__(self, code: str, message: str | Promise, *, status: int = 401) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


Credential = tuple[int, int, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a program's account that may ask: active, with a living credential. `kind`: session, token or key."""

    user_id: int
    uuid: uuid.UUID
    session_version: int
    language: str
    time_zone: str
    kind: str = "session"
    # What the credential may do today; never more than its owner may.
    scopes: frozenset[str] = field(default=frozenset(), compare=False)
    # The models it may use; None: all that its owner may.
    model_names: frozenset[str] | None = field(default=None, compare=False)
    key: ApiKey | None = field(default=None, compare=False)
    person: User | None = field(default=None, compare=False, repr=False)
    # Of a token: the sign-in that it belongs to.
    login_id: int | None = field(default=None, compare=False)

    @property
    def credential(self) -> Credential:
        """What tells this credential from others of the same person."""
        return self.user_id, self.session_version, None if self.key is None else self.key.pk, self.login_id

    def user(self) -> User:
        """The person, as read with the credential."""
        return self.person or User.objects.get(pk=self.user_id)


def authenticate(headers: Mapping[str, str], *, address: str, query: str = "", session: bool = False) -> Principal:
    """Who sent these headers (names in lower case) from this address. Raises Unauthenticated.

    `query` is the address's query, looked at only to refuse credentials in it. With `session` a cookie counts, too, where no
    header decides: the caller then checks the CSRF token of whatever changes something. At most 3 queries for a key or a token,
    and one write a minute.
    """
    refuse_in_address(query)
    shown = headers.get("authorization")
    if shown is not None:
        return _by_header(shown, address=address)
    if any(headers.get(name) for name in _OTHER_HEADERS):
        raise Unauthenticated("wrong_header", _("Send the key as “Authorization: Bearer …”."))
    if session:
        key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
        held = _held(key)
        found = _of_session(held)
        if found is not None:
            _may_ask(found.user(), by_company=str(held.get(login_sessions.METHOD, "")).startswith("sso:"))
            return found
    raise Unauthenticated("no_credential", _("Send an API key or an access token as “Authorization: Bearer …”."))


def refuse_in_address(query: str) -> None:
    """Raises Unauthenticated (400) when a query holds what looks like a credential, whatever it is worth."""
    if not query:
        return
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=None):
        if name.strip().lower() in _NAMES_IN_ADDRESS or _LOOKS_LIKE_ONE.search(value):
            message = _("A key or token stands in the address, where others can read it. Replace it with a new one.")
            raise Unauthenticated("key_in_address", message, status=400)


def principal_for_session(session_key: str) -> Principal | None:
    """Who holds this session, or None: unknown, over, of an inactive person, or of one who must choose a password.

    Two queries. For threads that serve no Django request: the caller closes the connection.
    """
    return _of_session(_held(session_key))


def _held(session_key: str) -> dict[str, Any]:
    """What the session holds; nothing for an unknown one."""
    if not session_key:
        return {}
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    found: dict[str, Any] = store.load()
    return found


def _of_session(held: dict[str, Any]) -> Principal | None:
    try:
        pk = int(held[SESSION_KEY])
    except (KeyError, ValueError):
        return None
    user = User.objects.filter(pk=pk, is_active=True, is_service=False).first()
    if user is None or user.password_expired or held.get(KEY) != user.session_version:
        return None
    known = str(held.get(HASH_SESSION_KEY, ""))
    if not any(constant_time_compare(known, own) for own in _hashes(user)):
        return None
    return _principal(user, kind="session", allowed=scopes.of(user))


def _by_header(shown: str, *, address: str) -> Principal:
    """By what the Authorization header says; nothing else of the request counts."""
    found = _BEARER.fullmatch(shown) if len(shown) <= LONGEST else None
    if found is None:
        raise Unauthenticated("malformed", _("The Authorization header is not “Bearer” and one key or token."))
    if found[1].startswith("sk-"):
        return _by_key(found[1], address=address)
    return _by_token(found[1])


def _by_key(secret: str, *, address: str) -> Principal:
    key = api_keys.find(secret, address=address)
    if key is None:
        message = _("The API key is unknown, over, revoked, or not allowed from here (%(address)s).")
        raise Unauthenticated("invalid_key", message % {"address": address[:45]})
    user = key.user
    if not user.is_active:
        raise Unauthenticated("invalid_key", _("The account of this key is switched off."))
    organisation = Organisation.get()
    if api_keys.paused(user, organisation=organisation):
        message = _("The key pauses: its owner has to sign in through the company again.")
        raise Unauthenticated("key_paused", message, status=403)
    _may_ask(user, organisation=organisation, by_company=user.sso_at is not None)
    last_used.note(key, address=address or None)
    models = frozenset(key.model_names) or None
    return _principal(user, kind="key", allowed=scopes.effective(key.scopes, user=user), models=models, key=key)


def _by_token(access: str) -> Principal:
    try:
        login = tokens.read_access(access)
    except tokens.TokenRefused as refused:
        raise Unauthenticated(refused.code, refused.message) from None
    _may_ask(login.user)
    last_used.note(login, address=None)
    return _principal(login.user, kind="token", allowed=scopes.of(login.user), login_id=login.pk)


def still_good(credentials: Iterable[Credential]) -> set[Credential]:
    """Of these the ones that may still ask: cut off, signed out, revoked or run out meanwhile is not. At most three queries for all."""
    asked = set(credentials)
    people = User.objects.filter(pk__in={user for user, *_rest in asked}, is_active=True)
    versions = dict(people.values_list("pk", "session_version"))
    keys = {key for _user, _version, key, _login in asked if key is not None}
    logins = {login for *_rest, login in asked if login is not None}
    living = set(api_keys.living().filter(pk__in=keys).values_list("pk", flat=True)) if keys else set()
    signed_in = tokens.living(logins) if logins else set()

    def good(user: int, version: int, key: int | None, login: int | None) -> bool:
        if user not in versions or (login is not None and login not in signed_in):
            return False
        # A key outlives a new password; a sign-in does not.
        return versions[user] == version if key is None else key in living

    return {each for each in asked if good(*each)}


def _principal(
    user: User,
    *,
    kind: str,
    allowed: frozenset[str],
    models: frozenset[str] | None = None,
    key: ApiKey | None = None,
    login_id: int | None = None,
) -> Principal:
    return Principal(
        user.pk,
        user.uuid,
        user.session_version,
        user.language,
        user.time_zone,
        kind=kind,
        scopes=allowed,
        model_names=models,
        key=key,
        person=user,
        login_id=login_id,
    )


def _may_ask(user: User, *, organisation: Organisation | None = None, by_company: bool = False) -> None:
    """Raises Unauthenticated for somebody who first has to do something in the browser.

    `by_company`: the company's own sign-in stands behind the credential; a second factor was its business.
    """
    if user.is_service:
        return  # nobody to choose or set up anything
    if user.password_expired:
        raise Unauthenticated("password_expired", _("Choose a new password first."), status=403)
    if by_company:
        return
    demanded = second_factor.required_of(user, organisation=organisation or Organisation.get())
    if demanded and not second_factor.enrolled(user):
        message = _("Set up a second factor in the browser first: this organisation asks for one.")
        raise Unauthenticated("second_factor_missing", message, status=403)


def _hashes(user: User) -> list[str]:
    """What the session's hash may be: made with the secret key of today or one of those before."""
    return [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
