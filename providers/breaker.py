"""Each provider's circuit, as rows: stops calling what does not answer, and lets one call try. Guarded UPDATEs only.

Does not call anybody and does not wait. Zero changed rows is a normal answer: another process was first.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import F, Q

from accounts.clock import now as database_now
from accounts.prepared import fetch
from providers.failures import Kind
from providers.models import LanguageModel, ModelRoute, ProviderState

IN_A_ROW = 5
"""So many failures without a success between them open the circuit."""
LONGEST_PAUSE_S = 300
TRIAL_S = 120
"""A trial that never reports back (its worker died) is over after this; then another may try."""

COUNTED = frozenset(
    {Kind.SERVER_ERROR, Kind.UNREACHABLE, Kind.FIRST_BYTE_TIMEOUT, Kind.NOT_A_STREAM, Kind.REDIRECT, Kind.BAD_KEY}
)
AT_ONCE = frozenset({Kind.BAD_KEY, Kind.NO_CREDIT})
ANSWERS = frozenset(
    {Kind.BAD_REQUEST, Kind.CONTEXT_TOO_LONG, Kind.CONTENT_FILTER, Kind.MODEL_GONE, Kind.RATE_LIMIT, Kind.TOO_LARGE}
)
"""Failures that prove that the provider works: they end a trial well."""

_Circuit = ProviderState.Circuit
_MARKED = """SELECT 1 FROM providers_providerstate WHERE provider_id = %s AND (circuit = 'half_open' OR circuit = 'closed' AND failures > 0)
"""
_CLEAN = {"circuit": _Circuit.CLOSED, "failures": 0, "openings": 0, "reason": "", "opened_at": None, "retry_at": None}


def record_success(provider_id: int) -> None:
    """An answer came. Writes nothing for a clean circuit; while it is open, an answer begun before proves nothing."""
    if fetch(_MARKED, provider_id):  # asking is cheap; an UPDATE of no row still takes SQLite's only place for writers
        marks = Q(circuit=_Circuit.HALF_OPEN) | Q(circuit=_Circuit.CLOSED, failures__gt=0)
        ProviderState.objects.filter(marks, provider_id=provider_id).update(**_CLEAN)


def record_failure(provider_id: int, kind: Kind | str, *, status: int | None = None) -> None:
    """A call failed. A refused key or account opens at once; a 403 may concern one model only, so it counts."""
    kind = Kind(kind)
    if kind in ANSWERS:
        ProviderState.objects.filter(provider_id=provider_id, circuit=_Circuit.HALF_OPEN).update(**_CLEAN)
        return
    at_once = kind in AT_ONCE and status != 403
    if not at_once and kind not in COUNTED:
        return
    ProviderState.objects.bulk_create([ProviderState(provider_id=provider_id)], ignore_conflicts=True)
    if at_once:
        _open(provider_id, kind=kind, when=Q(circuit__in=(_Circuit.CLOSED, _Circuit.HALF_OPEN)), pause=LONGEST_PAUSE_S)
        return
    closed = Q(circuit=_Circuit.CLOSED)
    ProviderState.objects.filter(closed, provider_id=provider_id).update(failures=F("failures") + 1)
    _open(provider_id, kind=kind, when=(closed & Q(failures__gte=IN_A_ROW)) | Q(circuit=_Circuit.HALF_OPEN))


def _open(provider_id: int, *, kind: Kind, when: Q, pause: int | None = None) -> None:
    """Opens the circuit if `when` holds; `openings` guards against doing it twice for one cause."""
    for openings in ProviderState.objects.filter(when, provider_id=provider_id).values_list("openings", flat=True):
        now = database_now()
        seconds = pause or min(settings.CIRCUIT_PAUSE_S * 2 ** min(openings, 10), LONGEST_PAUSE_S)
        ProviderState.objects.filter(when, provider_id=provider_id, openings=openings).update(
            circuit=_Circuit.OPEN,
            openings=openings + 1,
            reason=kind.value,
            opened_at=now,
            retry_at=now + dt.timedelta(seconds=seconds),
        )


def allows(provider_id: int) -> bool:
    """May a call go out now? While the circuit is open: one, once its pause is over, and that one is then the trial."""
    state = ProviderState.objects.filter(provider_id=provider_id).exclude(circuit=_Circuit.CLOSED).first()
    if state is None:
        return True
    now = database_now()
    if state.retry_at is not None and state.retry_at > now:
        return False
    mine = ProviderState.objects.filter(provider_id=provider_id, circuit=state.circuit, retry_at=state.retry_at)
    return mine.update(circuit=_Circuit.HALF_OPEN, retry_at=now + dt.timedelta(seconds=TRIAL_S)) == 1


def give_back(provider_id: int) -> None:
    """A call ended before it told anything, because its asker left. Was it the trial, then the next call may try at once."""
    trial = ProviderState.objects.filter(provider_id=provider_id, circuit=_Circuit.HALF_OPEN)
    if trial.exists():
        trial.update(retry_at=database_now())


def closed_reasons(now: dt.datetime | None = None) -> dict[int, str]:
    """Providers to which nothing may go now, and why (a failure's kind). For others ask `allows` before the call."""
    shut = ProviderState.objects.exclude(circuit=_Circuit.CLOSED).filter(retry_at__gt=now or database_now())
    return dict(shut.values_list("provider_id", "reason"))


def blocked_provider_ids(now: dt.datetime | None = None) -> set[int]:
    """The same without the reasons."""
    return set(closed_reasons(now))


def pull_in(now: dt.datetime) -> int:
    """Pauses that end further ahead than any can were written by a clock that was wrong: they get the longest. How many."""
    most = now + dt.timedelta(seconds=LONGEST_PAUSE_S)
    wrong = ProviderState.objects.filter(retry_at__gt=most + dt.timedelta(seconds=2))
    return wrong.update(retry_at=most) if wrong.exists() else 0


def reset(provider_id: int) -> None:
    """Closes the circuit whatever it is: an administrator has mended the cause, or a test call was answered."""
    ProviderState.objects.filter(provider_id=provider_id).update(**_CLEAN)


def route_for(model: LanguageModel) -> list[ModelRoute]:
    """The routes that may serve this model now, in order; without those whose provider is off or blocked."""
    routes = ModelRoute.objects.filter(model=model, enabled=True, provider__enabled=True)
    blocked = blocked_provider_ids()
    return [route for route in routes.select_related("provider") if route.provider_id not in blocked]
