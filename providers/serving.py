"""Who serves a model, in order: providers added, moved, switched off, taken away. Each deed with its line in the trail; calls nobody."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.http import HttpRequest

from accounts import audit
from providers.models import LanguageModel, ModelRoute, Provider

MOVES = {"up": -1, "down": 1}


def in_order(model: LanguageModel) -> list[ModelRoute]:
    """The model's providers as they are asked, with their circuits."""
    return list(model.routes.select_related("provider__state", "model"))


def told(routes: list[ModelRoute]) -> list[str]:
    """How the trail tells of them."""
    return [f"{route.provider.name}: {route.upstream_name}{'' if route.enabled else ' (off)'}" for route in routes]


def change(model: LanguageModel, *, provider: Provider, what: str, request: HttpRequest) -> None:
    """Moves a provider up or down, switches it on or off, or takes away one that is off. What cannot be done changes nothing."""
    with transaction.atomic():
        before = in_order(model)
        route = next((each for each in before if each.provider_id == provider.pk), None)
        if route is None:
            return
        if what in MOVES:
            _move(before, route=route, by=MOVES[what])
        elif what in ("on", "off"):
            ModelRoute.objects.filter(pk=route.pk).update(enabled=what == "on")
        elif what == "remove":
            ModelRoute.objects.filter(pk=route.pk, enabled=False).delete()
        _tell(model, before=told(before), request=request)


def _move(routes: list[ModelRoute], *, route: ModelRoute, by: int) -> None:
    order = list(routes)
    here = order.index(route)
    order.insert(min(max(here + by, 0), len(order) - 1), order.pop(here))
    for position, each in enumerate(order):
        if each.position != position:
            ModelRoute.objects.filter(pk=each.pk).update(position=position)


def add(model: LanguageModel, *, provider: Provider, name: str, request: HttpRequest) -> bool:
    """A further provider at the end of the order, under the model's name there; False when it is there already."""
    try:
        with transaction.atomic():
            before = in_order(model)
            last = model.routes.aggregate(last=Max("position"))["last"]
            position = 0 if last is None else last + 1
            ModelRoute.objects.create(model=model, provider=provider, upstream_name=name, position=position)
            _tell(model, before=told(before), request=request)
    except IntegrityError:  # twice at the same moment
        return False
    return True


def _tell(model: LanguageModel, *, before: list[str], request: HttpRequest) -> None:
    after = told(in_order(model))
    changes: dict[str, list[Any]] = {"providers": [before, after]}
    if before != after:
        audit.record("model.changed", request=request, target=model, changes=changes)
