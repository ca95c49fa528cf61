"""One credential in every carrier: one funnel decides, everywhere alike, and where it is not shown properly nobody is asking."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from django.conf import settings

from tests.security.callers import ANONYMOUS, DOOR, IN, NONE, Asking, Caller, outcome
from tests.security.matrix import Crowd
from tests.security.routes import TABLE
from tests.security.world import World

pytestmark = pytest.mark.django_db
Carry = Callable[[str], dict[str, str]]

BY_HEADER: dict[str, Carry] = {
    "x-api-key": lambda secret: {"HTTP_X_API_KEY": secret},
    "api-key": lambda secret: {"HTTP_API_KEY": secret},
    "authorization without bearer": lambda secret: {"HTTP_AUTHORIZATION": secret},
    "authorization: Token": lambda secret: {"HTTP_AUTHORIZATION": f"Token {secret}"},
    "authorization: Api-Key": lambda secret: {"HTTP_AUTHORIZATION": f"Api-Key {secret}"},
    "authorization: JWT": lambda secret: {"HTTP_AUTHORIZATION": f"JWT {secret}"},
    "basic, as the password": lambda secret: {"HTTP_AUTHORIZATION": basic(f"owner@example.com:{secret}")},
    "basic, as the name": lambda secret: {"HTTP_AUTHORIZATION": basic(f"{secret}:")},
    "two in one header": lambda secret: {"HTTP_AUTHORIZATION": f"Bearer {secret}, Bearer {secret}"},
    "x-authorization": lambda secret: {"HTTP_X_AUTHORIZATION": f"Bearer {secret}"},
    "proxy-authorization": lambda secret: {"HTTP_PROXY_AUTHORIZATION": f"Bearer {secret}"},
    "x-access-token": lambda secret: {"HTTP_X_ACCESS_TOKEN": secret},
    "cookie of the session": lambda secret: {"HTTP_COOKIE": f"{settings.SESSION_COOKIE_NAME}={secret}"},
    "cookie access_token": lambda secret: {"HTTP_COOKIE": f"access_token={secret}; token={secret}"},
    "websocket protocol": lambda secret: {"HTTP_SEC_WEBSOCKET_PROTOCOL": f"bearer, {secret}"},
    "a name that somebody vouches for": lambda _secret: {
        "HTTP_X_REMOTE_USER": "administrator@example.com",
        "HTTP_X_FORWARDED_USER": "administrator@example.com",
        "HTTP_REMOTE_USER": "administrator@example.com",
        "HTTP_X_REQUEST_FROM": "internal",
    },
}
IN_ADDRESS = ("key", "api_key", "token", "access_token", "authorization", "anything")
API = sorted(
    {route for group in TABLE for route in group.names() if route.startswith("api/v1/") and "auth" not in route}
)
PAGES = ("chat/", "chat/list/", "me/", "me/keys/", "setup/", "setup/people/", "admin/", "admin/accounts/user/")


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


@pytest.fixture(scope="module", params=["key", "token"])
def secret(request: pytest.FixtureRequest, crowd: Crowd) -> str:
    """An administrator's, with all there is."""
    return crowd.programs[f"{request.param}: administrator"].bearer


def basic(words: str) -> str:
    return f"Basic {base64.b64encode(words.encode()).decode()}"


def test_as_it_should_be_shown_it_opens_the_api(secret: str, world: World) -> None:
    for group in TABLE:
        for route in group.names():
            if route in API and "GET" in group.methods and group.policy.named.get("key: administrator") != NONE:
                assert outcome(Asking().ask("GET", world.path(route), Caller("it", bearer=secret))) == IN


@pytest.mark.parametrize("carrier", BY_HEADER)
def test_in_any_other_carrier_it_is_nobody_at_every_address_of_the_api(carrier: str, secret: str, world: World) -> None:
    for route in API:
        for method in ("GET", "POST"):
            answer = Asking().ask(method, world.path(route), ANONYMOUS, **BY_HEADER[carrier](secret))
            assert (route, method, outcome(answer)) == (route, method, DOOR)
            assert secret not in answer.content.decode()


@pytest.mark.parametrize("carrier", ["bearer", *BY_HEADER])
def test_on_pages_no_credential_of_a_program_is_anybody(carrier: str, secret: str) -> None:
    carry: Carry = {"bearer": lambda shown: {"HTTP_AUTHORIZATION": f"Bearer {shown}"}, **BY_HEADER}[carrier]
    for path in PAGES:
        assert (path, outcome(Asking().ask("GET", f"/{path}", ANONYMOUS, **carry(secret)))) == (path, DOOR)


@pytest.mark.parametrize("name", IN_ADDRESS)
def test_in_the_address_it_is_refused_even_beside_a_good_header(name: str, secret: str, world: World) -> None:
    for route in API:
        for method in ("GET", "POST"):
            for caller in (Caller("nobody"), Caller("it", bearer=secret)):
                answer = Asking().ask(method, f"{world.path(route)}?{name}={secret}", caller)
                assert answer.status_code in ({400, 405} if caller.bearer else {400, 401})
                assert secret not in answer.content.decode()


def test_a_method_is_what_the_request_line_says(crowd: Crowd, world: World) -> None:
    """No header and no field turns a GET or POST into a DELETE."""
    path, caller = world.path("api/v1/keys/<uuid:uuid>/"), crowd.programs["token: owner"]
    headers = {f"HTTP_{name}": "DELETE" for name in ("X_HTTP_METHOD_OVERRIDE", "X_METHOD_OVERRIDE", "X_HTTP_METHOD")}
    form = "application/x-www-form-urlencoded"
    assert Asking().ask("POST", path, caller, keep=True, **headers).status_code == 405
    assert Asking().ask("POST", path, caller, keep=True, body="_method=DELETE", content_type=form).status_code == 405
    assert Asking().ask("GET", f"{path}?_method=DELETE", caller, keep=True, **headers).status_code == 200
    page = world.path("chat/<uuid:uuid>/delete/")
    assert Asking().ask("GET", f"{page}?_method=POST", crowd.people["owner"], keep=True, **headers).status_code == 405
    world.key.refresh_from_db()
    assert world.key.revoked_at is None
