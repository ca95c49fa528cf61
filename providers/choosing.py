"""Which models colleagues may choose, and in which order. Short transactions; a model that two providers serve stays for the other.

Decides no rights, talks to nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from providers import environment
from providers.endpoints import ModelInfo
from providers.models import LanguageModel, ModelRoute, Provider

Kind = LanguageModel.Kind
PAGE = 60
"""Models on one page: a form with more fields than Django takes could not be sent."""


def overview() -> QuerySet[Provider]:
    """Every provider with its circuit and how many of its models are on (`models_on`) and known (`models_known`)."""
    on = Q(routes__enabled=True, routes__model__enabled=True)
    counts: dict[str, Any] = {
        "models_known": Count("routes", distinct=True),
        "models_on": Count("routes", filter=on, distinct=True),
    }
    return Provider.objects.select_related("state").annotate(**counts).order_by("-enabled", "name")


def offered() -> QuerySet[LanguageModel]:
    """The models that colleagues may choose from, the default first, with their routes and providers."""
    served = ModelRoute.objects.filter(model=OuterRef("pk"), enabled=True, provider__enabled=True)
    models = LanguageModel.objects.filter(Exists(served), enabled=True, kind=Kind.CHAT)
    return models.prefetch_related("routes__provider", "teams")


def listed(provider: Provider, *, query: str = "", everything: bool = False) -> QuerySet[ModelRoute]:
    """The provider's routes, those that are on first: chat models, or with `everything` all; `query`: part of a name."""
    routes = provider.routes.select_related("model")
    if not everything:
        routes = routes.filter(Q(model__kind=Kind.CHAT) | Q(enabled=True, model__enabled=True))
    if query:
        routes = routes.filter(Q(upstream_name__icontains=query) | Q(model__name__icontains=query))
    return routes.order_by("-enabled", "-model__enabled", "model__position", "pk")


def is_new(provider: Provider) -> bool:
    """Whether nobody has chosen from this provider's models yet: then its chat models are proposed."""
    return not provider.routes.filter(enabled=True).exists()


@transaction.atomic
def choose(provider: Provider, *, shown: Collection[int], on: Collection[int]) -> None:
    """Of the routes `shown` exactly those in `on` are on from now on; routes of others or not shown stay as they are."""
    routes = list(provider.routes.filter(pk__in=shown).select_related("model").order_by("model__position", "pk"))
    chosen = [route for route in routes if route.pk in on]
    left = [route for route in routes if route.pk not in on]
    last: int = LanguageModel.objects.filter(enabled=True).aggregate(last=Max("position"))["last"] or 0
    for route in chosen:
        if not route.model.enabled:
            last += 1
            LanguageModel.objects.filter(pk=route.model_id).update(enabled=True, position=last)
    # Whatever its name looked like: an administrator has said that it can chat.
    LanguageModel.objects.filter(pk__in=[route.model_id for route in chosen]).update(kind=Kind.CHAT)
    ModelRoute.objects.filter(pk__in=[route.pk for route in chosen]).update(enabled=True)
    ModelRoute.objects.filter(pk__in=[route.pk for route in left]).update(enabled=False)
    elsewhere = ModelRoute.objects.filter(model=OuterRef("pk"), enabled=True).exclude(provider=provider)
    alone = LanguageModel.objects.filter(~Exists(elsewhere), pk__in=[route.model_id for route in left])
    alone.update(enabled=False)


def add_by_name(provider: Provider, *, names: Collection[str]) -> None:
    """Models that the provider does not list; they are proposed with the others and still off."""
    environment.add_models(provider, found=[ModelInfo(name) for name in names], switched_on=False)


@transaction.atomic
def switch(provider: Provider, *, on: bool) -> None:
    """Turns a provider on or off. With the first real one the demonstration ends."""
    dialect = {key: value for key, value in provider.dialect.items() if key != environment.ABSENT}
    Provider.objects.filter(pk=provider.pk).update(enabled=on, dialect=dialect)
    if on:
        environment.end_demonstration()


@transaction.atomic
def move(model: LanguageModel, *, by: int | None) -> None:
    """Moves an offered model up (-1) or down (1) in the list; None: to its top, where it is the default."""
    order = list(offered())
    here = next((index for index, other in enumerate(order) if other.pk == model.pk), None)
    if here is None:
        return
    there = 0 if by is None else min(max(here + by, 0), len(order) - 1)
    order.insert(there, order.pop(here))
    for position, other in enumerate(order, start=1):
        if other.position != position:
            LanguageModel.objects.filter(pk=other.pk).update(position=position)


def withdraw(model: LanguageModel) -> None:
    """Colleagues can no longer choose this model, whoever serves it."""
    LanguageModel.objects.filter(pk=model.pk).update(enabled=False)
