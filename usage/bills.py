"""What a call did cost, once it is over: whole numbers, by usage.pricing. Writes nothing."""

from __future__ import annotations

import datetime as dt

from accounts.models import Organisation
from usage import pricing
from usage.models import Invocation


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
