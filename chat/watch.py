"""The watcher: one thread per web process that looks for what is new in all watched answers, with one query a tick.

It wakes when the database says that something was committed (SQLite's data_version, PostgreSQL's NOTIFY), asks for everything once
a second in any case, and once a second makes sure that every reader may still read. It holds no transaction open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from django.conf import settings
from django.db import Error, close_old_connections, connection

from chat import watch_queries as queries
from chat.live import Ended, LiveAnswer, Ticket
from chat.models import Generation
from chat.moderation import moderate
from chat.wakeup import Wakeup, make_wakeup

log = logging.getLogger(__name__)
# An answer is forgotten, and a session's right is looked up again, when nobody has asked for this long (seconds).
FORGET_S = 30.0
VET_S = 1.0
# Ends that were seen are noted together, at most so often (seconds).
SEEN_S = 0.1
# A session's right counts while it was confirmed within this: who is cut off reads nothing after two seconds, also once nothing
# is being written and nobody vets. Where vetting is late the database is asked for each poll.
VETTED_S = 1.9
# With so many answers at once their open blocks are rendered half as often as one alone would be.
MANY = 50
# Between two looks at least so much time passes (seconds, for each answer that is being written): sends, claims and ends are commits, too.
GAP_EACH_S, GAP_MOST_S = 0.0002, 0.03
# The share of the time that rendering open blocks may take.
RENDER_SHARE = 0.1


class Waiting(Protocol):
    """A poll that is held."""

    def wake(self) -> None: ...


class Watcher:
    """`start` on the web process's loop; `admit` from a thread; the rest from the loop."""

    def __init__(self) -> None:
        self.answers: dict[str, LiveAnswer] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: dict[str, set[Waiting]] = {}
        self._vetted: dict[tuple[str, int, int], float] = {}
        self._asked: dict[tuple[str, int, int], float] = {}
        self._seen: dict[str, Ended] = {}  # ends that were looked at and are not noted yet
        self._seen_at = 0.0
        self._some = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.running = 0  # answers that are being written and watched: what the readers' pace goes by
        self._render_free = 0.0  # rendering waits until then, so that it keeps to its share

    # --- for the loop -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        moderate(self._loop, load=lambda: self.running)
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join(timeout=3)

    @property
    def held(self) -> int:
        """How many polls wait now."""
        return sum(len(waiting) for waiting in self._waiters.values())

    def get(self, ticket: Ticket) -> LiveAnswer | None:
        """The answer, if it is watched and this ticket's session was confirmed a moment ago."""
        answer = self.answers.get(ticket.generation)
        right = (ticket.session_key, ticket.user_id, ticket.session_version)
        now = time.monotonic()
        self._asked[right] = now
        if answer is None or answer.gone or answer.user_id != ticket.user_id:
            return None
        if now - self._vetted.get(right, -VETTED_S) >= VETTED_S:
            return None
        answer.used = now
        return answer

    def listen(self, answer: LiveAnswer, *, poll: Waiting) -> None:
        """Calls `poll.wake` once, at the answer's next change, unless it leaves before."""
        self._waiters.setdefault(answer.uuid, set()).add(poll)
        self._some.set()

    def leave(self, answer: LiveAnswer, *, poll: Waiting) -> None:
        waiting = self._waiters.get(answer.uuid)
        if waiting is not None:
            waiting.discard(poll)
            if not waiting:
                del self._waiters[answer.uuid]

    def saw(self, answer: LiveAnswer) -> None:
        """Its reader looks at the end: noted in a moment, together with others."""
        if answer.ended is not None and answer.ended.finished_at is not None:
            self._seen[answer.uuid] = answer.ended
            self._some.set()

    def wake_all(self) -> None:
        """Every held poll looks again now (the process is about to stop)."""
        self._wake([*self._waiters])

    def _wake(self, uuids: Iterable[str]) -> None:
        for uuid in uuids:
            for poll in self._waiters.pop(uuid, ()):
                poll.wake()

    def expect(self, row: Generation, *, right: queries.Right) -> None:
        """Begins to watch what was queued just now, for a session that was checked in the same request. For any thread."""
        if self._thread is None:
            return
        self._vetted[right] = self._asked[right] = time.monotonic()
        self.answers.setdefault(str(row.uuid), queries.expected(row))
        self._some.set()

    def follow(self, row: Generation) -> None:
        """Begins to watch an answer for whoever listens and then asks anew what it may see. For any thread; message is loaded."""
        if self._thread is not None:
            self.answers.setdefault(str(row.uuid), queries.expected(row))
            self._some.set()

    # --- for a thread with a database connection ------------------------------------------------------------------------

    def admit(self, ticket: Ticket) -> LiveAnswer | None:
        """Checks the ticket in the database at once, and begins to watch its generation; None: not (any more) allowed."""
        close_old_connections()
        right = (ticket.session_key, ticket.user_id, ticket.session_version)
        if right not in queries.rights([right]):
            self._vetted.pop(right, None)
            return None
        answer = self.answers.get(ticket.generation)
        if answer is None or answer.gone:
            loaded = queries.load(ticket.generation, user_id=ticket.user_id)
            if loaded is None:
                return None
            answer = self.answers.setdefault(ticket.generation, loaded)
            if answer.gone:
                answer = self.answers[ticket.generation] = loaded
        if answer.user_id != ticket.user_id:
            return None
        self._vetted[right] = answer.used = time.monotonic()
        self._some.set()
        return answer

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wakeup: Wakeup | None = None
        vetted = 0.0
        while not self._stop.is_set():
            if not (self._seen or any(a.active or a.awaits_title for a in list(self.answers.values()))):
                if wakeup is not None:
                    wakeup.close()
                    wakeup = None
                self._some.wait(timeout=FORGET_S)
                self._some.clear()
            try:
                wakeup = wakeup or make_wakeup()
                self._note_seen()
                self._tick()
                now = time.monotonic()
                if now - vetted >= VET_S:
                    vetted = now
                    self._vet()
                self._stop.wait(min(GAP_MOST_S, GAP_EACH_S * self.running))
                wakeup.wait(timeout=SEEN_S if self._seen else max(0.0, vetted + VET_S - time.monotonic()))
            except Exception as error:  # noqa: BLE001  # drivers raise their own kinds while a database is away
                log.warning("the watcher waits for the database: %s", type(error).__name__)
                if wakeup is not None:
                    wakeup.close()
                    wakeup = None
                connection.close()
                self._stop.wait(0.3)
        if wakeup is not None:
            wakeup.close()
        with contextlib.suppress(Error):
            self._seen_at = 0.0
            self._note_seen()
        connection.close()

    def _note_seen(self) -> None:
        now = time.monotonic()
        if self._seen and now - self._seen_at >= SEEN_S:
            noted, self._seen_at = dict(self._seen), now
            queries.note_seen(noted.values())
            for uuid in noted:
                self._seen.pop(uuid, None)

    def _tick(self) -> None:
        """One query for all; what changed wakes its readers."""
        active = [a for a in list(self.answers.values()) if a.active and not a.gone]
        self.running = len(active)
        if not active:
            return
        changed = queries.advance(active)
        now = time.monotonic()
        if now >= self._render_free:
            self._render(active, now=now)
        if changed:
            self._tell(changed)

    def _render(self, answers: list[LiveAnswer], *, now: float) -> None:
        """Makes open blocks' HTML anew, oldest first, within the share of time that rendering may take."""
        every = settings.RENDER_EVERY_S * (1 + len(answers) / MANY)
        behind = sorted((a for a in answers if a.wants_rendering(now=now, every=every)), key=lambda a: a.open_at)
        if not behind:
            return
        began = time.monotonic()
        for answer in behind:
            answer.render_open(now=now)
            if time.monotonic() - began > 0.02:
                break  # the rest has its turn at a later tick
        took = time.monotonic() - began
        self._render_free = time.monotonic() + took * (1 / RENDER_SHARE - 1)

    def _vet(self) -> None:
        """Once a second: who may still read; what notes are made of; what nobody wants any more."""
        now = time.monotonic()
        for right in [r for r, at in list(self._asked.items()) if now - at > FORGET_S]:
            self._asked.pop(right, None)
            self._vetted.pop(right, None)
        asked = list(self._asked)
        good = queries.rights(asked) if asked else set()
        lost = set()
        for right in asked:
            if right in good:
                self._vetted[right] = time.monotonic()
            elif self._vetted.pop(right, None) is not None:
                lost.add(right[1])
        for uuid, answer in list(self.answers.items()):
            if now - answer.used > FORGET_S and uuid not in self._waiters:
                self.answers.pop(uuid, None)
        active = [a for a in list(self.answers.values()) if a.active]
        told = queries.look_around(active) if active else []
        told += queries.look_for_titles([a for a in list(self.answers.values()) if a.awaits_title])
        self._tell([*told, *(a for a in list(self.answers.values()) if a.user_id in lost)])

    def _tell(self, answers: list[LiveAnswer]) -> None:
        loop = self._loop
        if answers and loop is not None and not loop.is_closed():
            wake: Callable[[Any], None] = self._wake
            loop.call_soon_threadsafe(wake, [a.uuid for a in answers])


watcher = Watcher()
