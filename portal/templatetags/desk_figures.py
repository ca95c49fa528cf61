"""The desk's main figures on the front page of Django's administration. Counts nothing itself."""

from __future__ import annotations

from typing import Any

from django import template

from accounts import clock
from accounts.models import Organisation
from chat import running
from portal import desk_words
from providers import money
from usage import desk_queries, moments, spans
from usage.limit_models import NOBODY

register = template.Library()


@register.inclusion_tag("desk/_admin.html", takes_context=True)
def desk_figures(context: dict[str, Any]) -> dict[str, Any]:
    """This month's money, answers, people and errors, and what runs now: for those who may see the desk."""
    if not context["request"].user.has_perm("usage.view_rollup"):
        return {"may": False}
    organisation, now = Organisation.get(), clock.now()
    span = spans.of("month", now=now, tz=moments.zone(organisation))
    sums = desk_queries.together(desk_queries.calls(span, scope=NOBODY, steps=False), currency=organisation.currency)
    return {
        "may": True,
        "cost": money.rounded(sums.cost_micro, organisation.currency),
        "answers": sums.answers,
        "people": desk_queries.active(span, scope=NOBODY),
        "errors": desk_words.share(sums.error_rate),
        "now": running.now_running(now=now),
    }
