"""Every place where an administrator, or staff with every permission there is, could find another person's words: none holds any.

First the walk is shown that it would find them where they stand.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin

from accounts import audit_export, audit_search
from accounts.models import AuditEvent, User
from tests.security import matrix
from tests.security.callers import Asking, Caller, session_of
from tests.security.routes import BODIES, TABLE
from tests.security.world import World, _permissions

pytestmark = pytest.mark.django_db
CANARY = "canary-of-the-owner"
LOOKS = "setup/openings/"


def readers(world: World) -> list[Caller]:
    """A superuser without the right to look, staff with every permission, the manager of the owner's team."""
    root = User.objects.create(email="root@example.com", is_staff=True, is_superuser=True, password="!")
    every = world._staff(_permissions())
    return [Caller(user.email, session=session_of(user), user=user) for user in (root, every, world.teammate)]


def addresses(world: World) -> Iterator[tuple[str, str, str]]:
    """Every route about what is the owner's, by each method that it takes."""
    for group in TABLE:
        for route in group.names():
            for method in group.methods:
                yield method, route, world.path(route)
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        yield "GET", "admin", f"/admin/{name}/"
        for pk in model._default_manager.values_list("pk", flat=True)[:5]:
            yield "GET", "admin", f"/admin/{name}/{pk}/change/"


def test_no_page_no_file_and_no_api_shows_them_to_anybody_else(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asking, found, asked = Asking(), [], 0
    for caller in readers(world):
        for method, route, path in addresses(world):
            if route.startswith("live/"):
                continue
            kind, body = BODIES.get(
                route, ("application/x-www-form-urlencoded", "do=export&sure=yes&format=csv&part=1")
            )
            answer = asking.ask(method, path, caller, body=body if method == "POST" else "", content_type=kind)
            asked += 1
            if CANARY.encode() in getattr(answer, "content", b""):
                found.append(f"{method} {path} to {caller.name}")
    assert found == []
    assert asked > 400
    assert CANARY not in caplog.text


def test_the_walk_sees_them_where_they_stand(world: World) -> None:
    owner = Caller("owner", session=session_of(world.owner), user=world.owner)
    holder = Caller("holder", session=session_of(world.administrator), user=world.administrator)
    path = world.path("chat/<uuid:uuid>/")
    assert CANARY.encode() in Asking().ask("GET", path, owner).content
    look = world.path("setup/openings/<uuid:uuid>/<uuid:number>/")
    assert CANARY.encode() in Asking().ask("GET", look, holder).content


def test_neither_the_trail_nor_its_files_hold_them(world: World) -> None:
    rows = json.dumps(list(AuditEvent.objects.values()), default=str)
    files = [make(audit_search.Search()).body.decode() for make, _kind, _end in audit_export.FORMATS.values()]
    assert CANARY not in rows + "".join(files)


def test_no_table_of_the_conversation_is_in_the_plain_administration() -> None:
    assert not [model for model in admin.site._registry if model._meta.app_label == "chat"]
    assert "may_open_chats" not in {
        name
        for each in admin.site._registry.values()
        for name in [*getattr(each, "list_editable", ()), *(each.fields or ())]
    }
    assert apps.get_model("accounts.User")._meta.get_field("may_open_chats").editable is False


def test_every_address_of_a_look_is_in_the_table() -> None:
    routes = {route for route in matrix.walk() if route.startswith(LOOKS)}
    assert routes <= {route for group in TABLE for route in group.names()}
    assert len(routes) == 6
