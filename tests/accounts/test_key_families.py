"""Keys that were replaced before keys had families: the migration gathers them, so that a limit goes on with a new secret."""

from __future__ import annotations

import importlib
import uuid

import pytest
from django.apps import apps

from accounts import api_keys
from accounts.models import ApiKey, User

pytestmark = pytest.mark.django_db


def test_replaced_keys_are_one_family_and_others_are_not(ada: User) -> None:
    first, second, third, _other = (
        api_keys.make(ada, name=name, by=ada, scopes=["chat"])[0] for name in ("first", "second", "third", "other")
    )
    for key, successor in ((first, second), (second, third)):
        ApiKey.objects.filter(pk=key.pk).update(successor=successor, family=uuid.uuid4())
    migration = importlib.import_module("accounts.migrations.0010_key_families")
    migration.gather(apps, None)
    families = dict(ApiKey.objects.values_list("name", "family"))
    assert families["first"] == families["second"] == families["third"] != families["other"]
    assert all(families.values())
