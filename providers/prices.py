"""Prices: which are in force, which models have none, entering and removing. The only writer of Price; bills nothing (usage.pricing).

What was in force is never touched: a new price starts now or later, and only one that has not begun can be taken back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.clock import Now, now
from accounts.refusals import NotPossible
from providers import catalogue, money
from providers.endpoints import endpoint_for
from providers.failures import Failure
from providers.models import AMOUNTS, ModelRoute, Price, Provider

_IN_THE_TRAIL = {"reasoning_micro": "thinking"}  # a field that is called reasoning could hold what a model thought
Key = tuple[int, int]
"""(model's, provider's primary key): what a price is for."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A price that somebody wants: `amounts` in micro-units by column, those that are left out are 0. `starts` None: now."""

    currency: str
    amounts: Mapping[str, int]
    starts: dt.datetime | None = None
    origin: str = Price.Origin.ENTERED


def pairs(query: str = "", *, only_on: bool = False) -> QuerySet[ModelRoute]:
    """What can have a price: each model at each provider that serves it; those that are on first. `query`: part of a name."""
    routes = ModelRoute.objects.select_related("model", "provider")
    if only_on:
        routes = routes.filter(enabled=True, provider__enabled=True, model__enabled=True)
    if query:
        routes = routes.filter(
            Q(model__name__icontains=query) | Q(model__slug__icontains=query) | Q(provider__name__icontains=query)
        )
    return routes.order_by("-provider__enabled", "-enabled", "-model__enabled", "model__position", "pk")


def unpriced() -> QuerySet[ModelRoute]:
    """Of these the ones that colleagues can reach and that have no price in force: what they cost is unknown."""
    priced = Price.objects.filter(model=OuterRef("model"), provider=OuterRef("provider"), effective_from__lte=Now())
    return pairs(only_on=True).filter(~Exists(priced))


def in_force(routes: Iterable[ModelRoute]) -> dict[Key, Price]:
    """The price of each of these that has one, now. One query."""
    models = {route.model_id for route in routes}
    rows = Price.objects.filter(model__in=models, effective_from__lte=Now()).order_by("effective_from", "pk")
    return {(price.model_id, price.provider_id): price for price in rows}


def to_come(routes: Iterable[ModelRoute]) -> dict[Key, Price]:
    """The next price of each of these that has one. One query."""
    models = {route.model_id for route in routes}
    rows = Price.objects.future().filter(model__in=models).order_by("-effective_from", "-pk")
    return {(price.model_id, price.provider_id): price for price in rows}


def history(route: ModelRoute) -> QuerySet[Price]:
    """Every price of this pair, the newest first."""
    return Price.objects.filter(model=route.model_id, provider=route.provider_id)


def enter(route: ModelRoute, draft: Draft, *, request: HttpRequest | None = None) -> Price:
    """Adds a price and tells the trail what it was before. Raises NotPossible for a moment that is past or taken."""
    moment = now()
    if draft.starts is not None and draft.starts < moment:
        raise NotPossible("past", _("The past stays as it was: choose a date to come."))
    starts = draft.starts or moment
    before = history(route).filter(effective_from__lte=starts).first()
    price = Price(model=route.model, provider=route.provider, effective_from=starts, currency=draft.currency)
    price.origin = draft.origin
    for name in AMOUNTS:
        setattr(price, name, draft.amounts.get(name, 0))
    try:
        with transaction.atomic():
            price.save()
            audit.record("price.entered", request=request, target=route.model, changes=_changes(before, price))
    except IntegrityError:
        raise NotPossible("taken", _("A price begins at this moment already. Remove it first.")) from None
    return price


def remove(price: Price, *, request: HttpRequest) -> None:
    """Takes back a price that has not begun. Raises NotPossible."""
    with transaction.atomic():
        gone = Price.objects.future().filter(pk=price.pk).delete()[0]
        if not gone:
            raise NotPossible("past", _("This price is in force already: enter a new one instead."))
        changes: audit.Changes = {
            "provider": [price.provider.name, None],
            "effective_from": [_moment(price.effective_from), None],
        }
        audit.record("price.removed", request=request, target=price.model, changes=changes)


def offered(route: ModelRoute, *, base_url: str | None = None) -> Draft | None:
    """What the offline price list says about this model at this very provider; None: it does not know it.

    The demonstration costs nothing. Loads the list, which is heavy, at the first call.
    """
    if route.provider.source == Provider.Source.SIMULATOR:
        return Draft("USD", {})
    address = _address(route.provider) if base_url is None else base_url
    known = catalogue.listed(route.upstream_name, base_url=address)
    if known is None or known.input_micro is None:
        return None
    amounts = {name: getattr(known, name, None) or 0 for name in AMOUNTS}
    return Draft("USD", amounts, origin=Price.Origin.LIST)


def fill(route: ModelRoute, *, base_url: str | None = None, request: HttpRequest | None = None) -> Price | None:
    """The price list's price for a pair that never had one; None: it has, or the list does not know it. Replaces nothing."""
    if history(route).exists():
        return None
    draft = offered(route, base_url=base_url)
    return None if draft is None else enter(route, draft, request=request)


def amounts_of(price: Price) -> dict[str, int]:
    """Its amounts by column."""
    return {name: getattr(price, name) for name in AMOUNTS}


def same(price: Price | None, draft: Draft) -> bool:
    """Whether the draft says what the price says already."""
    if price is None or price.currency != draft.currency:
        return False
    return amounts_of(price) == {name: draft.amounts.get(name, 0) for name in AMOUNTS}


def same_amounts(first: Draft, second: Draft) -> bool:
    """Whether two drafts name the same money, whenever they begin."""
    return first.currency == second.currency and all(
        first.amounts.get(name, 0) == second.amounts.get(name, 0) for name in AMOUNTS
    )


def _address(provider: Provider) -> str:
    try:
        return endpoint_for(provider).base_url
    except Failure:
        return provider.base_url


def _changes(before: Price | None, after: Price) -> dict[str, Sequence[object]]:
    """For the trail: the moment, the provider, and every amount that is another one now."""
    changes: dict[str, Sequence[object]] = {
        "provider": [None, after.provider.name],
        "effective_from": [_moment(before.effective_from) if before else None, _moment(after.effective_from)],
    }
    for name in ("currency", *AMOUNTS):
        old, new = getattr(before, name, None), getattr(after, name)
        if old != new and (old or new):
            changes[_IN_THE_TRAIL.get(name, name)] = [_told(old), _told(new)]
    return changes


def _moment(at: dt.datetime) -> str:
    return at.isoformat(timespec="minutes")


def _told(value: object) -> object:
    return money.to_text(value) if isinstance(value, int) else value
