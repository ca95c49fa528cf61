"""What a call may take at most, and the hold on it: written with the choice of the provider, before anything goes out.

Runs in a database thread. A call that a limit stops is refused, and its row in the log of calls says so.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace

from django.conf import settings
from django.db import Error, connection, transaction
from django.utils.translation import gettext as _

from accounts import clock
from accounts.prepared import fetch
from api.gateway.asked import Asked
from api.gateway.bodies import Wanted
from api.gateway.entry import Choice, Guest
from api.gateway.envelope import Refusal
from api.gateway.routes import Route
from chat import claims, limit_words, placing, refusals, turned_away
from chat.doors import Door
from chat.holds import LEAST_ANSWER, MARGIN
from chat.refusals import Refused
from providers import breaker, endpoints, modes
from providers.endpoints import Endpoint
from providers.failures import Failure, Kind
from providers.models import LanguageModel, ModelRoute
from usage import call_lines, leases, quotas
from usage.limits import Standing
from usage.models import Source

SURELY_TOO_LONG = 1.5
"""A prompt of so many times the model's window does not fit, however far our guess of its tokens is off."""
NEAR = 50
"""With so few places left they are counted under a lock: more calls than that never begin at the same moment."""
_RUNNING = """
SELECT COUNT(*) FROM chat_generation WHERE state IN ('running', 'streaming') AND provider_id = %s
"""


@dataclass
class Call:
    """One call with its hold. `way` is where it goes now; `passed` are the providers that have failed it."""

    asked: Asked
    route: Route
    guest: Guest
    choice: Choice
    wanted: Wanted
    hold: quotas.Hold
    team_name: str
    created_at: dt.datetime
    way: ModelRoute
    endpoint: Endpoint
    attempt: int = 1
    passed: list[int] = field(default_factory=list)

    @property
    def model(self) -> LanguageModel:
        return self.choice.model

    @property
    def output(self) -> int:
        """The longest single answer that is paid for, in tokens."""
        return max(1, self.hold.output // self.wanted.answers)


def open_call(asked: Asked, *, route: Route, guest: Guest, choice: Choice, wanted: Wanted) -> Call:
    """The call, held. Raises Refusal; then nothing of it is held."""
    model = choice.model
    if wanted.input > model.context_window * SURELY_TOO_LONG and route.name != "embedding":
        values = {"size": wanted.input, "most": model.context_window}
        words = _("The request has about %(size)d tokens; the model takes %(most)d.") % values
        raise Refusal(400, "context_length_exceeded", words, param="messages", headers=guest.told)
    key = guest.principal.key
    now = clock.now()
    under = quotas.look(person=guest.user.uuid, key=None if key is None else key.uuid, model=model.uuid, now=now)
    hold = _hold(asked, route=route, guest=guest, choice=choice, wanted=wanted, team=under.standing)
    try:
        with transaction.atomic():
            way = take_way(model, passed=[])
            hold = quotas.reserve(replace(hold, provider=way.provider.uuid), under=under, now=now)
    except quotas.LimitReached as reached:
        told = limit_words.refusal(
            reached, model=model, zone=under.standing.time_zone, currency=under.standing.currency
        )
        wait = placing.returns_in(reached, model=model, now=now) if told.status == 429 else None
        _note(asked, guest=guest, model=model, refused=told)
        raise Refusal(
            told.status, told.code, told.message, retry_after=wait, more=told.extra, headers=guest.told
        ) from None
    except Failure as failure:
        _note_closed(hold, guest=guest, model=model, why=failure.kind.value, team=under.standing)
        raise
    try:
        endpoint = endpoints.endpoint_for(way.provider)
    except Failure:
        quotas.release([asked.id], now=now)
        raise
    return Call(asked, route, guest, choice, wanted, hold, under.standing.team_name, now, way, endpoint)


def take_way(model: LanguageModel, *, passed: list[int]) -> ModelRoute:
    """The first provider of the model that has not failed this call, works and has a free place; part of the caller's transaction.

    Raises Failure: UNREACHABLE (or its circuit's reason) where none works, LIMIT_HELD where those that work are full.
    """
    every = list(
        ModelRoute.objects.filter(model=model, enabled=True, provider__enabled=True).select_related("provider")
    )
    shut = breaker.closed_reasons()
    full = False
    for way in every:
        if way.provider_id in passed or way.provider_id in shut:
            continue
        if not _has_place(way):
            full = True
        elif breaker.allows(way.provider_id):
            return way
    if full:
        raise Failure(Kind.LIMIT_HELD, detail="no free place")
    reason = next((shut[way.provider_id] for way in every if way.provider_id in shut), Kind.UNREACHABLE.value)
    raise Failure(Kind(reason), detail="circuit")


def _has_place(way: ModelRoute) -> bool:
    """Whether a call of ours may go out beside those of the workers and of other web processes."""
    most = way.provider.max_concurrency
    if most - _used(way) > NEAR:
        return True
    if connection.vendor == "postgresql":  # SQLite: one writer at a time
        fetch("SELECT pg_advisory_xact_lock(%s)", claims.CLAIM_LOCK)
    return most > _used(way)


def _used(way: ModelRoute) -> int:
    return int(fetch(_RUNNING, way.provider_id)[0][0]) + leases.places()[way.provider.uuid]


def _hold(asked: Asked, *, route: Route, guest: Guest, choice: Choice, wanted: Wanted, team: Standing) -> quotas.Hold:
    model, key = choice.model, guest.principal.key
    output = 0
    if route.shape != "none" or route.name in ("transcription", "speech"):
        usual = modes.answer_tokens(model, choice.mode or modes.usual(model))
        longest = wanted.output or (max(usual, 4 * wanted.input) if route.raw else usual)
        output = max(1, min(longest, model.max_output_tokens)) * wanted.answers
    return quotas.Hold(
        request_id=asked.id,
        source=Source.GATEWAY,
        person=guest.user.uuid,
        team=team.team,
        key=None if key is None else key.uuid,
        model=model.uuid,
        input=wanted.input + wanted.input // MARGIN + 1,
        output=output,
        least_output=min(LEAST_ANSWER * wanted.answers, output),
        lease_s=settings.LEASE_S,
        estimate=wanted.input,
    )


def _note_closed(hold: quotas.Hold, *, guest: Guest, model: LanguageModel, why: str, team: Standing) -> None:
    """The row of a call that no provider could take now; where the database fails here, its caller is told all the same."""
    try:
        call_lines.refuse(
            hold.request_id,
            why=why,
            person=(guest.user.uuid, guest.user.get_full_name()),
            team=(team.team, team.team_name),
            model=(model.uuid, model.name),
            now=clock.now(),
            source=Source.GATEWAY,
            key=hold.key,
        )
    except Error:
        connection.close()


def note_unknown_model(asked: Asked, *, guest: Guest, name: str) -> None:
    """A model that is not there or not hers was asked for: the log of calls says so."""
    _note(asked, guest=guest, model=None, refused=Refused(404, "no_model", ""), name=name)


def _note(asked: Asked, *, guest: Guest, model: LanguageModel | None, refused: Refused, name: str = "") -> None:
    """The row of a refusal, and its count for the desk. A database that fails here does not turn it into another one."""
    key = guest.principal.key
    door = Door(Source.GATEWAY, None if key is None else key.uuid)
    try:
        turned_away.note(
            guest.user, refused, request_id=str(asked.id), model=model.slug if model else name[:200], door=door
        )
    except Error:
        connection.close()
    refusals.count(guest.user, reason=refused.code, source=Source.GATEWAY)
