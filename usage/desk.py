"""The desk's figures put together: of a span and of the one before it, for the whole organisation or one team. Reads only.

The number of queries is the same for one model and a thousand, for nobody and for everybody.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import ApiKey, Team, User
from providers.models import LanguageModel, Provider
from usage import desk_queries as reads
from usage import periods, spans
from usage.desk_queries import Sums, Use
from usage.limit_models import NOBODY, Period, Quota, QuotaPeriod, Scope, Unit
from usage.percentiles import Times
from usage.spans import Span

TOP = 8
IN_MATRIX = 12
UNUSED_DAYS = 30
RUN_IN = dt.timedelta(days=1)
"""Before so much of the month is over, nobody can say how it will end."""


@dataclass(frozen=True)
class Budget:
    """Money of the running month: what was spent, what it may be, what it will be if it goes on as it began (None: too early)."""

    spent: int
    amount: int | None
    projected: int | None

    @property
    def percent(self) -> int:
        return min(100, self.spent * 100 // self.amount) if self.amount else 0

    @property
    def over(self) -> bool:
        """It will not be enough."""
        return bool(self.amount is not None and max(self.spent, self.projected or 0) > self.amount)


@dataclass(frozen=True)
class Desk:
    """All of it. Dictionaries are by the UUID of what they are about, in the order in which they are shown."""

    span: Span
    before: Span
    sums: Sums
    earlier: Sums
    people: int
    people_before: int
    times: dict[str, Times]
    times_before: dict[str, Times]
    steps: list[Sums]
    models_by_step: dict[UUID, list[Sums]]
    times_by_step: list[dict[str, Times]]
    by_model: dict[UUID, Sums]
    by_provider: dict[UUID, Sums]
    by_source: dict[str, Sums]
    times_of_model: dict[UUID, dict[str, Times]]
    times_of_provider: dict[UUID, dict[str, Times]]
    errors: dict[str, int]
    rejections: dict[str, int]
    rejections_before: int
    of_people: dict[UUID, Use]
    of_teams: dict[UUID, Use]
    of_keys: dict[UUID, Use]
    matrix: dict[tuple[UUID, UUID], Use]
    names: dict[UUID, str]

    @property
    def refused(self) -> int:
        return sum(self.rejections.values())

    @property
    def at_once(self) -> float:
        """How many answers were being written at a time, on the mean."""
        return self.sums.busy_ms / 1000 / self.span.seconds

    @property
    def busiest(self) -> float:
        """The same in the busiest step."""
        return max(
            (each.busy_ms / 1000 / (end - begin).total_seconds() for each, (begin, end) in self._with_steps()),
            default=0.0,
        )

    @property
    def bad_percent(self) -> float:
        """Of all that was asked, the share that was refused, failed or broke off."""
        return share(self.sums, self.refused)

    @property
    def bad_percent_before(self) -> float:
        return share(self.earlier, self.rejections_before)

    def _with_steps(self) -> Any:
        return zip(self.steps, (self.span.step(n) for n in range(len(self.steps))), strict=True)


def share(sums: Sums, refused: int) -> float:
    """Of all that was asked, the share that was refused, failed or broke off, in percent."""
    asked = sums.answers + refused
    return 100 * (sums.failed + refused) / asked if asked else 0.0


def of(span: Span, *, scope: UUID = NOBODY, currency: str, tz: ZoneInfo) -> Desk:
    """Everything about a span."""
    earlier = spans.before(span, tz=tz)
    rows = reads.calls(span, scope=scope, steps=True)
    took = reads.times(span, scope=scope, steps=True)
    before = reads.together(reads.calls(earlier, scope=scope, steps=False), currency=currency)
    took_before = reads.merged(reads.times(earlier, scope=scope, steps=False), lambda *_: 0)
    people = reads.people(span, scope=scope)
    count = len(span.edges) - 1
    by_step = reads.by(rows, lambda row: row["step"], currency=currency)
    by_model_step = reads.by(rows, lambda row: (row["model"], row["step"]), currency=currency)
    by_model = _ordered(reads.by(rows, lambda row: row["model"], currency=currency))
    took_by_step = reads.merged(took, lambda step, *_: step)
    nothing = {name: Times() for name in ("queue", "ttft", "duration")}
    of_people = reads.used_by(people, "person", currency=currency)
    of_teams = reads.used_by(people, "team", currency=currency)
    of_keys = reads.used_by(people, "key", currency=currency)
    by_provider = _ordered(reads.by(rows, lambda row: row["provider"], currency=currency))
    return Desk(
        span=span,
        before=earlier,
        sums=reads.together(rows, currency=currency),
        earlier=before,
        people=len({row["person"] for row in people if row["calls"]} - {NOBODY}),
        people_before=reads.active(earlier, scope=scope),
        times=reads.merged(took, lambda *_: 0).get(0, nothing),
        times_before=took_before.get(0, nothing),
        steps=[by_step.get(n, Sums()) for n in range(count)],
        models_by_step={model: [by_model_step.get((model, n), Sums()) for n in range(count)] for model in by_model},
        times_by_step=[took_by_step.get(n, nothing) for n in range(count)],
        by_model=by_model,
        by_provider=by_provider,
        by_source=_ordered(reads.by(rows, lambda row: row["source"], currency=currency)),
        times_of_model=reads.merged(took, lambda _step, model, _provider: model),
        times_of_provider=reads.merged(took, lambda _step, _model, provider: provider),
        errors=reads.errors(rows),
        rejections=reads.rejections(span, scope=scope),
        rejections_before=sum(reads.rejections(earlier, scope=scope).values()),
        of_people={pk: use for pk, use in of_people.items() if pk != NOBODY},
        of_teams=of_teams,
        of_keys={pk: use for pk, use in of_keys.items() if pk != NOBODY},
        matrix=reads.matrix(people, currency=currency),
        names=names(
            models=by_model,
            providers=by_provider,
            teams=of_teams,
            people=list(of_people)[:IN_MATRIX],
            keys=list(of_keys)[: TOP + 1],
        ),
    )


def _ordered(found: dict[Any, Sums]) -> dict[Any, Sums]:
    """The dearest first, then what was asked most."""
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].cost_micro, -pair[1].calls, str(pair[0]))))


def names(
    *, models: Any = (), providers: Any = (), teams: Any = (), people: Any = (), keys: Any = ()
) -> dict[UUID, str]:
    """What these are called now; whoever is gone has no name here. One query each, asked or not."""
    found: dict[UUID, str] = {}
    for rows, wanted in ((LanguageModel, models), (Provider, providers), (Team, teams), (ApiKey, keys)):
        found |= dict(rows.objects.filter(uuid__in=list(wanted) or [NOBODY]).values_list("uuid", "name"))
    for person in User.objects.filter(uuid__in=list(people) or [NOBODY]):
        found[person.uuid] = str(person)
    return found


# --- money of the month ---------------------------------------------------------------------------------------------------


def budgets(*, now: dt.datetime, tz: ZoneInfo, currency: str, scope: UUID = NOBODY, desk: Desk | None = None) -> Budget:
    """The month's money against its limit: the organisation's, or the team's. Two queries; one if `desk` is of this month."""
    span = spans.of("month", now=now, tz=tz)
    if desk is not None and (desk.span.first, desk.span.end) == (span.first, span.end):
        spent = desk.sums.cost_micro
    else:
        spent = reads.together(reads.calls(span, scope=scope, steps=False), currency=currency).cost_micro
    whose = Scope.ORGANISATION if scope == NOBODY else Scope.TEAM
    limits = Quota.objects.filter(
        scope=whose, subject=scope, unit=Unit.COST, period=Period.MONTH, enabled=True, removed_at=None, of_models=[]
    )
    amount = min(limits.values_list("amount", flat=True), default=None)
    return Budget(spent, amount, projected(spent, now=now, tz=tz))


def projected(spent: int, *, now: dt.datetime, tz: ZoneInfo) -> int | None:
    """What the month will have cost if each day goes on costing what the ones so far did on the mean."""
    window = periods.window(Period.MONTH, now, tz=tz)
    gone = now - window.starts_at
    return None if gone < RUN_IN else round(spent * ((window.ends_at - window.starts_at) / gone))


def team_limits(teams: list[UUID], *, now: dt.datetime) -> dict[UUID, int]:
    """Of each team with a limit in money, how much of the fullest one's running window is used or held, of 100. One query."""
    rows = QuotaPeriod.objects.filter(
        quota__scope=Scope.TEAM, quota__unit=Unit.COST, quota__removed_at=None, subject__in=teams or [NOBODY], starts_at__lte=now,
        ends_at__gt=now, cap__gt=0,
    ).values_list("subject", "used", "held", "cap")  # fmt: skip
    found: dict[UUID, int] = {}
    for subject, used, held, cap in rows:
        found[subject] = max(found.get(subject, 0), min(100, (used + held) * 100 // cap))
    return found
