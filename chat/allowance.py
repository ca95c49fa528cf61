"""What stands by the box of what is left: the meter, and the notice when a limit stands in the way. Reads only; usage.quotas decides.

The notice says which limit, how much of what, when it returns, which models still work, and where to ask for more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from accounts import clock
from accounts.middleware import organisation_of
from chat import page
from chat.refusals import Refused
from providers.models import LanguageModel
from usage import limit_words, limits, meter, quotas, spent
from usage.limit_models import TIMELESS, AtLimit, Unit
from usage.limits import Limit, Standing
from usage.meter import Meter

CODES = frozenset({"limit_reached", "no_price", "prompt_too_large"})
"""Refusals that the notice explains."""
MOST_OTHERS = 3


@dataclass(frozen=True)
class Notice:
    """A limit in the way. `works`: models that it does not stop; `quota`: of which more can be asked for."""

    lead: str
    rest: Sequence[str]
    works: Sequence[LanguageModel] = ()
    quota: UUID | None = None
    # Of a question that was refused: what to quote. It stands in the log of calls.
    id: str = ""


@dataclass(frozen=True)
class Allowance:
    """What the composer shows for one model."""

    meter: Meter | None = None
    notice: Notice | None = None
    model: LanguageModel | None = field(default=None)


def of(request: HttpRequest, *, model: LanguageModel | None, refused: Refused | None = None) -> Allowance:
    """For the person at `request` and this model; with `refused` the notice is about that."""
    now = clock.now()
    standing = spent.shown(limits.standing(person=page.person(request).uuid, now=now))
    if not standing.limits:
        return Allowance(model=model)
    shown = meter.of(standing, model=model.uuid if model else None, shown=organisation_of(request).usage_shown)
    notice = _notice(request, standing=standing, model=model, refused=refused, now=now)
    if notice is not None and refused is not None:
        notice = replace(notice, id=getattr(request, "request_id", ""))
    return Allowance(shown, notice, model)


def html(request: HttpRequest, *, model: LanguageModel | None, refused: Refused | None = None) -> str:
    """The same as the page's own fragment."""
    return render_to_string("chat/_limit.html", {"allowance": of(request, model=model, refused=refused)}, request)


def in_the_way(terms: quotas.Terms) -> Limit | None:
    """The limit that stops any question to this model now; of several the one that lasts longest. Free models are not stopped by money."""
    found = [limit for limit in terms.limits if _stops(limit, terms=terms)]
    return max(found, key=lambda limit: limit.ends_at, default=None)


def _stops(limit: Limit, *, terms: quotas.Terms) -> bool:
    if limit.unit in TIMELESS or limit.soft(terms.model) or limit.at_limit == AtLimit.SWITCH:
        return False
    if limit.unit == Unit.COST:
        tariff = terms.tariff
        if tariff is None or not tariff.known:
            return True
        if not tariff.most(input=1, output=1):
            return False
    return limit.used >= limit.cap


def _notice(
    request: HttpRequest, *, standing: Standing, model: LanguageModel | None, refused: Refused | None, now: dt.datetime
) -> Notice | None:
    if model is None:
        return None
    terms = quotas.terms(standing, model=model.uuid, now=now)
    wanted = (refused.extra.get("quota") if refused and refused.code in CODES else None) or ""
    limit = next((each for each in terms.limits if str(each.quota) == wanted), None) or in_the_way(terms)
    if limit is None:
        return None
    works = _working(request, standing=standing, but=model, now=now)
    if refused is not None and refused.code == "prompt_too_large":
        return Notice(refused.message, ())
    if limit.unit == Unit.COST and (terms.tariff is None or not terms.tariff.known):
        lead = _("Your use is limited in money, and nobody has entered a price for “%(model)s”.")
        return Notice(lead % {"model": model.name}, [_also(works)] if works else [_("Tell your administrator.")], works)
    return about(limit, standing=standing, works=works, now=now)


def about(limit: Limit, *, standing: Standing, works: Sequence[LanguageModel], now: dt.datetime) -> Notice:
    """The notice of a limit that has no room: how much of what, when it returns, what still works."""
    words = limit_words.used_up if limit.used >= limit.cap else limit_words.nearly
    rest = []
    if limit.held:
        held = limit_words.amount(limit.held, unit=limit.unit, currency=standing.currency)
        rest.append(_("Running answers hold %(amount)s.") % {"amount": held})
    if limit.resets_at is not None:
        when = limit_words.moment(limit.resets_at, zone=standing.time_zone, now=now)
        rest.append(_("It returns %(until)s.") % {"until": when})
    if works:
        rest.append(_also(works))
    return Notice(words(limit, currency=standing.currency), rest, works, limit.quota)


def _working(
    request: HttpRequest, *, standing: Standing, but: LanguageModel, now: dt.datetime
) -> Sequence[LanguageModel]:
    """A few models that the person may use and that nothing stops."""
    found: list[LanguageModel] = []
    for model in page.models_of(request):
        terms = quotas.terms(standing, model=model.uuid, now=now)
        if model.pk != but.pk and in_the_way(terms) is None:
            found.append(model)
        if len(found) == MOST_OTHERS:
            break
    return found


def _also(works: Sequence[LanguageModel]) -> str:
    names = [_("“%(model)s”") % {"model": model.name} for model in works]
    if len(names) == 1:
        return _("%(models)s still works.") % {"models": names[0]}
    return _("%(models)s still work.") % {"models": _(", ").join(names)}


def told(refused: Refused, *, request: HttpRequest, model: LanguageModel | None) -> dict[str, Any]:
    """What a refusal to our own page carries besides its words."""
    return {"notice": html(request, model=model, refused=refused)} if refused.code in CODES else {}
