"""What `/look/` shows of limits: the meter and the notice, by the page's own words, of a limit that does not exist."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from accounts import clock
from chat import allowance
from chat.allowance import Allowance
from providers.models import LanguageModel
from usage import meter
from usage.limit_models import AtLimit, Period, Scope, Unit
from usage.limits import Limit, Standing

MONEY = 20_000_000


def stands(percent: int, *, works: Sequence[LanguageModel] = ()) -> Allowance:
    """A person's 20 yuan a day, of which so much is used; from 100 % on with the notice."""
    now, nobody = clock.now(), uuid.UUID(int=0)
    limit = Limit(
        0, nobody, Scope.EACH, nobody, "", Unit.COST, Period.DAY, frozenset(), MONEY, 0, AtLimit.BLOCK, None,
        now, now + dt.timedelta(hours=9), used=MONEY * percent // 100,
    )  # fmt: skip
    standing = Standing("Asia/Shanghai", "CNY", "", "", None, "", (limit,), ())
    notice = allowance.about(limit, standing=standing, works=works, now=now) if percent >= 100 else None
    return Allowance(meter.of(standing, model=None, shown="money"), notice)
