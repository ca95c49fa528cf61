"""Limits, people and calls for the tests of this room. Asserts nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.db import transaction

from accounts.models import Membership, Organisation, Team, User
from providers.models import LanguageModel, ModelRoute, Price, Provider
from usage import limits, quotas
from usage.limit_models import NOBODY, Quota, QuotaPeriod
from usage.models import Invocation

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


def priced_model(input_micro: int = 1_000_000) -> uuid.UUID:
    """A model at one provider whose price is in the organisation's currency."""
    made = LanguageModel.objects.create(slug="priced", name="Priced", enabled=True)
    route = ModelRoute.objects.create(model=made, provider=Provider.objects.create(name="Pro"), upstream_name="priced")
    Price.objects.create(
        model=made, provider=route.provider, currency=Organisation.get().currency, input_micro=input_micro,
        effective_from=NOW - dt.timedelta(days=1),
    )  # fmt: skip
    return made.uuid


def in_zone(name: str) -> None:
    Organisation.get()
    Organisation.objects.update(time_zone=name)


def new() -> uuid.UUID:
    return uuid.uuid4()


def hold(
    user: User | None = None, *, model: uuid.UUID | None = None, input: int = 100, output: int = 400, **more: Any
) -> quotas.Hold:
    """Of one call by this person (else by somebody whom no limit knows)."""
    whom = user.uuid if user else uuid.uuid4()
    request_id = more.pop("request_id", None) or uuid.uuid4()
    standing = limits.standing(person=whom, now=NOW)
    return quotas.Hold(
        request_id, more.pop("source", "page"), whom, standing.team, more.pop("key", None), model, input, output, **more
    )


def reserve(hold: quotas.Hold, *, now: dt.datetime = NOW) -> quotas.Hold:
    """As a send does: looks, then writes in one transaction."""
    under = quotas.look(person=hold.person, key=hold.key, model=hold.model, now=now)
    with transaction.atomic():
        return quotas.reserve(hold, under=under, now=now)


def call(hold: quotas.Hold, *, input: int = 90, output: int = 50, now: dt.datetime = NOW, **more: Any) -> Invocation:
    """How the call of a hold ended."""
    return Invocation(
        request_id=hold.request_id, source=hold.source, person=hold.person, person_name="Ada", team=hold.team,
        key=hold.key, model=hold.model, created_at=now, finished_at=now, outcome="done", attempts=1,
        input_tokens=input, output_tokens=output, **more,
    )  # fmt: skip


def counters() -> list[tuple[str, int, int]]:
    """Unit, used and held of each counter."""
    rows = QuotaPeriod.objects.order_by("pk").values_list("quota__unit", "used", "held")
    return [(unit, used, held) for unit, used, held in rows]
