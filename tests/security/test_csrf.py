"""A form of another site: every address that a cookie could change something at refuses it, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from accounts.models import Team
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real
from tests.security import database
from tests.security.callers import Asking, Caller
from tests.security.matrix import Crowd
from tests.security.routes import BODIES, TABLE
from tests.security.world import World

__all__ = ["handler400", "handler403", "handler404", "handler500"]
pytestmark = pytest.mark.django_db
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# The issuer's own post carries no cookie of ours: its signed token is its credential.
NO_COOKIE = {"accounts/company/<slug:slug>/logout/"}
# The doors of the API look at no cookie; what they are given stands in the body.
DOORS = {"api/v1/auth/token/", "api/v1/auth/token/refresh/", "api/v1/auth/token/revoke/"}
CHANGING = sorted(
    {
        (route, method)
        for group in TABLE
        for route in group.names()
        for method in (UNSAFE if group.loose and not route.startswith("admin/") else group.methods)
        if method in UNSAFE and route not in NO_COOKIE | DOORS
    }
)
KINDS = ("application/x-www-form-urlencoded", "text/plain", "application/json", "multipart/form-data; boundary=x")
TOKEN = "a" * 32
# What a GET writes all the same: that somebody came back from the company with nothing, that codes and notices were shown, that
# somebody read what is another's.
WRITTEN_BY_LOOKING = {
    ("accounts/company/<slug:slug>/callback/", "accounts_auditevent"),
    ("accounts/second-factor/codes/", "mfa_authenticator"),
    ("me/notices/", "accounts_notice"),
    ("setup/openings/<uuid:uuid>/<uuid:number>/", "accounts_auditevent"),
}


@csrf_exempt
def unguarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [*real, path("me/planted/", unguarded)]


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


def from_elsewhere(route: str, method: str, *, caller: Caller, world: World, kind: str = KINDS[0], **more: str) -> Any:
    body = BODIES.get(route, ("", "a=b"))[1]
    address = world.path(route) if route != "me/planted/" else "/me/planted/"
    return Asking(check_csrf=True).ask(method, address, caller, body=body, content_type=kind, **more)


def whose(route: str) -> str:
    """Who is let in there."""
    return "administrator" if route.startswith(("setup/", "admin/")) else "owner"


def is_refused(answer: Any) -> bool:
    """403, or a method that is not taken at all."""
    return answer.status_code in {403, 405}


def test_an_address_without_the_check_is_found(crowd: Crowd, world: World) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        answer = from_elsewhere("me/planted/", "POST", caller=crowd.people["owner"], world=world)
    assert not is_refused(answer)


def test_a_statement_that_writes_is_seen(world: World) -> None:
    with database.written() as tables, database.undone():
        world.owner.save(update_fields=["name"])
        world.team.delete()
        Team.objects.create(name="New")
    assert tables == {
        "accounts_user",
        "accounts_team",
        "accounts_membership",
        "accounts_invitation",
        "accounts_ssoteam",
        "accounts_legalhold",
        "providers_languagemodel_teams",
        "providers_languagemodel_denied_teams",
    }


def test_every_change_by_cookie_asks_for_the_pages_token(crowd: Crowd, world: World) -> None:
    assert len(CHANGING) > 100
    let_in = []
    for route, method in CHANGING:
        with database.written() as tables:
            answer = from_elsewhere(route, method, caller=crowd.people[whose(route)], world=world)
        if not is_refused(answer) or tables:
            let_in.append((route, method, answer.status_code, *tables))
    assert let_in == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_body_goes_around_it(kind: str, crowd: Crowd, world: World) -> None:
    for route in ("chat/messages/", "me/", "me/keys/<uuid:number>/revoke/", "api/v1/keys/", "setup/organisation/"):
        caller = crowd.people[whose(route)]
        assert from_elsewhere(route, "POST", caller=caller, world=world, kind=kind).status_code == 403


def test_a_foreign_origin_is_refused_even_with_the_right_token(crowd: Crowd, world: World) -> None:
    caller = crowd.people["owner"]
    cookie = f"{caller.environ['HTTP_COOKIE']}; {settings.CSRF_COOKIE_NAME}={TOKEN}"
    shown = {"HTTP_COOKIE": cookie, "HTTP_X_CSRFTOKEN": TOKEN}
    for origin in ("https://evil.example", "null", "http://testserver.evil.example", "http://eviltestserver"):
        for route in ("me/", "chat/messages/", "api/v1/keys/"):
            answer = from_elsewhere(route, "POST", caller=caller, world=world, **shown, HTTP_ORIGIN=origin)
            assert (origin, answer.status_code) == (origin, 403)
    own = from_elsewhere("me/", "POST", caller=caller, world=world, **shown, HTTP_ORIGIN="http://testserver")
    assert own.status_code != 403


def test_signing_in_and_out_from_elsewhere_is_refused(crowd: Crowd, world: World) -> None:
    """Login CSRF: a session that somebody else chose; and nobody is signed out by a link."""
    nobody = Caller("nobody")
    assert from_elsewhere("accounts/login/", "POST", caller=nobody, world=world).status_code == 403
    assert from_elsewhere("accounts/company/<slug:slug>/", "POST", caller=nobody, world=world).status_code == 403
    owner = crowd.people["owner"]
    Asking(check_csrf=True).ask("GET", "/accounts/logout/", owner, keep=True)
    assert Asking().ask("GET", "/me/", owner).status_code == 200


def test_looking_changes_nothing(crowd: Crowd, world: World) -> None:
    """A GET that changes something can be caused by any page with an image: every statement is looked at."""
    changed = []
    for group in TABLE:
        for route in group.names():
            if "GET" not in group.methods:
                continue
            with database.written() as tables:
                Asking().ask("GET", world.path(route), crowd.people[whose(route)])
            changed += [(route, table) for table in tables]
    assert set(changed) == WRITTEN_BY_LOOKING
