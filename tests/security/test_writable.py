"""Each address that takes a post is given every column of every model by name: only what is declared may change (writes.py)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from accounts.models import LoginSession, User
from portal.urls import handler400, handler403, handler404, handler500
from portal.urls import urlpatterns as real
from tests.security import database, fields
from tests.security.callers import ANONYMOUS, BROKEN, Asking, Caller, outcome, session_of
from tests.security.database import Difference
from tests.security.routes import TABLE
from tests.security.world import World
from tests.security.writes import PLAIN, WRITES, Write

__all__ = ["handler400", "handler403", "handler404", "handler500"]
pytestmark = pytest.mark.django_db
# Every request may note that a session was used; who did what is written down; tries are counted.
AMBIENT = {
    "sessions.Session": {"+", "-", "session_data", "expire_date"},
    "accounts.Tries": {"+", "-", "count", "ends_at"},
    "accounts.LoginSession": {"last_used_at", "address", "expires_at"},
    "accounts.AuditEvent": {"+"},
    "admin.LogEntry": {"+"},
}
NOT_FORMS = {"admin/logout/", "admin/login/", "admin/password_change/"}


def careless(request: HttpRequest) -> HttpResponse:
    """What every framework makes easy."""
    for name, value in request.POST.items():
        if name in {each.name for each in User._meta.concrete_fields} - {"id"}:
            User.objects.filter(pk=request.user.pk or 0).update(
                **{name: value == "on" if value in {"on", ""} else value}
            )
    return HttpResponse("saved")


def anybodys(request: HttpRequest) -> HttpResponse:
    """Believes the id in the body."""
    User.objects.filter(pk=request.POST.get("id") or request.POST.get("user_id") or 0).update(name="Taken")
    return HttpResponse("saved")


urlpatterns = [*real, path("me/planted/", careless), path("me/planted-too/", anybodys)]


@pytest.fixture(scope="module")
def intruder(world: World) -> User:
    """Whose row every id of a body names."""
    return User.objects.create(email="intruder@example.com", name="Intruder", password="!")


@pytest.fixture(scope="module")
def callers(world: World, intruder: User) -> dict[str, Caller]:
    found = {
        name: Caller(name, session=session_of(getattr(world, name))) for name in ("owner", "teammate", "administrator")
    }
    changer = world.staff_with("accounts.change_user", "accounts.view_user")
    world.browser = LoginSession.objects.get(user=world.owner, kind=LoginSession.Kind.BROWSER)
    return found | {"": ANONYMOUS, "changer": Caller("changer", session=session_of(changer))}


def filled(value: Any, *, world: World) -> Any:
    if isinstance(value, str):
        return value.format(w=world) if "{w." in value else value
    return [filled(each, world=world) for each in value] if isinstance(value, list) else value


def changes(
    write: Write, extra: dict[str, str], *, world: World, callers: dict[str, Caller]
) -> tuple[Any, list[Difference], Any]:
    """What the request with these fields added did; then it is taken back."""
    own = {name: filled(value, world=world) for name, value in write.body.items()}
    body = {name: value for name, value in extra.items() if name not in own} | own
    text = json.dumps(body) if write.json else urlencode(body, doseq=True)
    kind = "application/json" if write.json else "application/x-www-form-urlencoded"
    address = world.path(write.route) if "planted" not in write.route else f"/{write.route}"
    with database.undone():
        before = database.snapshot()
        answer = Asking().ask(
            write.method, address, callers[write.who], body=text, content_type=kind, keep=True, HTTP_ACCEPT="text/html"
        )
        after = database.snapshot()
    return answer, database.differences(before, after), after


def too_much(write: Write, found: Iterable[Difference], after: Any, *, world: World, intruder: User) -> list[str]:
    """Differences that are not declared: a column, a row of somebody else, or a hostile value in a new row."""
    about = {_row(world, name) for name in write.about.split()}
    faults = []
    for each in found:
        declared, ambient = write.columns.get(each.table, set()), AMBIENT.get(each.table, set())
        if each.what in ambient:
            continue
        if each.what not in declared:
            faults.append(str(each))
        elif each.what == "+":
            faults += _planted(write, each, after, intruder=intruder)
        elif each.what != "-" and (each.table, each.row) not in about:
            faults.append(f"{each} of somebody else")
    return faults


def _row(world: World, name: str) -> tuple[str, str]:
    found: Any = world
    for part in name.split("."):
        found = getattr(found, part)
    return found._meta.label, str(found.pk)


def _planted(write: Write, new: Difference, after: Any, *, intruder: User) -> list[str]:
    model = apps.get_model(new.table)
    row = next(row for key, row in after[new.table].items() if str(key) == new.row)
    found = []
    for column in model._meta.concrete_fields:
        value = row[column.attname]
        switched = isinstance(value, bool) and value != column.get_default() and column.name not in EXPECTED
        if switched or (column.name not in write.body and fields.is_hostile(value, intruder=intruder)):
            found.append(f"{new.table}.{column.name} = {value!r} in a new row")
    return found


EXPECTED = {
    "sealed",  # a month is, once it is closed
    "password_expired",
    "is_active",
    "awaits_approval",
    "is_service",
    "enabled",
    "is_enabled",
    "usage_estimated",
    "is_primary",
    "makes_people",
}
"""Switches that addresses which make rows set themselves, each to what its own tests say."""


@pytest.mark.parametrize("route", ["me/planted/", "me/planted-too/"])
def test_a_view_that_takes_what_it_is_given_is_found(
    route: str, world: World, callers: dict[str, Caller], intruder: User
) -> None:
    write = Write(route, {"name": "x"}, "accounts.User: name", "owner")
    found = []
    with override_settings(ROOT_URLCONF=__name__):
        for part in fields.in_parts(fields.hostile(intruder)):
            _answer, differences, after = changes(write, part, world=world, callers=callers)
            found += too_much(write, differences, after, world=world, intruder=intruder)
    text = "\n".join(found)
    if route == "me/planted/":
        assert "accounts.User.is_superuser" in text and "accounts.User.session_version" in text
    else:
        assert f"accounts.User.name ({intruder.pk}) of somebody else" in text


def test_a_hostile_value_in_a_new_row_is_found(world: World, intruder: User) -> None:
    write = Write("me/", {"name": "x"}, "accounts.ApiKey: +")
    with database.undone():
        before = database.snapshot()
        world.key_of(intruder, "x", scopes=["chat"])
        after = database.snapshot()
    found = too_much(write, database.differences(before, after), after, world=world, intruder=intruder)
    assert found == [f"accounts.ApiKey.user = {intruder.pk} in a new row"]


def test_every_address_that_takes_a_post_is_declared() -> None:
    unsafe = {"POST", "PATCH", "DELETE"}
    taking = {route for group in TABLE for route in group.names() if unsafe & set(group.methods)}
    declared = {write.route for write in WRITES} | NOT_FORMS
    assert sorted(route for route in taking - declared if not route.startswith("admin/")) == []
    assert sorted(declared - taking) == []
    tables = {"/".join(route.split("/")[1:3]) for route in taking if re.match(r"admin/\w+/\w+/", route)}
    closed = {"providers/price"}
    assert sorted(tables - PLAIN.keys() - closed) == []


def test_the_names_are_those_of_all_models(intruder: User) -> None:
    names = fields.hostile(intruder)
    assert {
        "is_staff",
        "is_superuser",
        "user",
        "user_id",
        "owner",
        "session_version",
        "revoked_at",
        "id",
        "quota",
    } <= names.keys()
    assert len(names) > 200


@pytest.mark.parametrize("write", WRITES, ids=lambda write: f"{write.method}-{write.route}")
def test_only_what_is_declared_changes_whatever_is_posted(
    write: Write, world: World, callers: dict[str, Caller], intruder: User
) -> None:
    answer, plain, after = changes(write, {}, world=world, callers=callers)
    assert outcome(answer) != BROKEN
    own = [each for each in plain if each.what not in AMBIENT.get(each.table, set())]
    assert bool(own) != write.idle, "the body in writes.py is to change something (or says that it is idle)"
    assert too_much(write, plain, after, world=world, intruder=intruder) == []
    for part in fields.in_parts(fields.hostile(intruder)):
        answer, found, after = changes(write, part, world=world, callers=callers)
        assert outcome(answer) != BROKEN
        assert too_much(write, found, after, world=world, intruder=intruder) == []
        if write.strict:
            assert answer.status_code == 400
            assert [each for each in found if each.table != "accounts.Tries"] == []


class Inputs(HTMLParser):
    """The fields of a page's last form, as a browser would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._chooser = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and name and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
            self.found.setdefault(name, []).append(value or ("on" if given.get("type") == "checkbox" else ""))
        self._chooser = name if tag == "select" else self._chooser
        self._text = name if tag == "textarea" else self._text
        if tag == "option" and "selected" in given:
            self.found.setdefault(self._chooser, []).append(value)

    def handle_data(self, data: str) -> None:
        if self._text:
            self.found.setdefault(self._text, []).append(data.strip())
            self._text = ""


@pytest.mark.parametrize(
    ("table", "who"), [*((table, "administrator") for table in PLAIN), ("accounts/user", "changer")]
)
def test_the_plain_administration_changes_only_what_its_forms_offer(
    table: str, who: str, world: World, callers: dict[str, Caller], intruder: User
) -> None:
    route = f"admin/{table}/<path:object_id>/change/"
    page = Inputs()
    page.feed(Asking().ask("GET", world.path(route), callers[who]).content.decode())
    body = {name: values for name, values in page.found.items() if not name.startswith(("csrf", "_", "action"))}
    assert len(body) > 1
    about = {"accounts/user": "stranger", "providers/languagemodel": "model route"}
    write = Write(route, body, PLAIN[table], about.get(table, table.partition("/")[2]), person=who)
    for part in fields.in_parts(
        {name: value for name, value in fields.hostile(intruder).items() if name != "language"}
    ):
        answer, found, after = changes(write, part, world=world, callers=callers)
        assert answer.status_code in {200, 302}
        assert too_much(write, found, after, world=world, intruder=intruder) == []
        if who == "changer":
            assert {each.what for each in found if each.table == "accounts.User"} <= {
                "language",
                "time_zone",
                "password_expired",
                "session_version",
            }
