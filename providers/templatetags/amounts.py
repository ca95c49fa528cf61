"""Amounts of money in templates, in the reader's language. Converts nothing."""

from __future__ import annotations

from django import template
from django.utils import formats

from providers import money

register = template.Library()


@register.filter(name="money")
def exact(micro: int, currency: str) -> str:
    """The amount exactly: `{{ price.input_micro|money:price.currency }}`."""
    return money.words(micro, currency)


@register.filter(name="about")
def about(micro: int, currency: str) -> str:
    """The amount with two places."""
    return money.rounded(micro, currency)


@register.filter
def grouped(number: int) -> str:
    """A count, with its thousands apart."""
    return formats.number_format(number, use_l10n=True, force_grouping=True)


@register.filter
def plain_number(micro: int) -> str:
    """The number alone, as one types it."""
    return money.to_text(micro)
