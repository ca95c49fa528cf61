"""What is left to somebody, in one line: of all limits that count, the one that will be reached first. Reads nothing.

The organisation decides what colleagues see: money, tokens, or only a share of 100 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from usage import limit_words
from usage.limit_models import TIMELESS, Unit
from usage.limits import PERSONAL, Limit, Standing

WARN = 80
"""From so many percent on it stands out."""
UNITS = {"money": (Unit.COST,), "tokens": (Unit.TOKENS, Unit.INPUT, Unit.OUTPUT)}


@dataclass(frozen=True, slots=True)
class Meter:
    """`percent` is used or held, of 100; `words` are what is left ("62 % left today"), `says` is the whole sentence."""

    percent: int
    words: str
    says: str

    @property
    def warns(self) -> bool:
        return self.percent >= WARN


def of(standing: Standing, *, model: UUID | None, shown: str) -> Meter | None:
    """The meter for questions to this model; None: nothing limits them. `shown`: money, tokens or share."""
    limit = first(standing.for_model(model), shown=shown)
    if limit is None:
        return None
    used = limit_words.percent(limit, of=limit.used + limit.held)
    if shown == "share":
        left = _("%(n)d %%") % {"n": 100 - used}
    else:
        left = limit_words.plain(limit.left, unit=limit.unit, currency=standing.currency)
        if limit.unit != Unit.COST:
            left = limit_words.amount(limit.left, unit=limit.unit, currency=standing.currency)
    period = limit_words.this_period(limit.period)
    words = _("%(amount)s left %(period)s") % {"amount": left, "period": period}
    says = _("%(whose)s: %(words)s") % {"whose": limit_words.whose(limit.scope), "words": words}
    return Meter(used, words, says)


def first(limits: Iterable[Limit], *, shown: str) -> Limit | None:
    """The limit that is nearest to its end: of the unit that is shown, if there is one; of equals the person's own."""
    counted = [limit for limit in limits if limit.unit not in TIMELESS]
    wanted = [limit for limit in counted if limit.unit in UNITS.get(shown, ())] or counted
    return max(wanted, key=_nearness, default=None)


def _nearness(limit: Limit) -> tuple[float, bool]:
    return (limit.used + limit.held) / limit.cap if limit.cap else 2.0, limit.scope in PERSONAL
