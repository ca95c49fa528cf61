"""What was used of something, for pages of rooms to the left that may not ask the ledger themselves. Reads only."""

from __future__ import annotations

from uuid import UUID

from django import template

from accounts import clock
from usage import spending

register = template.Library()
DAYS = 7


@register.simple_tag
def used_of_model(model: UUID, currency: str) -> spending.Sums:
    """`{% used_of_model model.uuid organisation.currency as used %}`: everybody's use of it in the last seven times 24 hours."""
    return spending.of_model(model, days=DAYS, now=clock.now(), currency=currency)
