"""The engine: in every worker, one loop that carries all its answers, and one thread that looks for the next.

A bell only makes the look happen now. Claims, leases, live text and endings have files of their own; this one starts them,
keeps the places, and stops them in the right order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings
from django.db import Error, close_old_connections, connection

from accounts import clock
from accounts.clock import Now
from chat import claims, durability, leases, titles, waiting
from chat.generation import Answering, Services
from chat.live_out import LiveOut
from chat.models import Generation, WorkerHeartbeat
from chat.moderation import moderate
from chat.writer import Writer
from providers import client

new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
try:
    import uvloop
except ImportError:  # not made for every platform
    pass
else:
    new_event_loop = uvloop.new_event_loop

log = logging.getLogger(__name__)
# The loop counts as answering while its tick is younger than this (seconds).
LOOP_SILENT_S = 3.0
# Looks come with every bell and every end; stops are looked for at most so often (seconds).
STOPS_EVERY_S = 0.2
# Titles are nobody's hurry: those that come due within this (seconds) are taken together.
TITLES_EVERY_S = 0.5


class Engine:
    """`start` returns at once; `bell` makes it look; `stop` drains."""

    def __init__(self, *, places: int | None = None) -> None:
        self.owner = uuid.uuid4()
        self.places = places or settings.ENGINE_PLACES
        self.answers: dict[int, Answering] = {}
        self._titles = 0
        self._loop = new_event_loop()
        self._ticked = time.monotonic()
        self._wake = threading.Event()
        self._asked_for_stops = 0.0
        self._stopping = threading.Event()
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="reader")
        self._live_out = LiveOut(self.owner)
        self._writer = Writer(self.owner)
        self._noter = Writer(self.owner, durable=durability.may_be_taken_back())
        self._title_writer = ThreadPoolExecutor(1, thread_name_prefix="title")
        self._leases = leases.LeaseKeeper(
            self.owner, alive=self._loop_alive, running=lambda: list(self.answers), announce=self._beat_row
        )
        self._services = Services(
            self.owner, self._live_out, self._writer, self._noter, self._readers, self._title_writer
        )
        self._looker = threading.Thread(target=self._look_for_ever, name="look", daemon=True)
        self._titles_due = threading.Event()
        self._titler = threading.Thread(target=self._title_for_ever, name="titles", daemon=True)
        self._looper = threading.Thread(target=self._run_loop, name="loop", daemon=True)

    # --- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts all threads. The heartbeat's row is written by the look, whenever the database is there."""
        for part in (self._live_out, self._writer, self._noter, self._leases, self._looper, self._looker, self._titler):
            part.start()
        if settings.ENGINE_LOOKS:
            self._wake.set()  # the first look is now, not a second later: this may be a worker that died and is back

    def bell(self) -> None:
        """Somebody rang: look now."""
        self._wake.set()

    def stop(self, *, drain_s: float | None = None) -> None:
        """Takes no more work; gives back what has no text; waits for the rest, at most `drain_s`; then cuts it off."""
        until = time.monotonic() + (settings.DRAIN_S if drain_s is None else drain_s)
        self._stopping.set()
        self._wake.set()
        self._titles_due.set()
        self._looker.join(timeout=10)
        self._titler.join(timeout=10)
        self._beat_row(stopping=True)
        for answer in list(self.answers.values()):
            if not answer.written.shown:
                self._loop.call_soon_threadsafe(answer.stop, "drain")
        while (self.answers or self._titles) and time.monotonic() < until:
            time.sleep(0.02)
        for answer in list(self.answers.values()):
            self._loop.call_soon_threadsafe(answer.stop, "drain")
        late = time.monotonic() + 1.5
        while self.answers and time.monotonic() < late:
            time.sleep(0.02)
        self._live_out.stop()
        self._writer.stop()
        self._noter.stop()
        self._leases.stop()
        asyncio.run_coroutine_threadsafe(client.close_all(), self._loop).result(timeout=2)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._looper.join(timeout=2)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._title_writer.shutdown(wait=False, cancel_futures=True)
        try:
            WorkerHeartbeat.objects.filter(pk=self.owner).delete()
        except Error:
            log.warning("the heartbeat's row stays: the database is away")
        connection.close()

    def _beat_row(self, *, stopping: bool = False) -> None:
        try:
            close_old_connections()
            row = {
                "host": socket.gethostname()[:200],
                "pid": os.getpid(),
                "places": self.places,
                "running": len(self.answers),
                "stopping": stopping,
                "beat_at": Now(),
            }
            WorkerHeartbeat.objects.update_or_create(
                pk=self.owner, defaults=row, create_defaults={**row, "started_at": Now()}
            )
        except Error as error:
            log.warning("no heartbeat: %s", type(error).__name__)
            connection.close()

    # --- the loop -----------------------------------------------------------------------------------------------------

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_soon(self._tick)
        self._loop.call_soon(lambda: moderate(self._loop, load=lambda: len(self.answers)))
        self._loop.run_forever()

    def _tick(self) -> None:
        self._ticked = time.monotonic()
        self._loop.call_later(0.5, self._tick)

    def _loop_alive(self) -> bool:
        return time.monotonic() - self._ticked < LOOP_SILENT_S

    async def _answer(self, claimed: claims.Claimed) -> None:
        pk = claimed.generation.pk
        if former := self.answers.get(pk):
            former.stop("lost")  # its claim was taken back when the database crashed, and we were the next to take it
        answer = self.answers[pk] = Answering(claimed, services=self._services)
        try:
            await answer.run()
        finally:
            if self.answers.get(pk) is answer:
                del self.answers[pk]
            self._wake.set()  # the end of an own answer: somebody may have waited for the place

    async def _title(self, wanted: titles.Wanted) -> None:
        try:
            await titles.make(wanted, services=self._services)
        finally:
            self._titles -= 1

    # --- the look -----------------------------------------------------------------------------------------------------

    def _look_for_ever(self) -> None:
        known = False
        while not self._stopping.is_set():
            if settings.ENGINE_LOOKS:
                self._wake.wait(timeout=settings.LOOK_S)
            else:
                self._wake.wait()
            self._wake.clear()
            if self._stopping.is_set():
                break
            try:
                close_old_connections()
                durability.relax()
                if not known:
                    self._beat_row()
                    known = True
                self.look()
            except Error as error:
                log.warning("the look failed: %s", type(error).__name__)
                connection.close()
                self._stopping.wait(0.5)
        connection.close()

    def look(self) -> None:
        """One look: let in who waited for allowance, take what is next, stop what is cancelled, have the titles made that are due."""
        waiting.admit(now=clock.now())
        for claimed in claims.claim(self.owner, places=self.places - len(self.answers)):
            asyncio.run_coroutine_threadsafe(self._answer(claimed), self._loop)
        if self.answers and time.monotonic() - self._asked_for_stops > STOPS_EVERY_S:
            self._asked_for_stops = time.monotonic()
            self._stop_cancelled()
        self._titles_due.set()

    def _title_for_ever(self) -> None:
        """In a thread of its own: a question never waits for somebody's title."""
        while not self._stopping.is_set():
            self._titles_due.wait()
            self._titles_due.clear()
            if self._stopping.is_set() or not settings.TITLES:
                continue
            try:
                close_old_connections()
                durability.relax()
                for wanted in titles.claim(limit=max(0, 20 - self._titles)):
                    self._titles += 1
                    asyncio.run_coroutine_threadsafe(self._title(wanted), self._loop)
            except Error as error:
                log.warning("no titles: %s", type(error).__name__)
                connection.close()
            self._stopping.wait(TITLES_EVERY_S)
        connection.close()

    def _stop_cancelled(self) -> None:
        wanted = Generation.objects.filter(lease_owner=self.owner, state__in=Generation.HELD)
        for pk in wanted.exclude(cancel_requested_at=None).values_list("pk", flat=True):
            if (answer := self.answers.get(pk)) is not None:
                self._loop.call_soon_threadsafe(answer.stop, "cancel")


_engine: Engine | None = None


def start() -> Engine:
    """Starts this process's engine; a repeat returns the one that runs."""
    global _engine
    if _engine is None:
        _engine = Engine()
        _engine.start()
        log.info("engine %s: %d places, database time %s", _engine.owner, _engine.places, clock.now())
    return _engine


def bell() -> None:
    """Tells this process's engine to look now (nothing, where none runs)."""
    if _engine is not None:
        _engine.bell()


def stop() -> None:
    """Drains this process's engine."""
    global _engine
    engine, _engine = _engine, None
    if engine is not None:
        engine.stop()
