"""Which limits apply to whom and why, in plain words: for the command line, a page and the API. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from accounts.models import User
from providers.models import LanguageModel
from usage import limits, overview, periods, spent
from usage.limit_models import Scope
from usage.limits import Limit, Standing


@dataclass(frozen=True, slots=True)
class Reason:
    """A limit, whether it applies, and a word for why: own, team, each (these three take each other's place), pool,
    organisation, key; of one that does not apply what stands in for it: "own", "team", or "other_team" (that one pays).
    """

    limit: Limit
    applies: bool
    why: str
    models: tuple[LanguageModel, ...] = ()


def reasons(*, person: UUID, key: UUID | None = None, now: dt.datetime) -> tuple[Standing, list[Reason]]:
    """All limits that could apply to this person, those that do first; with their models (none: all)."""
    standing = spent.shown(limits.standing(person=person, key=key, now=now))
    every = [(limit, True) for limit in standing.limits] + [(limit, False) for limit in standing.overridden]
    models = _models(limit for limit, _applies in every)
    said = [
        Reason(
            limit,
            applies,
            WHY[Scope(limit.scope)] if applies else _instead(limit, standing=standing),
            tuple(model for model in models if model.uuid in limit.models),
        )
        for limit, applies in every
    ]
    return standing, said


def of_keys(person: User, *, now: dt.datetime, time_zone: str) -> list[Reason]:
    """The limits of the keys of this person and of her programs: what is asked with one of them counts there as well."""
    found = overview.of_keys(person, now=now, tz=periods.zone(time_zone))
    models = _models(found)
    return [Reason(limit, True, "key", tuple(m for m in models if m.uuid in limit.models)) for limit in found]


def _models(found: Iterable[Limit]) -> list[LanguageModel]:
    wanted = {model for limit in found for model in limit.models}
    return list(LanguageModel.objects.filter(uuid__in=wanted).order_by("name")) if wanted else []


WHY = {
    Scope.ORGANISATION: "organisation",
    Scope.TEAM: "pool",
    Scope.MEMBER: "team",
    Scope.PERSON: "own",
    Scope.EACH: "each",
    Scope.KEY: "key",
}


def _instead(limit: Limit, *, standing: Standing) -> str:
    """What stands in for a limit that does not apply."""
    if limit.scope == Scope.TEAM:
        return "other_team"
    return next((WHY[Scope(other.scope)] for other in standing.limits if other.kind == limit.kind), "")
