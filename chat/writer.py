"""The worker's writer: what its answers have to store is committed in groups, by one thread, in order of id.

A group that fails is tried again one by one; while the database is away everything waits here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, close_old_connections, connection, transaction

from accounts.prepared import execute
from chat import durability, endings, leases
from chat.models import Generation

log = logging.getLogger(__name__)
MOST_IN_GROUP = 100
PATIENCE_S = 90.0


_DISPATCH = """
UPDATE chat_generation SET request = {json}, dispatched = %s
WHERE id = %s AND attempt = %s AND lease_owner = %s AND state = 'running'
"""


@dataclass
class Dispatch:
    """Notes, before a call goes out, what is sent: from now on the provider may bill it."""

    generation: Generation
    request: dict[str, Any]


Item = Dispatch | endings.Ending
Job = tuple[Item, "Future[bool]"]


class Writer:
    """`submit` hands an item over from any thread; its future says whether the generation was still this worker's."""

    def __init__(self, owner: uuid.UUID, *, durable: bool = True) -> None:
        self.owner = owner
        self._durable = durable
        self._jobs: list[Job] = []
        self._lock = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits and ends the thread."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        self._thread.join(timeout=PATIENCE_S)

    def submit(self, item: Item) -> Future[bool]:
        future: Future[bool] = Future()
        # From here on it can't be cancelled: whoever stops waiting must not take the writer's thread with it.
        future.set_running_or_notify_cancel()
        with self._lock:
            self._jobs.append((item, future))
            self._lock.notify_all()
        return future

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._jobs or self._stopping)
                jobs, self._jobs = self._jobs[:MOST_IN_GROUP], self._jobs[MOST_IN_GROUP:]
            if not jobs:
                connection.close()
                return
            self._commit(jobs)

    def _commit(self, jobs: list[Job]) -> None:
        try:
            close_old_connections()
            if not self._durable:
                durability.relax()
            taken = self.store([item for item, _ in jobs])
        except Exception as error:  # noqa: BLE001  # what can't be stored (a lone surrogate) must not end the thread
            connection.close()
            if len(jobs) > 1 and not isinstance(error, (OperationalError, InterfaceError)):
                for job in jobs:  # one of them is bad: it must not take the others with it
                    self._commit([job])
                return
            self._again(jobs, error=error)
            return
        for item, future in jobs:
            future.set_result(item.generation.pk in taken)

    def _again(self, jobs: list[Job], *, error: Exception) -> None:
        """The database is away or locked: the same group until it is back, or until nobody would wait any more."""
        log.warning("answers wait for the database: %s", type(error).__name__)
        until = time.monotonic() + PATIENCE_S
        pause = 0.05
        while time.monotonic() < until and isinstance(error, (OperationalError, InterfaceError)):
            time.sleep(pause)
            pause = min(1.0, pause * 2)
            try:
                taken = self.store([item for item, _ in jobs])
            except Error as again:
                connection.close()
                error = again
                continue
            for item, future in jobs:
                future.set_result(item.generation.pk in taken)
            return
        for _item, future in jobs:
            future.set_exception(error)

    def store(self, items: Sequence[Item]) -> set[int]:
        """One transaction for all; returns the ids that were still ours. Leases that only seem over are renewed once."""
        taken = self._store(items)
        late = [item for item in items if item.generation.pk not in taken]
        if late and settings.ENGINE_FENCE:
            attempts = {item.generation.pk: item.generation.attempt for item in late}
            renewed = leases.renew_these(attempts, owner=self.owner)
            taken |= self._store([item for item in late if item.generation.pk in renewed])
        return taken

    def _store(self, items: Sequence[Item]) -> set[int]:
        if not items:
            return set()
        taken: set[int] = set()
        with transaction.atomic():
            for item in sorted((i for i in items if isinstance(i, Dispatch)), key=lambda i: i.generation.pk):
                if self._dispatch(item):
                    taken.add(item.generation.pk)
            taken |= endings.finish([i for i in items if isinstance(i, endings.Ending)], owner=self.owner)
        return taken

    def _dispatch(self, item: Dispatch) -> bool:
        generation = item.generation
        values = (json.dumps(item.request), True, generation.pk, generation.attempt, self.owner)
        as_json = "%s::jsonb" if connection.vendor == "postgresql" else "%s"
        return bool(execute(_DISPATCH.format(json=as_json), *values))
