"""Bodies that nobody would send by accident, at every address that takes one: a refusal in 4xx, never a broken answer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real
from tests.security.callers import BROKEN, Asking, Caller, outcome
from tests.security.fields import wanted_by
from tests.security.matrix import Crowd
from tests.security.routes import TABLE
from tests.security.world import World

__all__ = ["handler400", "handler403", "handler404", "handler500"]
pytestmark = pytest.mark.django_db
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
WHOLE: tuple[tuple[str, bytes], ...] = (
    (FORM, b""),
    (FORM, b"%00=%00&%ff=%ff&a[]=1&=&&&"),
    (FORM, b"\xff\xfe\x00"),
    (FORM, "&".join(f"f{number}=1" for number in range(120)).encode()),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=\xff".encode("latin-1").decode("latin-1"), b"--x"),
    (JSON, b"{"),
    (JSON, b"null"),
    (JSON, b"[]"),
    (JSON, b"[" * 50_000),
    (JSON, b'{"a":' * 5_000),
    (JSON, b"9" * 20_000),
    (JSON, b'{"text": "\\ud800", "client_id": "\\u0000"}'),
    ("application/json; charset=bz2_codec", b"{}"),
    ("text/plain; charset=nowhere", b"a=b"),
    ("application/octet-stream", b"\x00" * 100),
)
"""Whole bodies, by kind."""
TO_PAGES = (1, 3, 4)
"""Of these, those that a page sees as more than an empty form."""
IN_FORMS = (" ", "\x00", "\ud800", "a" * 70_000, -1, 10**30, "../../x", "2026-02-30T25:61:61Z")
ODD: tuple[Any, ...] = (
    None, "", " ", "\x00", "\ud800", "a" * 70_000, -1, 0, 10**30, 1.5, True, [], ["a", None], {}, {"a": {"b": []}}, "../../x", "1e999",
    "2026-02-30T25:61:61Z", "=HYPERLINK(1)", "%s%n{0}${x}",
)  # fmt: skip
"""Values for each field by itself."""
TAKING = sorted(
    {
        (route, method)
        for group in TABLE
        for route in group.names()
        for method in group.methods
        if method in {"POST", "PATCH"} and (not route.startswith("admin/") or route.startswith("admin/accounts/user/"))
    }
)


def breaking(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST["name"].strip("\x00")[1])


urlpatterns = [*real, path("me/planted/", breaking)]


@pytest.fixture(scope="module")
def crowd(world: World) -> Crowd:
    return Crowd(world)


def caller_of(route: str, crowd: Crowd) -> Caller:
    return crowd.people["administrator" if route.startswith(("setup/", "admin/")) else "owner"]


def test_a_view_that_breaks_on_a_malformed_body_is_found(crowd: Crowd) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        answers = [
            Asking().ask("POST", "/me/planted/", crowd.people["owner"], body=body, content_type=kind)
            for kind, body in WHOLE
        ]
    assert BROKEN in {outcome(answer) for answer in answers}


def reads_json(route: str) -> bool:
    return route.startswith(("api/", "chat/"))


def test_no_whole_body_breaks_an_address(crowd: Crowd, world: World) -> None:
    broken = []
    for route, method in TAKING:
        for kind, body in WHOLE if reads_json(route) else [WHOLE[place] for place in TO_PAGES]:
            answer = Asking().ask(method, world.path(route), caller_of(route, crowd), body=body, content_type=kind)
            if outcome(answer) == BROKEN:
                broken.append((route, method, kind, body[:40]))
    assert broken == []


def odd_bodies(names: list[str], *, as_json: bool) -> Iterator[tuple[str, bytes, object]]:
    """JSON: each odd value in each field by itself. Forms, which look at all their fields: in all of them at once."""
    if as_json:
        for name, value in itertools.product(names, ODD):
            body = dict.fromkeys(names, "1") | {name: value}
            yield JSON, json.dumps(body).encode(), (name, str(value)[:20])
    for value in () if as_json else IN_FORMS:
        text = str(value).encode("utf-8", "surrogatepass")
        yield FORM, urlencode(dict.fromkeys(names, text)).encode(), str(value)[:20]


@pytest.mark.parametrize("part", ["me/", "setup/", "accounts/", "api/"])
def test_no_odd_value_in_any_field_breaks_an_address(part: str, crowd: Crowd, world: World) -> None:
    """Those of the conversation stand in tests/chat/test_bad_input.py."""
    broken = []
    for route, method in TAKING:
        if not route.startswith(part):
            continue
        for kind, body, what in odd_bodies(wanted_by(route), as_json=reads_json(route)):
            answer = Asking().ask(method, world.path(route), caller_of(route, crowd), body=body, content_type=kind)
            if outcome(answer) == BROKEN:
                broken.append((route, what))
    assert broken == []
