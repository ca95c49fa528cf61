"""Who is next: takes queued questions for a worker, fairest first, in one guarded step."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
# A question waits for a provider whose circuit opens again within this; otherwise it fails at once and says why.
WORTH_WAITING_S = 20
HOPELESS = ("bad_key", "no_credit")


@dataclass(frozen=True)
class Claimed:
    """A generation that this worker holds, and the way to its model; without a route `closed` says why (a failure kind)."""

    generation: Generation
    route: ModelRoute | None
    closed: str = ""


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
        return [_claimed(g, *chosen[g.pk]) for g in mine]


def _claimed(generation: Generation, route: ModelRoute | None, closed: str) -> Claimed:
    if route is not None:  # read already: no join for them
        generation.model, generation.provider = route.model, route.provider
    return Claimed(generation, route, closed)


def _by_provider(chosen: dict[int, tuple[ModelRoute | None, str]]) -> dict[int | None, list[int]]:
    groups: dict[int | None, list[int]] = {}
    for pk, (route, _why) in chosen.items():
        groups.setdefault(route.provider_id if route else None, []).append(pk)
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
_HELD = """
SELECT user_id, provider_id, COUNT(*) FROM chat_generation WHERE state IN ('running', 'streaming') GROUP BY user_id, provider_id
"""
_taken = PreparedIn(lambda keys: Generation.objects.select_related("user", "message").filter(pk__in=keys))
_routes = Prepared(
    lambda model: ModelRoute.objects.select_related("provider__state", "model").filter(
        model=model, enabled=True, provider__enabled=True, model__enabled=True
    ),
    -1,
)
_CANDIDATES = """
SELECT id, user_id, model_id, nth FROM (
    SELECT id, user_id, model_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY id) AS nth FROM chat_generation
    WHERE state = 'queued' AND (next_attempt_at IS NULL OR next_attempt_at <= %s) AND deadline_at > %s
) AS queued WHERE nth <= %s ORDER BY nth, id LIMIT %s
"""


def _take(owner: uuid.UUID, *, provider: int | None, ids: list[int], now: dt.datetime) -> int:
    return execute(
        _TAKE.format(ids=marks(ids)), provider, owner, now + dt.timedelta(seconds=settings.LEASE_S), now, *ids
    )


def choose(*, places: int, now: dt.datetime) -> dict[int, tuple[ModelRoute | None, str]]:
    """The next questions in fair order: fewest running of that person, then of that provider, then oldest."""
    of_person: Counter[int] = Counter()
    of_provider: Counter[int | None] = Counter()
    for person, provider, n in fetch(_HELD):
        of_person[person] += n
        of_provider[provider] += n
    # What is past its deadline is the reaper's, who knows whether a clock was set.
    rows = fetch(_CANDIDATES, now, now, settings.PERSON_CONCURRENCY, MOST_CANDIDATES)
    candidates = sorted(rows, key=lambda r: (of_person[r[1]] + r[3], r[0]))
    routes = Routes((model for _pk, _user, model, _nth in candidates), now=now)
    chosen: dict[int, tuple[ModelRoute | None, str]] = {}
    for pk, user, model, _nth in candidates:
        if len(chosen) >= places:
            break
        if of_person[user] >= settings.PERSON_CONCURRENCY:
            continue
        route, why = routes.best(model, used=of_provider)
        if route is None and not why:
            continue  # the provider is full: the question waits its turn
        chosen[pk] = (route, why)
        of_person[user] += 1
        if route is not None:
            of_provider[route.provider_id] += 1
    return chosen


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

    def best(self, model: int | None, *, used: Counter[int | None]) -> tuple[ModelRoute | None, str]:
        """The first open route with a free place; else (None, "") to wait, or (None, failure kind) when waiting is no use."""
        routes = self._routes.get(model or 0, [])
        if not routes:
            return None, "model_gone"
        usable = [r for r in routes if used[r.provider_id] < r.provider.max_concurrency]
        for route in usable:
            if self._open(route.provider_id):
                return route, ""
        if usable != routes:
            return None, ""  # a provider that works is full: the question waits its turn
        states = [self._states[r.provider_id] for r in routes]
        soon = self._now + dt.timedelta(seconds=WORTH_WAITING_S)
        if any(s.circuit == ProviderState.Circuit.HALF_OPEN for s in states):
            return None, ""  # one question is out to try: its outcome comes first
        if any(s.reason not in HOPELESS and (s.retry_at is None or s.retry_at <= soon) for s in states):
            return None, ""
        return None, states[0].reason or "unreachable"

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
    return _requeue(generation, owner=owner, billed=billed, lines=lines, why=(Kind.RETRIED, kind), **later)


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
            call_lines.write([*lines, story.line(generation, kind, at=now, reason=reason)])
        if back and billed:
            endings.count_lost(generation, now=now)
    return bool(back)
