"""What a call costs: a price in the organisation's own currency only, for now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from accounts.models import Organisation
from providers.models import Price

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as it was in force."""

    uuid: UUID
    currency: str
    input_micro: int
    cached_input_micro: int
    output_micro: int
    reasoning_micro: int
    per_call_micro: int


def price_at(model_uuid: UUID, provider_uuid: UUID, at: dt.datetime) -> PriceRow | None:
    """The price of this model at this provider in force at that moment."""
    rows = Price.objects.filter(model__uuid=model_uuid, provider__uuid=provider_uuid, effective_from__lte=at)
    row = rows.order_by("-effective_from", "-pk").first()
    if row is None:
        return None
    return PriceRow(
        row.uuid, row.currency, row.input_micro, row.cached_input_micro, row.output_micro, row.reasoning_micro,
        row.per_call_micro,
    )  # fmt: skip


def cost_micro(
    price: PriceRow, *, input: int, cached: int, output: int, reasoning: int, calls: int = 1
) -> int:  # the contract's word
    """The bill in micro-units of the price's currency, rounded up once."""
    total = (input - cached) * price.input_micro + cached * (price.cached_input_micro or price.input_micro)
    total += (output - reasoning) * price.output_micro + reasoning * (price.reasoning_micro or price.output_micro)
    return -(-(total + calls * price.per_call_micro * MILLION) // MILLION)


def convert(currency: str, micro: int, at: dt.datetime) -> tuple[int, int] | None:
    """The amount in the organisation's currency, and the rate."""
    return (micro, MILLION) if Organisation.get().currency == currency else None
