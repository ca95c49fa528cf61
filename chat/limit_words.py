"""A limit that refuses, as a person and as a program are told: which one, how much, when it returns. Words only."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.notes import together
from chat.refusals import Refused
from providers.models import LanguageModel
from usage.limit_models import Scope, Unit
from usage.limit_words import a_period, amount, moment, number
from usage.limits import Limit
from usage.quotas import LimitReached


def refusal(reached: LimitReached, *, model: LanguageModel, zone: str, currency: str) -> Refused:
    """What is answered to whoever asked. Programs read `quota`, `scope`, `unit`, `used`, `held`, `limit`, `resets_at`."""
    limit = reached.limit
    extra = facts(limit, needs=reached.needs)
    if reached.unpriced:
        text = _("Your use is limited in money, and nobody has entered a price for “%(model)s”.") % {
            "model": model.name
        }
        return Refused(403, "no_price", together([text, _("Use another model, or tell your administrator.")]), extra)
    if limit.unit == Unit.PROMPT:
        values = {"size": number(reached.needs), "most": number(limit.cap)}
        text = _("The question with its history has %(size)s tokens; %(most)s are allowed. Start a new chat.") % values
        return Refused(413, "prompt_too_large", text, extra)
    return Refused(429, "limit_reached", together(_sentences(limit, zone=zone, currency=currency)), extra)


def facts(limit: Limit, *, needs: int = 0) -> dict[str, Any]:
    """A limit for programs: whole numbers in its unit (money in micro-units), the moment in UTC."""
    resets = limit.resets_at
    return {
        "quota": str(limit.quota),
        "scope": limit.scope,
        "unit": limit.unit,
        "period": limit.period,
        "used": limit.used,
        "held": limit.held,
        "limit": limit.cap,
        "needs": needs,
        "resets_at": None if resets is None else resets.isoformat().replace("+00:00", "Z"),
    }


def _sentences(limit: Limit, *, zone: str, currency: str) -> list[str]:
    values = {
        "used": amount(limit.used, unit=limit.unit, currency=currency),
        "limit": a_period(amount(limit.cap, unit=limit.unit, currency=currency), period=limit.period),
    }
    whose = {
        Scope.ORGANISATION: _("The organisation's limit is reached: %(used)s used of %(limit)s."),
        Scope.TEAM: _("Your team's limit is reached: %(used)s used of %(limit)s."),
        Scope.KEY: _("This key's limit is reached: %(used)s used of %(limit)s."),
    }.get(Scope(limit.scope), _("Your limit is reached: %(used)s used of %(limit)s."))
    said = [whose % values]
    if limit.held:
        held = amount(limit.held, unit=limit.unit, currency=currency)
        said.append(_("Running answers hold %(amount)s.") % {"amount": held})
    if limit.resets_at is not None:
        said.append(_("It returns on %(when)s.") % {"when": moment(limit.resets_at, zone=zone)})
    return said
