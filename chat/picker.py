"""What the model picker says of each model: its price class, which one is the default, its modes. Reads prices; bills nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F
from django.utils.translation import gettext as _

from accounts import clock
from providers import modes
from providers.models import LanguageModel, Price
from providers.money import SIGNS

# Roughly what a dollar is worth in units of the currency: a class of prices needs no more.
PER_DOLLAR = {"USD": 1.0, "CNY": 7.0, "EUR": 0.9, "GBP": 0.8, "JPY": 150.0}
# Up to so many dollars for a million tokens, three of input to one of output; beyond the last: three signs.
CLASSES = (1.0, 6.0)


@dataclass(frozen=True)
class Choice:
    """A model as the picker shows it; `price` is one to three signs of the currency, or empty when unknown or free."""

    model: LanguageModel
    price: str
    price_words: str
    is_default: bool
    is_chosen: bool
    modes: Sequence[modes.Mode] = ()
    mode: str = ""


def choices(models: Sequence[LanguageModel], *, chosen: LanguageModel | None, mode: str = "") -> list[Choice]:
    """The models that a person may use (providers.access: the default first), in their order. One query. `mode`: the remembered one."""
    prices = _prices(models)
    found = []
    for place, model in enumerate(models):
        level = price_class(prices[model.pk]) if model.pk in prices else 0
        sign = SIGNS.get(prices[model.pk].currency, "") if level else ""
        words = ["", _("low price"), _("medium price"), _("high price")][level if sign else 0]
        is_chosen = chosen is not None and model.pk == chosen.pk
        ways = modes.of(model)
        shown = Choice(
            model, sign * level, words, place == 0, is_chosen, ways, modes.usual(model, mode) if ways else ""
        )
        found.append(shown)
    return found


def price_class(price: Price) -> int:
    """1 to 3 from cheap to dear; 0 for what costs nothing or has a currency that is not known here."""
    rate = PER_DOLLAR.get(price.currency)
    dollars = (3 * price.input_micro + price.output_micro) / 4 / 1_000_000 / rate if rate else 0.0
    return 0 if dollars <= 0 else 1 + sum(dollars > limit for limit in CLASSES)


def _prices(models: Sequence[LanguageModel]) -> dict[int, Price]:
    """The price in force of each model at the provider that is asked first."""
    rows = Price.objects.filter(
        model__in=models,
        effective_from__lte=clock.Now(),
        provider__enabled=True,
        provider__routes__enabled=True,
        provider__routes__model=F("model"),
    )
    found: dict[int, Price] = {}
    for price in rows.order_by("provider__routes__position", "provider__routes__pk", "-effective_from", "-pk"):
        found.setdefault(price.model_id, price)
    return found
