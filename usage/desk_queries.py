"""What the desk reads of the sums over calls: a constant number of queries, whatever they find. Writes nothing, says nothing.

`scope` is a team, or NOBODY for the whole organisation. Money is that of the organisation's present currency: what was counted in
another one cannot be added to it, and is told as calls of unknown cost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Sum, Value, When

from accounts.models import User
from usage.limit_models import NOBODY, QuotaPeriod
from usage.models import Invocation, PersonDay, Rejection, Rollup, RollupTimes
from usage.percentiles import Times
from usage.rollup_models import HISTOGRAMS, MEASURES
from usage.rollups import BAD
from usage.spans import Span

_ADDED = (
    "calls", "lost", "estimated", "unknown", "busy_ms", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens",
    "organisation_cost_micro", "corrections", "corrected_micro",
)  # fmt: skip
_BY = ("model", "provider", "source", "outcome", "error_kind", "organisation_currency")
_PEOPLE = ("person", "team", "key", "model", "organisation_currency")
_EACH = ("calls", "failed", "unknown", "input_tokens", "output_tokens", "organisation_cost_micro", "corrected_micro")
NEAR = 0.8


@dataclass(slots=True)
class Sums:
    """Of any calls together. `answers` are calls that somebody asked for: titles are none. Money: corrections are in it."""

    calls: int = 0
    answers: int = 0
    failed: int = 0
    stopped: int = 0
    lost: int = 0
    unknown: int = 0
    busy_ms: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro: int = 0
    corrected_micro: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def error_rate(self) -> float:
        """Of the answers that were asked for, the share that failed or broke off, in percent."""
        return 100 * self.failed / self.answers if self.answers else 0.0

    def add(self, row: dict[str, Any], *, currency: str) -> None:
        if row["source"] != "title":
            self.answers += row["calls"]
            self.failed += row["calls"] if row["outcome"] in BAD else 0
            self.stopped += row["calls"] if row["outcome"] == "cancelled" else 0
        for name in ("calls", "lost", "busy_ms", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"):
            setattr(self, name, getattr(self, name) + row[name])
        self.unknown += row["unknown"]
        if row["organisation_currency"] == currency:
            self.corrected_micro += row["corrected_micro"]
            self.cost_micro += row["organisation_cost_micro"] + row["corrected_micro"]
        elif row["organisation_currency"]:
            self.unknown += row["calls"]


@dataclass(slots=True)
class Use:
    """What people used together."""

    calls: int = 0
    failed: int = 0
    unknown: int = 0
    tokens: int = 0
    cost_micro: int = 0
    people: set[UUID] = field(default_factory=set)

    def add(self, row: dict[str, Any], *, currency: str) -> None:
        self.calls += row["calls"]
        self.failed += row["failed"]
        self.tokens += row["input_tokens"] + row["output_tokens"]
        self.unknown += row["unknown"]
        if row["organisation_currency"] == currency:
            self.cost_micro += row["organisation_cost_micro"] + row["corrected_micro"]
        elif row["organisation_currency"]:
            self.unknown += row["calls"]
        if row["calls"]:
            self.people.add(row["person"])


def _within(rows: QuerySet[Any], span: Span, *, scope: UUID) -> QuerySet[Any]:
    return rows.filter(scope=scope, bucket__gte=span.first, bucket__lt=span.end)


def _step(span: Span) -> Any:
    """Which step of the span a bucket lies in: arithmetic where all are of one length, else (summer time begins or ends) by cases."""
    lengths = {end - begin for begin, end in zip(span.edges, span.edges[1:], strict=False)}
    if len(lengths) == 1:
        return (F("bucket") - Value(span.first)) / Value(lengths.pop())
    whens = [When(bucket__lt=edge, then=Value(number)) for number, edge in enumerate(span.edges[1:])]
    return Case(*whens, default=Value(len(whens) - 1), output_field=IntegerField())


def calls(span: Span, *, scope: UUID, steps: bool) -> list[dict[str, Any]]:
    """The sums of quarters: by step, model, provider, source, outcome and error, or only as far as `together` needs it. One query."""
    rows = _within(Rollup.objects.all(), span, scope=scope)
    by: tuple[str, ...] = ("source", "outcome", "organisation_currency")
    if steps:
        rows, by = rows.annotate(step=_step(span)), ("step", *_BY)
    return list(rows.values(*by).order_by(*by).annotate(**{name: Sum(name) for name in _ADDED}))


def together(rows: Iterable[dict[str, Any]], *, currency: str) -> Sums:
    """Their sum."""
    found = Sums()
    for row in rows:
        found.add(row, currency=currency)
    return found


def by(rows: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], Any], *, currency: str) -> dict[Any, Sums]:
    """Their sums by what `key` says."""
    found: dict[Any, Sums] = {}
    for row in rows:
        found.setdefault(key(row), Sums()).add(row, currency=currency)
    return found


def errors(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many answers failed or broke off, by kind; the most frequent first."""
    found: dict[str, int] = {}
    for row in rows:
        if row["outcome"] in BAD and row["calls"] and row["source"] != "title":
            found[row["error_kind"]] = found.get(row["error_kind"], 0) + row["calls"]
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def rejections(span: Span, *, scope: UUID) -> dict[str, int]:
    """How many questions were refused before there was a call, by reason; the most frequent first. One query."""
    rows = _within(Rejection.objects.all(), span, scope=scope).values("reason").annotate(n=Sum("refused"))
    return {row["reason"]: row["n"] for row in rows.order_by("-n", "reason")}


def times(span: Span, *, scope: UUID, steps: bool) -> list[tuple[int, UUID, UUID, dict[str, Times]]]:
    """How long things took, by step (else 0), model and provider. One query."""
    rows = _within(RollupTimes.objects.all(), span, scope=scope)
    rows = rows.annotate(step=_step(span)) if steps else rows.annotate(step=Value(0, output_field=IntegerField()))
    sums = {f"n_{name}": Sum(name) for names in HISTOGRAMS.values() for name in names}
    most = {f"most_{measure}": Max(f"{measure}_max") for measure in MEASURES}
    found = rows.values_list("step", "model", "provider").order_by().annotate(**sums, **most)
    width = len(HISTOGRAMS["queue"])
    read = []
    for step, model, provider, *rest in found:
        counts = [rest[n * width : (n + 1) * width] for n in range(len(MEASURES))]
        each = {name: Times(counts[n], rest[-len(MEASURES) + n]) for n, name in enumerate(MEASURES)}
        read.append((step, model, provider, each))
    return read


def merged(
    rows: Iterable[tuple[int, UUID, UUID, dict[str, Times]]], key: Callable[[int, UUID, UUID], Hashable]
) -> dict[Any, dict[str, Times]]:
    """The same by what `key` says of step, model and provider."""
    found: dict[Any, dict[str, Times]] = {}
    for step, model, provider, each in rows:
        mine = found.setdefault(key(step, model, provider), {name: Times() for name in MEASURES})
        for name, more in each.items():
            mine[name].add(more)
    return found


# --- people ---------------------------------------------------------------------------------------------------------------


def people(span: Span, *, scope: UUID) -> list[dict[str, Any]]:
    """What was used by person, team, key and model. One query: of days of people, or of the calls of less than a day."""
    if span.days:
        rows = PersonDay.objects.filter(day__gte=span.days[0], day__lte=span.days[-1])
        rows = rows if scope == NOBODY else rows.filter(team=scope)
        return list(rows.values(*_PEOPLE).order_by().annotate(**{name: Sum(name) for name in _EACH}))
    calls = _calls_of(span, scope=scope)
    nothing = Value(0, output_field=IntegerField())
    added = {name: Sum(name) for name in ("input_tokens", "output_tokens")}
    found = (
        calls.values(*_PEOPLE)
        .order_by()
        .annotate(
            calls=Count("pk", filter=~Q(source="title")),
            failed=Count("pk", filter=~Q(source="title") & Q(outcome__in=BAD)),
            unknown=Count(
                "pk", filter=Q(organisation_cost_micro=None) & (Q(input_tokens__gt=0) | Q(output_tokens__gt=0))
            ),
            corrected_micro=nothing,
            micro=Sum("organisation_cost_micro"),
            **added,
        )
    )
    return [
        row | {"organisation_cost_micro": row["micro"] or 0} | {name: row[name] or NOBODY for name in _PEOPLE[:4]}
        for row in found
    ]


def _calls_of(span: Span, *, scope: UUID) -> QuerySet[Invocation]:
    rows = Invocation.objects.filter(created_at__gte=span.starts_at, created_at__lt=span.ends_at)
    return rows if scope == NOBODY else rows.filter(team=scope)


def active(span: Span, *, scope: UUID) -> int:
    """How many people asked. One query."""
    if not span.days:
        asked = _calls_of(span, scope=scope).exclude(source="title")
        return int(asked.aggregate(n=Count("person", distinct=True))["n"])
    rows = PersonDay.objects.filter(day__gte=span.days[0], day__lte=span.days[-1], calls__gt=0)
    rows = rows if scope == NOBODY else rows.filter(team=scope)
    return int(rows.exclude(person=NOBODY).aggregate(n=Count("person", distinct=True))["n"])


def used_by(rows: Iterable[dict[str, Any]], name: str, *, currency: str) -> dict[UUID, Use]:
    """By person, team, key or model; the dearest first, then who asked most."""
    found: dict[UUID, Use] = {}
    for row in rows:
        found.setdefault(row[name], Use()).add(row, currency=currency)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].cost_micro, -pair[1].calls, str(pair[0]))))


def matrix(rows: Iterable[dict[str, Any]], *, currency: str) -> dict[tuple[UUID, UUID], Use]:
    """By person and model."""
    found: dict[tuple[UUID, UUID], Use] = {}
    for row in rows:
        found.setdefault((row["person"], row["model"]), Use()).add(row, currency=currency)
    return found


def unused(*, since: dt.date, team: UUID = NOBODY, most: int = 8) -> tuple[int, list[User]]:
    """People who may sign in and have asked nothing since that day: how many, and the first ones by name. Two queries."""
    # Asked person by person, which ends at the first day: a list of all who asked would be read out of every day of everybody.
    asked = PersonDay.objects.filter(person=OuterRef("uuid"), day__gte=since, calls__gt=0)
    rows = User.objects.filter(~Exists(asked), is_active=True, is_service=False)
    if team != NOBODY:
        rows = rows.filter(memberships__team__uuid=team)
    return rows.count(), list(rows.order_by("name", "email")[:most])


def near_limits(*, now: dt.datetime, subjects: Iterable[UUID] | None = None, most: int = 8) -> list[QuotaPeriod]:
    """Counters of running windows of which at least 80 % is used or held, the fullest first. One query."""
    rows = QuotaPeriod.objects.filter(ends_at__gt=now, starts_at__lte=now, cap__gt=0, quota__removed_at=None)
    rows = rows.annotate(share=(F("used") + F("held")) * 100 / F("cap")).filter(share__gte=NEAR * 100)
    if subjects is not None:
        rows = rows.filter(subject__in=list(subjects))
    return list(rows.select_related("quota").order_by("-share", "pk")[:most])
