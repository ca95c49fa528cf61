"""Who is next: takes queued questions for a worker, fairest first, in one guarded step."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from accounts import clock
from accounts.clock import Now
from accounts.prepared import Prepared, PreparedIn, execute, fetch, marks
from chat import endings, notify, story
from chat.models import Generation
from providers import breaker
from providers.models import ModelRoute, ProviderState
from usage import call_lines
from usage.call_lines import CallLine, Kind

# PostgreSQL: one claim at a time over all workers (a claim takes milliseconds), so that limits hold exactly.
CLAIM_LOCK = 0x63_6C_61_69_6D
MOST_CANDIDATES = 5_000
MOST_PASSED = 15
# A question waits for a provider whose circuit opens again within this; otherwise it fails at once and says why.
WORTH_WAITING_S = 20
HOPELESS = ("bad_key", "no_credit")


@dataclass(frozen=True)
class Claimed:
    """A generation that this worker holds, and the way to its model; without a route `closed` says why (a failure kind).

    `instead_of`: the provider that comes first and does not answer. `others`: whether another one is left to ask should this one fail.
    """

    generation: Generation
    route: ModelRoute | None
    closed: str = ""
    instead_of: str = ""
    others: bool = False


class Way(NamedTuple):
    """Where a question goes, as of Claimed; without a route and without `closed` it waits."""

    route: ModelRoute | None
    closed: str = ""
    instead_of: str = ""
    others: bool = False


def waiting() -> QuerySet[Generation]:
    """Queued questions that may start now."""
    return Generation.objects.filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=Now()), state=Generation.State.QUEUED
    )


def claim(owner: uuid.UUID, *, places: int) -> list[Claimed]:
    """Takes up to `places` questions: attempt + 1 and a lease for each. Cheap when nothing waits."""
    if places <= 0:
        return []
    server = connection.vendor == "postgresql"
    if not (fetch(_SOME.format(now="clock_timestamp()")) if server else fetch(_SOME.format(now="%s"), clock.now())):
        return []
    with transaction.atomic():
        if server:
            fetch("SELECT pg_advisory_xact_lock(%s)", CLAIM_LOCK)
        now = clock.now()  # after the wait for the others: a lease begins when it is taken
        chosen = choose(places=places, now=now)
        ids = list(chosen)
        taken = sum(
            _take(owner, provider=provider, ids=group, now=now) for provider, group in _by_provider(chosen).items()
        )
        if not taken:
            return []
        notify.readers()
        mine = (g for g in _taken.rows(ids) if g.lease_owner == owner and g.state == Generation.State.RUNNING)
        return [_claimed(g, chosen[g.pk]) for g in mine]


def _claimed(generation: Generation, way: Way) -> Claimed:
    if way.route is not None:  # read already: no join for them
        generation.model, generation.provider = way.route.model, way.route.provider
    return Claimed(generation, *way)


def _by_provider(chosen: dict[int, Way]) -> dict[int | None, list[int]]:
    groups: dict[int | None, list[int]] = {}
    for pk, way in chosen.items():
        groups.setdefault(way.route.provider_id if way.route else None, []).append(pk)
    return groups


# The hot path of every worker, so these are plain SQL: the ORM's own work would cost several times what the database does.
_TAKE = """
UPDATE chat_generation SET state = 'running', attempt = attempt + 1, revision = revision + 1, in_hand = false, provider_id = %s,
    lease_owner = %s, lease_expires_at = %s, started_at = COALESCE(started_at, %s), next_attempt_at = NULL
WHERE state = 'queued' AND id IN ({ids})
"""
_SOME = """
SELECT 1 FROM chat_generation WHERE state = 'queued' AND (next_attempt_at IS NULL OR next_attempt_at <= {now}) LIMIT 1
"""
# Calls of programs (api.gateway) take places at a provider, too, but nobody's among those that a person may have at once.
_HELD = """
SELECT user_id, provider_id, COUNT(*) FROM chat_generation WHERE state IN ('running', 'streaming') GROUP BY user_id, provider_id
UNION ALL SELECT NULL, p.id, COUNT(*) FROM usage_reservation r JOIN providers_provider p ON p.uuid = r.provider
    WHERE r.state = 'held' AND r.provider IS NOT NULL GROUP BY p.id
"""
_taken = PreparedIn(lambda keys: Generation.objects.select_related("user", "message").filter(pk__in=keys))
_routes = Prepared(
    lambda model: ModelRoute.objects.select_related("provider__state", "model").filter(
        model=model, enabled=True, provider__enabled=True, model__enabled=True
    ),
    -1,
)
_CANDIDATES = """
SELECT id, user_id, model_id, nth, passed FROM (
    SELECT id, user_id, model_id, passed, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY id) AS nth FROM chat_generation
    WHERE state = 'queued' AND (next_attempt_at IS NULL OR next_attempt_at <= %s) AND deadline_at > %s
) AS queued WHERE nth <= %s ORDER BY nth, id LIMIT %s
"""


def _take(owner: uuid.UUID, *, provider: int | None, ids: list[int], now: dt.datetime) -> int:
    return execute(
        _TAKE.format(ids=marks(ids)), provider, owner, now + dt.timedelta(seconds=settings.LEASE_S), now, *ids
    )


def choose(*, places: int, now: dt.datetime) -> dict[int, Way]:
    """The next questions in fair order: fewest running of that person, then of that provider, then oldest."""
    of_person: Counter[int | None] = Counter()
    of_provider: Counter[int | None] = Counter()
    for person, provider, n in fetch(_HELD):
        of_person[person] += n
        of_provider[provider] += n
    # What is past its deadline is the reaper's, who knows whether a clock was set.
    rows = fetch(_CANDIDATES, now, now, settings.PERSON_CONCURRENCY, MOST_CANDIDATES)
    candidates = sorted(rows, key=lambda r: (of_person[r[1]] + r[3], r[0]))
    routes = Routes((model for _pk, _user, model, _nth, _passed in candidates), now=now)
    chosen: dict[int, Way] = {}
    for pk, user, model, _nth, passed in candidates:
        if len(chosen) >= places:
            break
        if of_person[user] >= settings.PERSON_CONCURRENCY:
            continue
        way = routes.best(model, used=of_provider, passed=passed_by(passed))
        if way.route is None and not way.closed:
            continue  # the provider is full: the question waits its turn
        chosen[pk] = way
        of_person[user] += 1
        if way.route is not None:
            of_provider[way.route.provider_id] += 1
    return chosen


def passed_by(passed: str) -> list[int]:
    """The numbers of the providers that have failed a question, the last one last."""
    return [int(number) for number in passed.split(",")] if passed else []


class Routes:
    """The ways to models, with the circuits as they stand now."""

    def __init__(self, models: Iterable[int | None], *, now: dt.datetime) -> None:
        self._now = now
        self._routes: dict[int, list[ModelRoute]] = {}
        self._states: dict[int, ProviderState] = {}
        for route in (route for model in {m for m in models if m} for route in _routes.rows(model)):
            self._routes.setdefault(route.model_id, []).append(route)
            state: ProviderState | None = getattr(route.provider, "state", None)
            if state is not None and state.circuit != ProviderState.Circuit.CLOSED:
                self._states[route.provider_id] = state

    def best(self, model: int | None, *, used: Counter[int | None], passed: Sequence[int] = ()) -> Way:
        """The first open route with a free place, of those that have not `passed` the question on while there is one; else to wait,
        or why waiting is no use.
        """
        every = self._routes.get(model or 0, [])
        if not every:
            return Way(None, "model_gone")
        routes = self._in_order(every, passed=passed)
        usable = [r for r in routes if used[r.provider_id] < r.provider.max_concurrency]
        for route in usable:
            if self._open(route.provider_id):
                left = self._left([r for r in every if r is not route], passed=passed)
                return Way(route, "", self._instead_of(route, first=every[0], passed=passed), bool(left))
        if usable != routes:
            return Way(None)  # a provider that works is full: the question waits its turn
        states = [self._states[r.provider_id] for r in routes]
        soon = self._now + dt.timedelta(seconds=WORTH_WAITING_S)
        if any(s.circuit == ProviderState.Circuit.HALF_OPEN for s in states):
            return Way(None)  # one question is out to try: its outcome comes first
        if any(s.reason not in HOPELESS and (s.retry_at is None or s.retry_at <= soon) for s in states):
            return Way(None)
        return Way(None, states[0].reason or "unreachable")

    def _left(self, routes: Sequence[ModelRoute], *, passed: Sequence[int]) -> list[ModelRoute]:
        """Of these the ones that work, as far as is known, and have not failed the question."""
        return [r for r in routes if r.provider_id not in passed and r.provider_id not in self._states]

    def _in_order(self, routes: list[ModelRoute], *, passed: Sequence[int]) -> list[ModelRoute]:
        """Who is still to be asked; once each was, the one that failed last, whose failure is worth a second try, and then the others."""
        if not passed:
            return routes
        places = {provider: place for place, provider in enumerate(passed)}
        return self._left(routes, passed=passed) or sorted(routes, key=lambda r: -places.get(r.provider_id, -1))

    def _instead_of(self, route: ModelRoute, *, first: ModelRoute, passed: Sequence[int]) -> str:
        """Who should have been asked and is broken; nobody where it is only full."""
        broken = first.provider_id in passed or first.provider_id in self._states
        return first.provider.name if route is not first and broken else ""

    def _open(self, provider_id: int) -> bool:
        """May a call go out? After a pause one question is let through, to try."""
        state = self._states.get(provider_id)
        if state is None:
            return True
        if state.retry_at is not None and state.retry_at > self._now:
            return False
        allowed = breaker.allows(provider_id)
        state.retry_at = self._now + dt.timedelta(seconds=1)  # the others of this claim wait for its outcome
        return allowed


def hand_back(generation: Generation, *, owner: uuid.UUID, billed: bool, lines: Sequence[CallLine] = ()) -> bool:
    """Gives a question back to the queue while nothing of it has been shown (a worker that stops): no try more.

    `billed`, here and below: its call is out or was, and the provider may bill it. Then the prompt is counted.
    `lines`: what befell it so far; that it went back is added.
    """
    return _requeue(generation, owner=owner, billed=billed, lines=lines, why=(Kind.HANDED_BACK, ""))


def try_later(
    generation: Generation, *, owner: uuid.UUID, kind: str, delay: dt.timedelta, billed: bool,
    lines: Sequence[CallLine] = (),
) -> bool:  # fmt: skip
    """Back to the queue after a failure of the provider before any text: one try more, to be taken after `delay`."""
    later = {"tries": F("tries") + 1, "error_kind": kind, "next_attempt_at": Now() + delay}
    why = (Kind.RETRIED, kind)
    return _requeue(
        generation, owner=owner, billed=billed, lines=lines, why=why, **later, passed=_and_passed(generation)
    )


def pass_on(
    generation: Generation, *, owner: uuid.UUID, kind: str, billed: bool, lines: Sequence[CallLine] = ()
) -> bool:
    """Back to the queue after such a failure while another provider is left to ask, which is done at once."""
    changes = {"tries": F("tries") + 1, "error_kind": kind, "passed": _and_passed(generation)}
    return _requeue(generation, owner=owner, billed=billed, lines=lines, why=(Kind.FELL_BACK, kind), **changes)


def _and_passed(generation: Generation) -> str:
    """Its present provider as the last one that failed it."""
    before = [number for number in passed_by(generation.passed) if number != generation.provider_id]
    return ",".join(str(number) for number in [*before, generation.provider_id][-MOST_PASSED:] if number)


def _requeue(
    generation: Generation, *, owner: uuid.UUID, billed: bool, lines: Sequence[CallLine], why: tuple[Kind, str],
    **changes: Any,
) -> bool:  # fmt: skip
    mine = Generation.objects.filter(
        pk=generation.pk,
        attempt=generation.attempt,
        lease_owner=owner,
        state=Generation.State.RUNNING,
        cancel_requested_at=None,  # nobody waits for a cancelled one: it ends
    )
    with transaction.atomic():
        back = mine.update(
            state=Generation.State.QUEUED,
            revision=F("revision") + 1,
            dispatched=False,
            lease_owner=None,
            lease_expires_at=None,
            **changes,
        )
        if back:
            notify.readers()
            now, (kind, reason) = clock.now(), why
            detail = generation.provider.name if kind == Kind.FELL_BACK and generation.provider else ""
            call_lines.write([*lines, story.line(generation, kind, at=now, reason=reason, detail=detail)])
        if back and billed:
            endings.count_lost(generation, now=now)
    return bool(back)
