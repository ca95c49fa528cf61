"""What a model costs wherever it may be asked, before it is asked: whole numbers, by usage.pricing. Decides nothing, writes nothing.

The prices are read by one expression, which stands by itself (`of`) or within the statement that reads the limits (usage.limits).
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.prepared import fetch
from usage import pricing

MILLION = 1_000_000
# A JSON array of [our currency, the price's columns…, the rate into our currency], one for each provider that may be asked.
_PRICES = """(SELECT {array_of}({array}(c.currency, {columns}, (
        SELECT x.rate_micro FROM usage_exchangerate x
        WHERE x.currency = i.currency AND x."into" = c.currency AND x.effective_from <= {now}
        ORDER BY x.effective_from DESC, x.id DESC LIMIT 1)))
    FROM providers_modelroute r JOIN providers_languagemodel m ON m.id = r.model_id
    JOIN providers_provider a ON a.id = r.provider_id JOIN accounts_organisation c ON c.id = 1
    LEFT JOIN providers_price i ON i.id = (
        SELECT j.id FROM providers_price j WHERE j.model_id = r.model_id AND j.provider_id = r.provider_id
        AND j.effective_from <= {now} ORDER BY j.effective_from DESC, j.id DESC LIMIT 1)
    WHERE m.uuid = {model} AND r.enabled AND a.enabled)"""
_COLUMNS = ", ".join(f'i."{name}"' for name in pricing.COLUMNS)


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of a model at all providers that may be asked, each with its rate into the organisation's currency.

    None of them known, or one of them not: `prices` is None, and nobody can say what a call costs.
    """

    prices: tuple[tuple[pricing.PriceRow, int], ...] | None

    @property
    def known(self) -> bool:
        return self.prices is not None

    def most(self, *, input: int, output: int, calls: int = 1) -> int:  # tokens that go in
        """The most that such a call costs, in the organisation's micro-units, rounded up. Zero: it is free."""
        assert self.prices is not None
        return max(
            -(-_dearest(price, input=input, output=output, calls=calls) * rate // MILLION)
            for price, rate in self.prices
        )


def _dearest(price: pricing.PriceRow, *, input: int, output: int, calls: int) -> int:  # tokens that go in
    """Whatever part of it was cached or reasoning: a part may be dearer than the whole."""
    return max(
        pricing.cost_micro(price, input=input, cached=cached, output=output, reasoning=reasoning, calls=calls)
        for cached in (0, input)
        for reasoning in (0, output)
    )


def prices() -> str:
    """The expression, with open places {now} and {model}: as this database writes it."""
    server = connection.vendor == "postgresql"
    array_of, array = ("json_agg", "json_build_array") if server else ("json_group_array", "json_array")
    return _PRICES.replace("{array_of}", array_of).replace("{array}", array).replace("{columns}", _COLUMNS)


def read(value: Any) -> Tariff:
    """The tariff that the expression's value says."""
    found: list[tuple[pricing.PriceRow, int]] = []
    for ours, uuid, *values, rate in json.loads(value) if isinstance(value, str) else value or ():
        if uuid is None:
            return Tariff(None)
        price = pricing.PriceRow(UUID(uuid), *values)
        if price.currency != ours and rate is None:
            return Tariff(None)
        found.append((price, MILLION if price.currency == ours else rate))
    return Tariff(tuple(found) or None)


def of(model: UUID | None, *, at: dt.datetime) -> Tariff:
    """What this model costs. One statement."""
    if model is None:
        return Tariff(None)
    sql = "SELECT " + prices().replace("{now}", "%s").replace("{model}", "%s")
    return read(fetch(sql, at, at, model)[0][0])
