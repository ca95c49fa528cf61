"""A row that is written without Django's own way of saving stores what that way would have stored, whatever the values are."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

from accounts import prepared
from chat.models import Generation

OTHERS = [None, "", "text", 0, 7, True, False, dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC), uuid.UUID(int=5)]
OURS = [model for model in apps.get_models() if model._meta.app_label in {"accounts", "providers", "usage", "chat"}]


def djangos(row: models.Model, field: Any) -> Any:
    return field.get_db_prep_save(field.pre_save(row, True), connection=connection)


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_every_column_of_every_model_is_stored_as_django_stores_it(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        plain = prepared._plain(field)
        for value in OTHERS:
            row = model()
            setattr(row, field.attname, value)
            if plain is None or (value is not None and type(value) is not plain):
                continue  # Django's own way is taken
            assert prepared._value(row, field, plain) == djangos(row, field), (field, value)


@pytest.mark.django_db
def test_a_choice_is_stored_as_its_value_and_a_column_that_fills_itself_is_left_to_django() -> None:
    state = Generation._meta.get_field("state")
    row = Generation(state=Generation.State.QUEUED)
    assert prepared._value(row, state, prepared._plain(state)) == djangos(row, state) == "queued"
    for model in OURS:
        for field in model._meta.concrete_fields:
            if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False) or field.primary_key:
                assert prepared._plain(field) is None or field.primary_key
