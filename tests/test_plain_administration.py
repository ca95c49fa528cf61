"""Every table of Django's plain administration: which there are, what is closed in them, and that no list asks more for more rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Membership, Organisation, Team, User
from providers.models import LanguageModel, ModelRoute, Price, Provider

pytestmark = pytest.mark.django_db
ROOMS = ("accounts", "providers", "usage", "chat", "portal", "api")

# What is added, changed and deleted there. Everything else of our rooms is not registered at all.
OPEN: dict[str, str] = {
    "accounts.User": "add change",  # deleted one at a time, once switched off
    "accounts.Team": "add change delete",
    "accounts.Membership": "add change delete",
    "accounts.Organisation": "change",
    "providers.Provider": "add change delete",
    "providers.LanguageModel": "add change delete",
    "providers.Price": "",
}
NEVER = (
    "accounts.AuditEvent", "accounts.ApiKey", "accounts.RefreshToken", "accounts.LoginSession", "accounts.OneTimeLink",
    "accounts.Mail", "accounts.RulesAgreement", "accounts.RulesVersion", "usage.LedgerEntry", "usage.Invocation",
    "usage.QuotaPeriod", "usage.Reservation", "usage.ReservationLine", "usage.Quota", "chat.Message", "chat.Generation",
    "chat.Conversation", "chat.Delta", "providers.ProviderState",
)  # fmt: skip
"""Counters, proofs, credentials and words: a hand in them would break a promise."""


def registered() -> dict[str, admin.ModelAdmin[Any]]:
    return {model._meta.label: table for model, table in admin.site._registry.items() if model._meta.app_label in ROOMS}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root@example.com")


def test_these_tables_are_there_and_no_others(root: User) -> None:
    request = RequestFactory().get("/admin/")
    request.user = root
    found = {}
    for label, table in registered().items():
        may = {
            "add": table.has_add_permission(request),
            "change": table.has_change_permission(request),
            "delete": table.has_delete_permission(request),
        }
        found[label] = " ".join(verb for verb, allowed in may.items() if allowed)
    assert found == OPEN


@pytest.mark.parametrize("label", NEVER)
def test_nothing_that_must_not_be_touched_is_registered(label: str) -> None:
    assert not admin.site.is_registered(apps.get_model(label))


def test_whoever_is_registered_from_a_library_is_not_ours() -> None:
    others = {model._meta.label for model in admin.site._registry if model._meta.app_label not in ROOMS}
    assert others == set()


def _people(number: int) -> None:
    User.objects.create(email=f"p{number}@example.com", name=f"P {number}")


def _member(number: int) -> None:
    user = User.objects.create(email=f"p{number}@example.com")
    Membership.objects.create(user=user, team=Team.objects.create(name=f"T {number}"))


def _provider(number: int) -> Provider:
    return Provider.objects.create(name=f"P {number}", base_url="http://127.0.0.1:9/v1")


def _model(number: int) -> LanguageModel:
    made = LanguageModel.objects.create(slug=f"m{number}", name=f"M {number}")
    ModelRoute.objects.create(model=made, provider=_provider(number), upstream_name="m")
    return made


def _price(number: int) -> None:
    made = _model(number)
    Price.objects.create(model=made, provider=made.providers.get(), input_micro=1)


MAKERS: dict[str, Callable[[int], object]] = {
    "accounts.User": _people,
    "accounts.Team": lambda number: Team.objects.create(name=f"T {number}"),
    "accounts.Membership": _member,
    "providers.Provider": _provider,
    "providers.LanguageModel": _model,
    "providers.Price": _price,
}


def _asked(client: Client, model: type[Model], **query: str) -> int:
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    client.get(path, query)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path, query).status_code == 200
    return len(asked)


@pytest.mark.parametrize("label", sorted(OPEN))
def test_a_list_asks_as_often_for_three_rows_as_for_one(root: User, client: Client, label: str) -> None:
    if label == "accounts.Organisation":
        assert Organisation.objects.count() <= 1  # the one row: its list leads straight to it
        return
    model = apps.get_model(label)
    client.force_login(root)
    # The filters offer what there is: one choice and three are the same queries.
    MAKERS[label](1)
    with_one = _asked(client, model)
    MAKERS[label](2)
    MAKERS[label](3)
    assert _asked(client, model) == with_one
    assert with_one <= 14, "a list of the plain administration stays cheap"


@pytest.mark.parametrize("label", sorted(set(OPEN) - {"accounts.Organisation"}))
def test_a_list_can_be_searched(root: User, client: Client, label: str) -> None:
    table = registered()[label]
    assert table.search_fields
    client.force_login(root)
    MAKERS[label](1)
    assert _asked(client, apps.get_model(label), q="P") > 0


def test_it_has_the_look_of_the_other_pages(root: User, client: Client) -> None:
    client.force_login(root)
    shown = client.get("/admin/").content.decode()
    assert "css/admin.css" in shown
    assert 'href="/setup/"' in shown
