"""Who asks: one caller for each role and each kind of credential, living and dead; and how an answer is read.

`Asking.ask` carries a request out in a savepoint that is rolled back: no request changes what the next one finds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.test.client import ClientHandler

from accounts.models import LoginSession, User
from accounts.sessions import KEY
from tests.accounts.programs import ADDRESS, ago, forged, signed_in
from tests.security.world import World

# How an answer is read. Everything that is neither a refusal nor broken is "in", a form with faults as well.
IN, DOOR, NO, NONE, METHOD, CONFIRM, LED, BROKEN = (
    "in", "door", "no", "none", "method", "confirm", "led", "broken",
)  # fmt: skip
_STATUS = {401: DOOR, 403: NO, 404: NONE, 405: METHOD}
_DOORS = ("/accounts/login/", "/admin/login/")
_LED = "/accounts/password/change/"
AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Caller:
    """A role with a credential: a session's key or what the Authorization header says."""

    name: str
    session: str = ""
    bearer: str = ""
    user: User | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What the request carries of it."""
        found = {"HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={self.session}"} if self.session else {}
        return found | ({"HTTP_AUTHORIZATION": f"Bearer {self.bearer}"} if self.bearer else {})


ANONYMOUS = Caller("anonymous")


class Asking(RequestFactory):
    """Sends requests through the whole site, middleware included."""

    def __init__(self, *, check_csrf: bool = False) -> None:
        super().__init__()
        self.handler = ClientHandler(enforce_csrf_checks=check_csrf)

    def request(self, **environ: Any) -> Any:
        base: Callable[..., dict[str, Any]] = vars(RequestFactory)["_base_environ"]
        return self.handler(base(self, **environ))

    def ask(self, method: str, path: str, caller: Caller = ANONYMOUS, *, body: Any = b"", **more: Any) -> Any:
        """The answer, whatever its status; what it changed is undone. `keep=True` leaves it."""
        given = {"REMOTE_ADDR": ADDRESS} | caller.environ | more
        kind = given.pop("content_type", "application/x-www-form-urlencoded")
        keep = given.pop("keep", False)
        with transaction.atomic():
            answer = self.generic(method, path, body, content_type=kind, **given)
            transaction.set_rollback(not keep)
        return answer


def outcome(answer: Any) -> str:
    """How an answer is read."""
    status: int = answer.status_code
    if status >= 500:
        return IN if status == 503 and b"sign-in server" in answer.content else BROKEN
    if status == 200 and "Allow" in answer and answer.get("Content-Length") == "0":
        return METHOD  # what a library's view says to OPTIONS
    if status not in {301, 302}:
        return _STATUS.get(status, IN)
    path = urlsplit(answer["Location"]).path
    if path in _DOORS:
        return DOOR
    if path.startswith("/accounts/confirm/"):
        return CONFIRM
    return LED if path == _LED else IN


def session_of(user: User, *, confirmed: bool = True, version: int | None = None) -> str:
    """The key of a session of this person; `confirmed`: she has proved a moment ago who she is."""
    client = Client()
    client.force_login(user)
    request = HttpRequest()
    request.session = client.session
    if confirmed:
        record_authentication(request, user, "password", reauthenticated=True)
        for proof in request.session["account_authentication_methods"]:
            proof["at"] += AN_HOUR  # a walk over every address on a busy machine takes longer than a proof lasts
    if version is not None:
        request.session[KEY] = version
    request.session.save()
    return str(request.session.session_key)


def people(world: World) -> dict[str, Caller]:
    """Those who are signed in on the pages."""
    roles = ("owner", "teammate", "stranger", "staff", "administrator")
    found = {
        role: Caller(role, session=session_of(user), user=user) for role in roles for user in [getattr(world, role)]
    }
    for role in ("owner", "administrator"):
        user = getattr(world, role)
        found[f"unconfirmed {role}"] = Caller(
            f"unconfirmed {role}", session=session_of(user, confirmed=False), user=user
        )
    found["one-time password"] = Caller("one-time password", session=session_of(world.one_time), user=world.one_time)
    return found


def ghosts(world: World) -> list[Caller]:
    """Those whose sessions count for nothing: on every page they are nobody."""
    signed_out = session_of(world.owner)
    Client().session.__class__(signed_out).delete()
    return [
        ANONYMOUS,
        Caller("pending", session=session_of(world.pending)),
        Caller("deactivated", session=session_of(world.gone)),
        Caller("signed out", session=signed_out),
        Caller("signed out everywhere", session=session_of(world.owner, version=0)),
        Caller("a program's session", session=session_of(world.program)),
        Caller("an invented session", session="a" * 32),
    ]


def programs(world: World) -> dict[str, Caller]:
    """Living credentials of programs, by what they may do."""
    every = ["chat", "models", "usage", "profile", "keys"]
    world.key_of(world.owner, "narrow", scopes=["models"])
    world.key_of(world.stranger, "stranger", scopes=every)
    world.key_of(world.administrator, "administrator", scopes=[*every, "admin"])
    found = {f"key: {name}": Caller(f"key: {name}", bearer=secret) for name, secret in world.secrets.items()}
    found["token: owner"] = Caller("token: owner", bearer=world.token.access, user=world.owner)
    for role in ("stranger", "administrator"):
        access = signed_in(getattr(world, role)).access
        found[f"token: {role}"] = Caller(f"token: {role}", bearer=access, user=getattr(world, role))
    return found


def dead(world: World) -> list[Caller]:
    """Credentials of programs that are over, another's, or were never ours."""
    revoked, expired = world.key_of(world.owner, "revoked"), world.key_of(world.owner, "expired")
    type(revoked).objects.filter(pk=revoked.pk).update(revoked_at=ago(seconds=1))
    type(expired).objects.filter(pk=expired.pk).update(expires_at=ago(seconds=1))
    world.key_of(world.owner, "elsewhere", allowed_ips=["198.51.100.0/24"])
    gone = world.gone
    gone.is_active = True
    gone.save(update_fields=["is_active"])
    world.key_of(gone, "deactivated")
    left = signed_in(gone).access
    gone.is_active = False
    gone.save(update_fields=["is_active"])
    ended = signed_in(world.owner).access
    LoginSession.objects.filter(user=world.owner).exclude(pk=world.login_session.pk).update(ended_at=ago(seconds=1))
    session = world.login_session
    past = int(ago(minutes=5).timestamp())
    bearers = {
        **{f"key: {name}": world.secrets.pop(name) for name in ("revoked", "expired", "elsewhere", "deactivated")},
        "key: invented": "sk-" + "a" * 48,
        "token: expired": forged(session, exp=past, iat=past - 60),
        "token: ended": ended,
        "token: deactivated": left,
        "token: forged": forged(session, secret="another secret of enough length"),
        "token: unsigned": forged(session, header={"alg": "none"}, secret="x"),
        "token: another audience": forged(session, aud="https://evil.example/"),
        "token: of before": forged(session, sv=0),
        "refresh as access": world.token.refresh,
    }
    return [Caller(name, bearer=bearer) for name, bearer in bearers.items()]


__all__ = ["ANONYMOUS", "Asking", "Caller", "dead", "ghosts", "outcome", "people", "programs", "session_of"]
