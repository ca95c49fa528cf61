"""Looks at the rows of all answers several times a second, past the product: who holds what, when it went on, how long it was silent.

Changes nothing and judges little: what it calls stuck or taken back is a finding of the drill. For any number of threads.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.processes import Site

ACTIVE = "('waiting', 'queued', 'running', 'streaming')"
ROWS = f"""
SELECT g.id, g.state, g.attempt, g.revision, g.lease_owner,
    (SELECT MAX(d.seq) FROM chat_delta d WHERE d.generation_id = g.id)
FROM chat_generation g WHERE g.state IN {ACTIVE}
"""
OWNERS = "SELECT uuid, pid FROM chat_workerheartbeat"


@dataclass
class Life:
    """One answer as it was seen. All times are monotonic seconds; `starts` has one entry for each attempt."""

    id: int
    sign: tuple[Any, ...]
    signs: list[float]
    starts: dict[int, float] = field(default_factory=dict)
    shown_in: int = 0
    excused: float = 0.0
    silent_s: float = 0.0
    stuck_s: float = 0.0
    ended: float = 0.0

    def goes_on(self, at: float, *, attempt: int) -> float | None:
        """When it was first seen in a later attempt, or over, after `at`; None: never."""
        later = [start for number, start in self.starts.items() if number > attempt and start > at]
        return min([*later, *([self.ended] if self.ended > at else [])], default=None)

    def next_sign(self, at: float) -> float | None:
        """When anything of it changed after `at`; None: never."""
        return min(
            [*(sign for sign in self.signs if sign > at), *([self.ended] if self.ended > at else [])], default=None
        )


@dataclass(frozen=True)
class Held:
    """An answer in a worker's hands at a moment."""

    id: int
    attempt: int
    state: str


class Observer:
    """`start` and `stop`; between them `held_by`, `held` and `excuse` may be called."""

    def __init__(self, site: Site, *, every_s: float = 0.2) -> None:
        self.lives: dict[int, Life] = {}
        self.taken_back: list[str] = []
        self._url = site.environment.get("DATABASE_URL", "")
        self._file = Path(site.environment["DATA_DIR"]) / "portal.sqlite3"
        self.every_s = every_s
        self._active: set[int] = set()
        self._excuse = 0.0
        self._connection: Any = None
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> Observer:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        self._close()

    # --- questions --------------------------------------------------------------------------------------------------

    def held_by(self, pid: int) -> list[Held]:
        """What the worker with this process id holds now; nothing while the database is away."""
        return self._held(pid)

    def held(self) -> list[Held]:
        """What any worker holds now."""
        return self._held(None)

    def _held(self, pid: int | None) -> list[Held]:
        try:
            with self._lock:
                owners = {_plain(owner) for owner, number in self._ask(OWNERS) if pid in {None, number}}
                rows = self._ask(ROWS)
        except (sqlite3.Error, psycopg.Error):
            self._close()
            return []
        return [Held(row[0], row[2], row[1]) for row in rows if row[4] is not None and _plain(row[4]) in owners]

    def excuse(self, ids: list[int] | None = None) -> None:
        """From now on these (None: all) have their whole time again: something was taken from them just now."""
        now = time.monotonic()
        with self._lock:
            if ids is None:
                self._excuse = now
            for each in ids or ():
                if each in self.lives:
                    self.lives[each].excused = now

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(self.every_s):
            try:
                with self._lock:
                    self._look(self._ask(ROWS))
            except (sqlite3.Error, psycopg.Error):
                self._close()

    def _look(self, rows: list[tuple[Any, ...]]) -> None:
        now = time.monotonic()
        for pk, state, attempt, revision, _owner, seq in rows:
            sign = (state, attempt, revision, seq)
            life = self.lives.get(pk)
            if life is None:
                life = self.lives[pk] = Life(pk, sign, [now])
            elif sign != life.sign:
                life.sign = sign
                life.signs.append(now)
            if attempt and attempt not in life.starts:
                life.starts[attempt] = now
            self._shown(life, attempt=attempt, state=state, seq=seq or 0)
            self._silent(life, now)
        for pk in self._active - {row[0] for row in rows}:
            self.lives[pk].ended = now
            self._silent(self.lives[pk], now)
        self._active = {row[0] for row in rows}

    def _shown(self, life: Life, *, attempt: int, state: str, seq: int) -> None:
        """Once words were there, no other attempt may begin."""
        if life.shown_in and attempt != life.shown_in:
            self.taken_back.append(f"{life.id}: had words in attempt {life.shown_in}, is {state} in attempt {attempt}")
            life.shown_in = 0
        elif seq:
            life.shown_in = attempt

    def _silent(self, life: Life, now: float) -> None:
        last = life.signs[-1]
        life.silent_s = max(life.silent_s, now - last)
        life.stuck_s = max(life.stuck_s, now - max(last, life.excused, self._excuse))

    # --- the database -------------------------------------------------------------------------------------------------

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._connect()
        return list(self._connection.execute(query).fetchall())

    def _connect(self) -> Any:
        if self._url.startswith("postgres"):
            return psycopg.connect(self._url, autocommit=True, connect_timeout=3)
        return sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=3, check_same_thread=False)

    def _close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error, psycopg.Error):
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def _plain(owner: Any) -> str:
    return str(owner).replace("-", "")
