"""Amounts of money between people and rows: what is typed becomes integer micro-units, and these become words. No rates, no prices."""

from __future__ import annotations

import re
from decimal import Decimal

from django.utils import formats

MICRO = 1_000_000
MOST_MICRO = 10**15
"""A thousand million units: more is a slip of the pen, and a bill of it would still fit into a column."""
SIGNS = {
    "USD": "$",
    "CNY": "¥",
    "EUR": "€",
    "GBP": "£",
    "JPY": "JP¥",
    "HKD": "HK$",
    "TWD": "NT$",
    "KRW": "₩",
    "INR": "₹",
}
# fmt: off
KNOWN = (
    "USD", "CNY", "EUR", "GBP", "JPY", "HKD", "TWD", "KRW", "INR", "SGD", "AUD", "CAD", "CHF", "NZD", "SEK", "NOK", "DKK", "PLN",
    "CZK", "HUF", "RON", "TRY", "ILS", "AED", "SAR", "ZAR", "BRL", "MXN", "THB", "MYR", "IDR", "PHP", "VND", "RUB", "KZT",
)
# fmt: on
"""Currencies that forms offer; a file may have any other of three letters."""
CURRENCY = re.compile(r"[A-Z]{3}")
_GROUPED = re.compile(r"[1-9]\d*,\d{3}")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{0,6}0*)?|\.\d{1,6}0*")


def to_micro(text: str) -> int:
    """Micro-units of a typed amount: "2.50", "2,5" or "0.075"; at most six places. Raises ValueError, for "1,000" too (one?)."""
    given = text.strip()
    if given.count(",") == 1 and "." not in given and not _GROUPED.fullmatch(given):
        given = given.replace(",", ".")  # as half of Europe writes it
    if not _NUMBER.fullmatch(given) or not given.isascii():
        raise ValueError(text)
    micro = int(Decimal(given) * MICRO)
    if micro > MOST_MICRO:
        raise ValueError(text)
    return micro


def to_text(micro: int) -> str:
    """The amount as one would type it: "2.5", "0"."""
    text = f"{Decimal(micro) / MICRO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def words(micro: int, currency: str) -> str:
    """The amount as the reader's language writes it, exact, with at least two places: "$0.075", "¥20.00", "1,250.00 CHF"."""
    whole = Decimal(to_text(micro))
    exponent = whole.as_tuple().exponent
    assert isinstance(exponent, int)
    return _signed(whole, currency, places=max(2, -exponent))


def rounded(micro: int, currency: str) -> str:
    """The same with two places; what would vanish is told as less than the smallest: "<$0.01"."""
    if 0 < micro < MICRO // 100:
        return "<" + _signed(Decimal("0.01"), currency, places=2)
    return _signed(round(Decimal(micro) / MICRO, 2), currency, places=2)


def _signed(amount: Decimal, currency: str, *, places: int) -> str:
    number = formats.number_format(abs(amount), decimal_pos=places, use_l10n=True, force_grouping=True)
    minus = "-" if amount < 0 else ""
    sign = SIGNS.get(currency)
    return f"{minus}{sign}{number}" if sign else f"{minus}{number} {currency}".rstrip()
