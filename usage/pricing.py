"""What a call costs: the price in force, the bill in the price's currency, the same in the organisation's. Writes nothing.

Asks the database each time, so that a new price or rate acts on the next call; the statements are built once. Tokens are counted
as OpenAI's usage does: cached ones are a part of the input, reasoning a part of the output. A price of 0 for such a part means
that it is not priced separately and costs what input or output costs. All amounts are integers: micro-units of a currency.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Organisation
from accounts.prepared import Prepared, fetch
from providers.models import AMOUNTS, Price

MILLION = 1_000_000
COLUMNS = ("uuid", "currency", *AMOUNTS)


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as it was in force: micro-units of `currency` for 1,000,000 tokens, or for one call, image, minute of sound."""

    uuid: UUID
    currency: str
    input_micro: int
    cached_input_micro: int
    output_micro: int
    reasoning_micro: int
    per_call_micro: int
    per_image_micro: int
    per_audio_minute_micro: int

    @property
    def is_free(self) -> bool:
        """Whether no call can cost anything: no limit in money is in its way."""
        return not any(getattr(self, name) for name in AMOUNTS)


def _in_force(model: UUID, provider: UUID, at: dt.datetime) -> QuerySet[Price]:
    rows = Price.objects.filter(model__uuid=model, provider__uuid=provider, effective_from__lte=at)
    return rows.order_by("-effective_from", "-pk")[:1]


_price = Prepared(_in_force, UUID(int=1), UUID(int=2), dt.datetime(2001, 2, 3, tzinfo=dt.UTC))
_RATE = """
    SELECT o.currency, (
        SELECT r.rate_micro FROM usage_exchangerate r
        WHERE r.currency = %s AND r."into" = o.currency AND r.effective_from <= %s
        ORDER BY r.effective_from DESC, r.id DESC LIMIT 1)
    FROM accounts_organisation o WHERE o.id = 1
"""


def price_at(model_uuid: UUID, provider_uuid: UUID, at: dt.datetime) -> PriceRow | None:
    """The price of this model at this provider in force at that moment; None: nobody has entered one. One query."""
    row = _price.first(model_uuid, provider_uuid, at)
    return None if row is None else PriceRow(*(getattr(row, name) for name in COLUMNS))


def cost_micro(price: PriceRow, *, input: int, cached: int, output: int, reasoning: int, calls: int = 1) -> int:
    """The bill in micro-units of the price's currency, rounded up once.

    `cached` of the `input` tokens came from the provider's cache, `reasoning` of the `output` tokens were thoughts; more than
    the whole, or less than nothing, is taken for the whole or for nothing.
    """
    given, made = max(0, input), max(0, output)
    kept, thought = min(max(0, cached), given), min(max(0, reasoning), made)
    parts = (given - kept) * price.input_micro + kept * (price.cached_input_micro or price.input_micro)
    parts += (made - thought) * price.output_micro + thought * (price.reasoning_micro or price.output_micro)
    return _up(parts) + max(0, calls) * price.per_call_micro


def convert(currency: str, micro: int, at: dt.datetime) -> tuple[int, int] | None:
    """(micro-units of the organisation's currency, rounded up; the rate that was used), or None: no rate is known. One query.

    The rate is what 1,000,000 micro-units of `currency` are in the organisation's; its own currency has 1,000,000.
    """
    rows = fetch(_RATE, currency, at)
    ours, rate = rows[0] if rows else (Organisation.get().currency, None)
    if currency == ours:
        return micro, MILLION
    return None if rate is None else (_up(micro * rate), rate)


def _up(millionths: int) -> int:
    """A millionth of it, rounded up."""
    return -(-millionths // MILLION)
