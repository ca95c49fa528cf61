"""Every name of a column of every model, and a value for it that nobody would be glad to find there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from accounts.models import User
from tests.security.writes import WRITES

NUMBER, TEXT, YEAR, DATE = "987654321", "hostile", 2001, "2001-02-03T04:05:06+00:00"
# What such requests are told to bring along elsewhere, whether or not a model has it here.
MORE = ("role", "roles", "is_admin", "admin", "permissions", "groups", "quota", "quota_limit", "limit", "used", "balance", "credits",
        "pk", "scope", "organisation_id", "workspace", "tenant", "__class__", "_state", "constructor")  # fmt: skip
AT_ONCE = 50
"""A form takes a hundred fields."""


def hostile(intruder: User) -> dict[str, str]:
    """By name. Where several models have a name, the one that points to somebody weighs most, then switches."""
    found: dict[str, tuple[int, str]] = dict.fromkeys(MORE, (0, TEXT))
    for model in apps.get_models(include_auto_created=True):
        for each in model._meta.get_fields():
            weight, value = _value(each, intruder=intruder)
            for name in {each.name, getattr(each, "attname", each.name)}:
                if weight > found.get(name, (-1, ""))[0]:
                    found[name] = (weight, value)
    return {name: value for name, (_weight, value) in sorted(found.items())}


def _value(column: Any, *, intruder: User) -> tuple[int, str]:
    if isinstance(column, models.ForeignKey) or not isinstance(column, models.Field):
        return 5, str(intruder.pk)
    if isinstance(column, models.BooleanField):
        return 4, "" if column.get_default() else "on"
    if isinstance(column, models.UUIDField):
        return 3, str(intruder.uuid)
    if isinstance(column, models.DateTimeField):
        return 2, DATE
    if isinstance(column, models.IntegerField | models.AutoField):
        return 2, NUMBER
    if isinstance(column, models.JSONField):
        return 1, '["admin", "*"]'
    choices = [str(value) for value, _words in column.flatchoices]
    return 1, choices[-1] if choices else TEXT


def in_parts(fields: dict[str, str]) -> Iterator[dict[str, str]]:
    """Few enough at once for a form."""
    names = list(fields)
    for start in range(0, len(names), AT_ONCE):
        yield {name: fields[name] for name in names[start : start + AT_ONCE]}


def is_hostile(value: object, *, intruder: User) -> bool:
    """Whether a stored value is one of ours; switches are judged by their default."""
    if isinstance(value, bool):
        return False
    year = getattr(value, "year", None)
    ours = {NUMBER, TEXT, str(intruder.pk), str(intruder.uuid), "['admin', '*']", '["admin", "*"]'}
    return year == YEAR or (str(value) in ours and not isinstance(value, uuid.UUID | int)) or value in (
        int(NUMBER), intruder.pk, intruder.uuid,
    )  # fmt: skip


def wanted_by(route: str) -> list[str]:
    """The fields that an address takes, as far as its row in writes.py names them."""
    found = [name for write in WRITES if write.route == route for name in write.body]
    return found or ["name", "id", "do"]
