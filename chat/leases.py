"""Leases: a worker's hold on its generations, renewed by its own thread and connection while its loop answers."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import uuid
from collections.abc import Callable, Collection

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction

from accounts.clock import Now
from chat import durability
from chat.models import Generation, WorkerHeartbeat

log = logging.getLogger(__name__)
AGAIN_S = 0.5


def lease_end() -> object:
    """The expression "one lease from now", in database time."""
    return Now() + dt.timedelta(seconds=settings.LEASE_S)


def renew(owner: uuid.UUID, *, running: Collection[int]) -> int:
    """Renews a worker's leases on what it has at work; how many is returned. Rows are locked in order of id, as everywhere.

    What it holds by its name only (a claim or an end that was committed or lost unheard) runs out, and the reaper sees to it.
    """
    held = Generation.objects.filter(lease_owner=owner, state__in=Generation.HELD, pk__in=running)
    if connection.vendor != "postgresql":
        if not held.exists():
            return 0
        with transaction.atomic():  # stands in line for the writer's place
            return held.update(lease_expires_at=lease_end())
    with transaction.atomic():
        ids = list(held.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        return Generation.objects.filter(pk__in=ids).update(lease_expires_at=lease_end()) if ids else 0


def renew_these(attempts: dict[int, int], *, owner: uuid.UUID) -> set[int]:
    """Renews single leases that seem to be over but that nobody has taken (a clock that stepped): the ids still held."""
    renewed = set()
    for pk, attempt in sorted(attempts.items()):
        held = Generation.objects.filter(pk=pk, attempt=attempt, lease_owner=owner, state__in=Generation.HELD)
        if held.update(lease_expires_at=lease_end()):
            renewed.add(pk)
    return renewed


class LeaseKeeper:
    """The thread that renews leases and the worker's heartbeat every RENEW_S, as long as `alive()` says that the loop answers.

    `announce` writes the heartbeat's row anew, should somebody have swept it away (a worker that was frozen for an hour).
    """

    def __init__(
        self,
        owner: uuid.UUID,
        *,
        alive: Callable[[], bool],
        running: Callable[[], Collection[int]],
        announce: Callable[[], None] = lambda: None,
    ) -> None:
        self.owner = owner
        self._alive, self._running, self._announce = alive, running, announce
        self._renewed = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        # After a failure often: when the database is back this must be quicker than a reaper.
        while not self._stop.wait(settings.RENEW_S if self._renewed else min(AGAIN_S, settings.RENEW_S)):
            self._renewed = self.beat()
        connection.close()

    def beat(self) -> bool:
        """One round: nothing is renewed while the loop hangs, so that others may take over. False: the database failed."""
        if not self._alive():
            log.error("the loop does not answer: leases are not renewed")
            return True
        try:
            close_old_connections()
            durability.relax()
            running = self._running()
            beating = WorkerHeartbeat.objects.filter(pk=self.owner)
            if not beating.update(beat_at=Now(), running=len(running)):
                self._announce()
            renew(self.owner, running=running)
        except Error as error:
            log.log(logging.WARNING if self._renewed else logging.DEBUG, "leases not renewed: %s", type(error).__name__)
            connection.close()
            return False
        return True
