"""How much is not answered yet, for pages of rooms to the left. Reads only."""

from __future__ import annotations

from django import template

from chat.models import ACTIVE, Generation

register = template.Library()


@register.simple_tag
def unfinished() -> int:
    """Answers that wait or are being written."""
    return Generation.objects.filter(state__in=ACTIVE).count()
