"""What a drill plays on: a site with its private servers, a crowd, an observer; and the notes of what was done to them.

Starts and ends things; what is done to them stands in `strikes`, what follows from it in `drill`.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.crowd import Crowd
from tests.chaos.journals import ClientJournal
from tests.chaos.observer import Held, Observer
from tests.chaos.servers import Postgres, Rabbit, Redis, Server
from tests.processes import Site

SETTINGS = ("sqlite", "redis", "rabbitmq")
FAULTS = ("worker", "web", "stop", "broker-empty", "broker-stop", "broker-double", "database")
# A fifteenth of the real leases: a worker that is gone is noticed within about 3 s.
QUICK = {
    "LEASE_S": "1.5",
    "RENEW_S": "0.3",
    "REAP_S": "0.3",
    "LEASE_GRACE_S": "0.5",
    "LOOK_S": "0.3",
    "RETRY_SCALE": "0.1",
    "DRAIN_S": "2",
    "TITLES": "0",
    "PERSON_CONCURRENCY": "50",
    "LOG_LEVEL": "INFO",
}
# What the engine is told in a drill with one guard taken away.
GUARDS = {"fence": "ENGINE_FENCE", "looks": "ENGINE_LOOKS"}
# bin/run's supervisor starts a dead part again after a second.
AGAIN_S = 1.0


@dataclass(frozen=True)
class Size:
    """How large a drill is; times in seconds. The defaults are those of the published figures."""

    setting: str = "sqlite"
    generations: int = 1000
    kills: int = 60
    seed: int = 1
    faults: tuple[str, ...] = FAULTS
    without: str = ""
    people: int = 24
    webs: int = 2
    workers: int = 2
    stop_s: float = 60.0
    away_s: float = 20.0
    database_away_s: float = 4.0
    pause_s: float = 6.0
    tokens: tuple[int, int] = (40, 400)
    gap_ms: int = 30
    rest_s: float = 0.3
    stuck_s: float = 30.0
    send_s: float = 1.5
    engine: dict[str, str] = field(default_factory=dict)


@dataclass
class Strike:
    """One fault as it was injected. `at` to `until`: from the blow until what was taken is back (monotonic seconds).

    `held`: what its victim, or for a database everybody, had in hands; `requests`: what was under way at a web process.
    """

    kind: str
    what: str
    at: float
    until: float = 0.0
    victim: str = ""
    held: list[Held] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)

    @property
    def hit(self) -> bool:
        """Whether anybody's answer was in the victim's hands."""
        return bool(self.held) or sum(self.requests.values()) > 0


class Scene:
    """Everything that a drill needs, started by `begin` and ended by `end`."""

    def __init__(self, size: Size, *, folder: Path, say: Callable[[str], None]) -> None:
        self.size, self.say = size, say
        self.rng = random.Random(size.seed)
        self.postgres = Postgres() if size.setting != "sqlite" else None
        brokers: dict[str, type[Server]] = {"redis": Redis, "rabbitmq": Rabbit}
        self.broker = brokers[size.setting]() if size.setting in brokers else None
        self.strikes: list[Strike] = []
        self.frozen: dict[str, tuple[float, Strike]] = {}
        self.began = time.monotonic()
        given = {"CELERY_QUEUE": f"drill-{uuid.uuid4().hex[:8]}", "LOG_LEVEL": "INFO"} | size.engine
        if self.postgres:
            given["DATABASE_URL"] = self.postgres.url
        if self.broker:
            given["CELERY_BROKER_URL"] = self.broker.url
        if size.without:
            given[GUARDS[size.without]] = "0"
        self.site = Site(folder / "site", settings=given, webs=size.webs, workers=size.workers)
        self.journal = ClientJournal(folder / "clients.jsonl")
        self.observer = Observer(self.site)
        self.crowd = Crowd(self.site, self.journal, [])

    def begin(self) -> None:
        """Servers, site, observer, and a crowd that asks until it is told that it is enough."""
        servers = [server for server in (self.postgres, self.broker) if server is not None]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.start(), servers))
        self.site.start()
        self.observer.start()
        self.crowd = self.make_crowd("ask", each=None)
        self.crowd.start()

    def make_crowd(self, name: str, *, each: int | None) -> Crowd:
        """A crowd of this drill's size; the same people in the same browsers as the one before, if there was one."""
        size, before = self.size, self.crowd
        return Crowd(
            self.site, self.journal, before.people or self.site.people(size.people), each=each, tokens=size.tokens,
            gap_ms=size.gap_ms, name=name, rest_s=size.rest_s, roams=size.webs > 1, again=0.3, seed=size.seed,
            follow=each is None, callers=before.callers,
        )  # fmt: skip

    def end(self) -> None:
        """Everything, at once and without a word."""
        for part in self.site.parts.values():
            part.end(signal.SIGKILL)
        for server in (self.broker, self.postgres):
            if server is not None:
                server.end()
        self.journal.close()

    # --- for the strikes --------------------------------------------------------------------------------------------

    def note(self, strike: Strike) -> Strike:
        self.strikes.append(strike)
        return strike

    def awake(self, kind: str) -> list[str]:
        """The web processes or workers that run and are not frozen."""
        names = [name for name in self.site.parts if name.startswith(kind)]
        return sorted(name for name in names if self.site.parts[name].running and name not in self.frozen)

    def restart(self, name: str) -> None:
        """As the supervisor does it."""
        time.sleep(AGAIN_S)
        number = int(name[-1])
        if name.startswith("web"):
            self.site.start_web(number)
        else:
            self.site.start_worker(number)

    def rest(self, seconds: float) -> None:
        """Lets time pass; whoever has been frozen long enough wakes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.wake(late_by=0)
            time.sleep(min(0.1, left))

    def wake(self, *, late_by: float) -> None:
        """Wakes those whose time has come (`late_by` -inf: everybody)."""
        for name, (due, strike) in list(self.frozen.items()):
            if due <= time.monotonic() - late_by:
                self.site.thaw(name)
                del self.frozen[name]
                strike.until = time.monotonic()
                self.say(f"{name} wakes after {strike.until - strike.at:.0f} s")

    def in_mid_write(self) -> bool:
        """Whether somebody's open transaction holds what others need: SQLite's only place for writers, or rows of a server."""
        if self.postgres is not None:
            return self.postgres.open_transactions(longer_than_s=0.05) > 0
        file = Path(self.site.environment["DATA_DIR"]) / "portal.sqlite3"
        with contextlib.closing(sqlite3.connect(file, timeout=1, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return True
        return False
