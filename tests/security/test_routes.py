"""Every address, every method, every role and credential against one declared table; first it is shown what the table catches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real
from tests.security import matrix
from tests.security.callers import Asking
from tests.security.matrix import Crowd, Fault
from tests.security.policies import OWNERS, READ, SETUP, SIGNED_IN, Group
from tests.security.routes import TABLE
from tests.security.world import World

__all__ = ["handler400", "handler403", "handler404", "handler500"]
pytestmark = pytest.mark.django_db


def unguarded(request: HttpRequest) -> HttpResponse:
    return HttpResponse("everybody's")


@login_required
def for_colleagues(request: HttpRequest) -> HttpResponse:
    return HttpResponse("every colleague's")


def broken(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [
    *real,
    path("setup/planted/", unguarded),
    path("setup/planted-too/", for_colleagues),
    path("chat/planted/", for_colleagues),
    path("me/planted/", broken),
]


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


@pytest.fixture
def planted() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


def told(crowd: Crowd, group: Group) -> set[Fault]:
    return set(matrix.faults((group,), routes=group.names(), crowd=crowd, asking=Asking()))


def test_a_route_without_a_row_and_a_row_without_a_route_are_found(planted: None) -> None:
    routes = [*matrix.walk(), "only/in/the/walk/"]
    missing, _stale = matrix.undeclared(TABLE, routes=routes)
    assert missing == ["chat/planted/", "me/planted/", "only/in/the/walk/", "setup/planted-too/", "setup/planted/"]
    assert matrix.undeclared((Group(SETUP, READ, "setup/gone/"),), routes=[]) == ([], ["setup/gone/"])


def test_a_view_without_a_guard_is_found(crowd: Crowd, planted: None) -> None:
    found = told(crowd, Group(SETUP, READ, "setup/planted/", needs=("accounts.view_user",)))
    for who in ("anonymous", "owner", "staff", "deactivated", "token: owner", "without accounts.view_user"):
        assert who in {fault.who for fault in found if fault.method == "GET"}
    assert Fault("setup/planted/", "DELETE", "anonymous", "method", "in") in found


def test_a_guard_that_is_too_weak_is_found(crowd: Crowd, planted: None) -> None:
    found = told(crowd, Group(SETUP, READ, "setup/planted-too/", needs=("accounts.view_user",)))
    by_get = {fault.who: fault.found for fault in found if fault.method == "GET"}
    assert by_get == dict.fromkeys(("owner", "teammate", "stranger", "staff", "without accounts.view_user"), "in")


def test_a_view_that_shows_everybodys_to_every_colleague_is_found(crowd: Crowd, planted: None) -> None:
    found = told(crowd, Group(OWNERS, READ, "chat/planted/"))
    assert {fault.who for fault in found if fault.method == "GET"} == {
        "teammate", "stranger", "staff", "administrator",
    }  # fmt: skip


def test_a_view_that_breaks_is_found(crowd: Crowd, planted: None) -> None:
    found = told(crowd, Group(SIGNED_IN, READ, "me/planted/"))
    assert Fault("me/planted/", "GET", "owner", "in", "broken") in found


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert matrix.undeclared(TABLE, routes=matrix.walk()) == ([], [])


PARTS = ("admin/", "setup/", "chat/", "accounts/", "me/", "api/", "")


@pytest.mark.parametrize("part", PARTS)
def test_everybody_meets_at_every_route_what_the_table_says(part: str, crowd: Crowd) -> None:
    routes = [route for route in matrix.walk() if part == next(each for each in PARTS if route.startswith(each))]
    assert routes
    found = matrix.faults(TABLE, routes=routes, crowd=crowd, asking=Asking())
    assert "\n".join(map(str, found)) == ""
