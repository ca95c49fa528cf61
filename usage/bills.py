"""What a call may cost at most before it goes out, and what it did cost afterwards: whole numbers, by usage.pricing. Writes nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Organisation
from accounts.prepared import fetch
from usage import pricing
from usage.limits import as_uuid
from usage.models import Invocation

MILLION = 1_000_000
_TARIFF = """
SELECT o.currency, {columns}, (
    SELECT x.rate_micro FROM usage_exchangerate x
    WHERE x.currency = p.currency AND x."into" = o.currency AND x.effective_from <= %s
    ORDER BY x.effective_from DESC, x.id DESC LIMIT 1)
FROM providers_modelroute r JOIN providers_languagemodel m ON m.id = r.model_id
JOIN providers_provider a ON a.id = r.provider_id JOIN accounts_organisation o ON o.id = 1
LEFT JOIN providers_price p ON p.id = (
    SELECT i.id FROM providers_price i WHERE i.model_id = r.model_id AND i.provider_id = r.provider_id
    AND i.effective_from <= %s ORDER BY i.effective_from DESC, i.id DESC LIMIT 1)
WHERE m.uuid = %s AND r.enabled AND a.enabled
"""
_COLUMNS = ", ".join(f'p."{name}"' for name in pricing.COLUMNS)


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


def tariff(model: UUID | None, *, at: dt.datetime) -> Tariff:
    """What this model costs wherever it may be asked. One statement."""
    if model is None:
        return Tariff(None)
    found: list[tuple[pricing.PriceRow, int]] = []
    for ours, *values, rate in fetch(_TARIFF.format(columns=_COLUMNS), at, at, model):
        if values[0] is None:
            return Tariff(None)
        price = pricing.PriceRow(as_uuid(values[0]), *values[1:])
        if price.currency != ours and rate is None:
            return Tariff(None)
        found.append((price, MILLION if price.currency == ours else rate))
    return Tariff(tuple(found) or None)


def put_on(call: Invocation, *, at: dt.datetime) -> None:
    """Writes price, costs and rate into the row of a finished call; what is not known stays empty."""
    if call.model is None or call.provider is None:
        return
    price = pricing.price_at(call.model, call.provider, at)
    if price is None:
        return
    call.price, call.currency = price.uuid, price.currency
    call.cost_micro = pricing.cost_micro(
        price,
        input=call.input_tokens,
        cached=call.cached_tokens,
        output=call.output_tokens,
        reasoning=call.reasoning_tokens,
    )
    converted = pricing.convert(price.currency, call.cost_micro, at)
    if converted is not None:
        call.organisation_cost_micro, call.rate_micro = converted
        call.organisation_currency = Organisation.get().currency
