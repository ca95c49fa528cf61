"""Limits, people and calls for the tests of this room. Asserts nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from accounts.models import Membership, Organisation, Team, User
from usage.limit_models import NOBODY, Quota

NOW = dt.datetime(2026, 1, 14, 12, tzinfo=dt.UTC)  # a Wednesday


def person(name: str = "ada") -> User:
    return User.objects.create(email=f"{name}@example.com", name=name.title(), password="!")


def team(name: str, *members: User, pays: bool = True) -> Team:
    made = Team.objects.create(name=name)
    for member in members:
        Membership.objects.create(user=member, team=made, is_primary=pays)
    return made


def limit(
    amount: int, unit: str = "requests", period: str = "day", *, scope: str = "each", subject: Any = None, **more: Any
) -> Quota:
    """`subject` is the person, team or key that it is for."""
    whom = NOBODY if subject is None else getattr(subject, "uuid", subject)
    models = [str(model) for model in more.pop("models", ())]
    return Quota.objects.create(
        scope=scope, subject=whom, unit=unit, period=period, amount=amount, of_models=models, models_key="".join(models),
        **more,
    )  # fmt: skip


def in_zone(name: str) -> None:
    Organisation.get()
    Organisation.objects.update(time_zone=name)


def new() -> uuid.UUID:
    return uuid.uuid4()
