"""Words of calls in templates. Reads nothing."""

from __future__ import annotations

from django import template
from django.utils import formats
from django.utils.translation import gettext as _

from usage import call_words

register = template.Library()


@register.filter
def outcome(value: str) -> str:
    """“finished”."""
    return call_words.outcome(value)


@register.filter
def error(value: str) -> str:
    """“a limit was reached”."""
    return call_words.error(value)


@register.filter
def duration(ms: int | None) -> str:
    """“340 ms”, “12.4 s”; "–" where it is not known."""
    if ms is None:
        return "–"
    if ms < 1000:
        return _("%(n)s ms") % {"n": ms}
    return _("%(n)s s") % {"n": formats.number_format(ms / 1000, 1)}
