"""What stands between two sentences of a page that are translated by themselves."""

from __future__ import annotations

from django import template
from django.utils.translation import get_language

register = template.Library()


@register.simple_tag
def gap() -> str:
    """A blank; nothing in Chinese, where a full stop brings its own room."""
    return "" if (get_language() or "").startswith("zh") else " "
