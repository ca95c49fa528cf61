"""How the installation is doing, read from rows: what health, monitors and alerts ask. A constant number of queries."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from dataclasses import dataclass

from celery import current_app
from django.conf import settings
from django.db.models import Count, Min, Q, Sum

from chat.models import Generation, WorkerHeartbeat
from providers.models import Provider, ProviderState
from usage.models import Invocation

State = Generation.State
RECENT = dt.timedelta(minutes=15)
BROKER_EVERY_S = 5.0
BROKER_LIMIT_S = 2


@dataclass(frozen=True, slots=True)
class Broken:
    """A provider that does not answer."""

    uuid: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Vitals:
    """The figures of one moment. `oldest_s` is how long the first question that could begin has waited."""

    answers: dict[str, int]
    oldest_s: float
    workers: int
    places: int
    silent: int
    providers: int
    broken: tuple[Broken, ...]


def look(*, now: dt.datetime) -> Vitals:
    """Four queries."""
    startable = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    rows = Generation.objects.filter(state__in=Generation.ACTIVE).values("state").annotate(n=Count("pk"))
    answers = dict.fromkeys(Generation.ACTIVE, 0) | {row["state"]: row["n"] for row in rows}
    oldest = Generation.objects.filter(startable, state=State.QUEUED).aggregate(at=Min("created_at"))["at"]
    alive = Q(beat_at__gt=now - dt.timedelta(seconds=settings.WORKER_SILENT_S))
    workers = WorkerHeartbeat.objects.aggregate(
        alive=Count("pk", filter=alive & Q(stopping=False)),
        places=Sum("places", filter=alive & Q(stopping=False)),
        silent=Count("pk", filter=~alive & Q(stopping=False)),
    )
    providers = Provider.objects.filter(enabled=True).values_list("uuid", "name", "state__circuit", "state__reason")
    every = list(providers)
    closed = (None, ProviderState.Circuit.CLOSED)
    return Vitals(
        answers=answers,
        oldest_s=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        workers=workers["alive"],
        places=workers["places"] or 0,
        silent=workers["silent"],
        providers=len(every),
        broken=tuple(Broken(str(uuid), name, why or "") for uuid, name, circuit, why in every if circuit not in closed),
    )


def recent_failures(*, now: dt.datetime) -> tuple[int, int]:
    """Of the answers that ended within the last minutes: how many there were, and how many of them failed for no fault of the asker's."""
    rows = Invocation.objects.filter(created_at__gt=now - RECENT).exclude(outcome="cancelled")
    found = rows.aggregate(every=Count("pk"), bad=Count("pk", filter=Q(outcome__in=("failed", "interrupted"))))
    return found["every"], found["bad"]


class BrokerLook:
    """Whether the broker is there, asked at most every few seconds and by one thread: whoever comes meanwhile gets the last answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at = -BROKER_EVERY_S
        self._there = True

    def there(self) -> bool:
        """The newest answer that is known."""
        if time.monotonic() - self._at >= BROKER_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._there = _ask_broker()
                self._at = time.monotonic()
            finally:
                self._lock.release()
        return self._there


def _ask_broker() -> bool:
    url: str = settings.CELERY_BROKER_URL
    if url.startswith("embedded"):
        folder = settings.BROKER_DIR if settings.BROKER_DIR.is_dir() else settings.DATA_DIR  # made by the first bell
        return os.access(folder, os.W_OK)
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_LIMIT_S) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_LIMIT_S)
    except Exception:  # noqa: BLE001  # whatever a broker's client raises, it is not there
        return False
    return True


broker = BrokerLook()
