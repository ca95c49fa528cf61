"""Live text on its way out: all generations of a worker share one bulk insert per tick, by one thread and connection, in order.

The insert itself is the fence: a piece is written only where the attempt still holds its lease. What does not come back is
asked for once more (the clock may have stepped); what is really lost is told to its owner, and nothing more is written for it.
After the connection was lost, the last pieces are written again where they are missing: a server that crashed may have taken
them back, and a hole in the text, or words in an answer that counts as mute, must not be what a reaper finds.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction

from accounts import clock
from accounts.prepared import execute
from chat import durability, leases, notify

log = logging.getLogger(__name__)
# A row's text is at most this long; SQLite takes 32,766 parameters a statement.
MAX_PIECE = 16_384
MAX_ROWS = 4_000
# For so long (seconds) pieces are kept after their commit; a server has written its log to the disk after 0.6.
KEPT_S = 2.0
# Each answer that is being written makes a flush so much (seconds) rarer; a slow database makes it at most so rare.
EACH_S, LONGEST_S = 0.0006, 0.5
Row = tuple[int, int, int, int, str]  # generation, attempt, seq, kind, text


@dataclass
class Channel:
    """One generation's way out. `seq` counts its pieces; `shown` once the first one is committed."""

    generation_id: int
    attempt: int
    on_lost: Callable[[], None]
    seq: int = 0
    shown: bool = False
    lost: bool = False
    closed: bool = False
    pending: list[tuple[int, str]] = field(default_factory=list)  # (kind, text), merged while waiting

    def take(self) -> list[tuple[int, int, str]]:
        """The waiting pieces as (seq, kind, text), numbered."""
        pieces, self.pending = self.pending, []
        rows = []
        for kind, text in pieces:
            for start in range(0, len(text), MAX_PIECE):
                self.seq += 1
                rows.append((self.seq, kind, text[start : start + MAX_PIECE]))
        return rows


class LiveOut:
    """The flusher thread. `put` is called on the loop; everything else happens here."""

    def __init__(self, owner: uuid.UUID) -> None:
        self.owner = owner
        self._lock = threading.Lock()
        self._dirty: dict[int, Channel] = {}
        self._fresh: set[int] = set()  # of those, whose first words wait
        self._urgent = threading.Event()
        self._stopping = False
        self.tick_s = settings.FLUSH_S
        self._took = 0.0  # how long a flush takes of late
        self._kept: deque[tuple[float, Channel, Row]] = deque()
        self._raw: Any = None  # the driver's connection that the last pieces went out by
        self._thread = threading.Thread(target=self._run, name="live-out", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits and ends the thread."""
        self._stopping = True
        self._urgent.set()
        self._thread.join(timeout=10)

    def put(self, channel: Channel, *, kind: int, text: str) -> None:
        """Takes a piece of text. The first piece of an answer goes out at once, others with the tick."""
        with self._lock:
            if channel.lost or channel.closed:
                return
            if channel.pending and channel.pending[-1][0] == kind:
                channel.pending[-1] = (kind, channel.pending[-1][1] + text)
            else:
                channel.pending.append((kind, text))
            self._dirty[channel.generation_id] = channel
            if not channel.shown:
                self._fresh.add(channel.generation_id)
                self._urgent.set()
            elif len(self._dirty) == 1:
                self._urgent.set()

    def close(self, channel: Channel) -> None:
        """Forgets what still waits: the ending carries the whole text. What is on its way meets the fence or is deleted with it."""
        with self._lock:
            channel.closed = True
            channel.pending.clear()
            self._dirty.pop(channel.generation_id, None)
            self._fresh.discard(channel.generation_id)

    def _run(self) -> None:
        due = 0.0
        while not (self._stopping and not self._dirty):
            self._urgent.wait(timeout=max(0.0, due - time.monotonic()) if self._dirty else 1.0)
            self._urgent.clear()
            if not self._dirty:
                continue
            if self._fresh:
                time.sleep(0.002)  # others' first words may come along
            now = time.monotonic()
            if now < due and not self._stopping:
                if self._fresh:
                    self._flush(only=set(self._fresh))
                continue
            running = self._flush()
            took = time.monotonic() - now
            self._settle_pace(took, running=running)
            due = now + self.tick_s
        close_old_connections()
        connection.close()

    def _settle_pace(self, took: float, *, running: int) -> None:
        """How long the next flush is waited for, after one of so many answers that took so long (seconds).

        All answers' words go out together, and their readers are served together: the more there are, the more rarely. In any case
        twice as long passes between flushes as they take, so that the flusher uses a third of the time at most: as they take of late,
        since a single slow one (a rush of questions beside it) would make everybody wait three times as long.
        """
        self._took += (took - self._took) / 4
        pace = min(settings.FLUSH_S + EACH_S * running, settings.FLUSH_MAX_S)
        self.tick_s = max(pace, min(3 * self._took, LONGEST_S))

    def _flush(self, *, only: set[int] | None = None) -> int:
        """Writes what waits, or of it what these generations have; how many answers that were."""
        with self._lock:
            wanted = list(self._dirty if only is None else only)
            batch = [self._dirty.pop(pk) for pk in wanted if pk in self._dirty]
            self._fresh.difference_update(wanted)
            pieces = [(c, (c.generation_id, c.attempt, *piece)) for c in batch for piece in c.take()]
        written = self._write([row for _c, row in pieces], fresh=[c for c in batch if not c.shown])
        self._keep(pieces)
        for channel in batch:
            if channel.generation_id in written:
                channel.shown = True
            elif not channel.closed:
                channel.lost = True
                channel.on_lost()
        return len(batch)

    def _keep(self, pieces: list[tuple[Channel, Row]]) -> None:
        now = time.monotonic()
        self._kept.extend((now, channel, row) for channel, row in pieces)
        while self._kept and (self._kept[0][0] < now - KEPT_S or self._kept[0][1].closed):
            self._kept.popleft()

    def _with_kept(self, rows: list[Row], fresh: list[Channel]) -> tuple[list[Row], list[Channel]]:
        """After the connection was lost: also what went out just before, and the step to streaming of those answers."""
        raw, self._raw = self._raw, connection.connection
        if raw is None or raw is self._raw or not durability.may_be_taken_back():
            return rows, fresh
        kept = [(channel, row) for _at, channel, row in self._kept if not (channel.closed or channel.lost)]
        begun = {channel.generation_id: channel for channel in [*(c for c, _row in kept), *fresh]}
        return [*(row for _channel, row in kept), *rows], [*begun.values()]

    def _write(self, rows: list[Row], *, fresh: list[Channel]) -> set[int]:
        """Writes rows; the ids that hold their lease come back."""
        tries = 0
        while True:
            try:
                close_old_connections()
                connection.close_if_health_check_failed()
                durability.relax()
                out, begun = self._with_kept(rows, fresh)
                written = self._insert(out, fresh=begun)
                late = {row[0]: row[1] for row in out if row[0] not in written}
                if late and (renewed := leases.renew_these(late, owner=self.owner)):
                    again = [row for row in out if row[0] in renewed]
                    self._insert(again, fresh=[c for c in begun if c.generation_id in renewed])
                    written |= renewed  # also what an earlier try had committed unheard
                return written
            except Error as error:
                tries += 1
                log.warning("live text waits for the database: %s", type(error).__name__)
                connection.close()
                if tries > 200 or self._stopping:
                    return set()
                time.sleep(min(0.05 * tries, 0.5))

    def _insert(self, rows: list[Row], *, fresh: list[Channel]) -> set[int]:
        written: set[int] = set()
        with transaction.atomic():
            begin_rows([(channel.generation_id, channel.attempt) for channel in fresh])
            for start in range(0, len(rows), MAX_ROWS):
                written |= insert_rows(rows[start : start + MAX_ROWS])
            notify.readers()
        return written


# On a server the rows are locked first, in order of id, as everywhere where several are.
_BEGIN = """
UPDATE chat_generation SET state = 'streaming', first_token_at = COALESCE(first_token_at, %s), revision = revision + 1
WHERE id IN (
    SELECT id FROM chat_generation
    WHERE (id, attempt) IN (VALUES {pairs}) AND state = 'running' AND lease_expires_at > %s ORDER BY id {lock}
)
"""
_FENCE = "AND ok.attempt = v.attempt AND ok.state IN ('running', 'streaming') AND ok.lease_expires_at > {now}"
# On a server the rows are locked first, in order of id: whoever ends a generation waits for this text, or this text sees the end.
_INSERT = """
WITH v(gid, attempt, seq, kind, text) AS (VALUES {values}),
ok AS (
    SELECT g.id, g.attempt, g.state, g.lease_expires_at FROM chat_generation g
    WHERE g.id IN (SELECT gid FROM v) ORDER BY g.id {lock}
)
INSERT INTO chat_delta (generation_id, seq, kind, text)
SELECT v.gid, v.seq, v.kind, v.text FROM v JOIN ok ON ok.id = v.gid {fence} WHERE true
ON CONFLICT DO NOTHING
RETURNING generation_id
"""


def begin_rows(begun: list[tuple[int, int]]) -> None:
    """The step running -> streaming of (generation, attempt), in the transaction of their first text: one statement for all of them."""
    if not begun:
        return
    now = clock.now()
    lock = "FOR UPDATE" if connection.vendor == "postgresql" else ""
    for start in range(0, len(begun), MAX_ROWS):
        some = begun[start : start + MAX_ROWS]
        sql = _BEGIN.format(pairs=", ".join(["(%s, %s)"] * len(some)), lock=lock)
        execute(sql, now, *(value for pair in some for value in pair), now)


def insert_rows(rows: list[Row]) -> set[int]:
    """The fenced bulk insert of (generation, attempt, seq, kind, text); returns the generations that took their text."""
    if not rows:
        return set()
    server = connection.vendor == "postgresql"
    now = "clock_timestamp()" if server else "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"
    row = "(%s::bigint, %s::int, %s::int, %s::int, %s::text)" if server else "(%s, %s, %s, %s, %s)"
    sql = _INSERT.format(
        values=", ".join([row] * len(rows)),
        lock="FOR SHARE" if server else "",
        fence=_FENCE.format(now=now) if settings.ENGINE_FENCE else "",
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for r in rows for value in r])
        return {r[0] for r in cursor.fetchall()}
