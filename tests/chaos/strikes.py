"""The faults of a drill, one function each: kills, freezes, brokers and databases that fail. Each notes what it hit.

Nothing here waits for anybody's recovery: the next blow may fall before it.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.chaos import brokers
from tests.chaos.scene import Scene, Size, Strike

# How often a moment is looked for in which somebody is frozen in the middle of a write (or, on SQLite, is not).
MOMENTS = 60
LOCKED_S = (2.0, 8.0)


def plan(size: Size) -> list[str]:
    """The faults of a drill in their seeded order: as many kills as asked for, the others in fixed proportions."""
    kills: list[str] = [kind for kind in ("worker", "web") if kind in size.faults]
    shares = {"stop": 10, "broker-empty": 6, "broker-stop": 10, "broker-double": 12, "database": 8}
    order = [kills[n % len(kills)] for n in range(size.kills)] if kills else []
    for kind, share in shares.items():
        possible = kind in size.faults and not (kind == "broker-stop" and size.setting == "sqlite")
        order += [kind] * (max(1, size.kills // share) if possible else 0)
    random.Random(size.seed).shuffle(order)
    return order


def worker(scene: Scene, *, during: str = "") -> None:
    """SIGKILL to the worker with most answers in its hands, and now and then to all of them; back after a second."""
    until = time.monotonic() + 10
    while not (busy := _busiest(scene)) and time.monotonic() < until:
        scene.rest(0.1)
    everybody = not during and scene.rng.random() < 0.15
    time.sleep(scene.rng.uniform(0, 0.2))
    killed = []
    for name in (busy or scene.awake("worker"))[: None if everybody else 1]:
        held = scene.observer.held_by(scene.site.parts[name].pid)
        strike = scene.note(Strike("worker", f"SIGKILL{during}", time.monotonic(), victim=name, held=held))
        scene.site.kill(name)
        scene.observer.excuse([each.id for each in held])
        killed.append(strike)
    for strike in killed:
        scene.restart(strike.victim)
        strike.until = time.monotonic()


def web(scene: Scene) -> None:
    """SIGKILL to a web process while a send is under way there; back after a second, on the same port."""
    name = scene.rng.choice(scene.awake("web") or ["web0"])
    under_way = scene.crowd.under_way[int(name[-1])]
    until = time.monotonic() + 5
    while not under_way["send"] and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(scene.rng.choice((0, 0.005, 0.01, 0.02)))
    while not under_way.total() and time.monotonic() < until:
        time.sleep(0.0005)
    strike = scene.note(Strike("web", "SIGKILL", time.monotonic(), victim=name, requests=dict(under_way)))
    scene.site.kill(name)
    scene.restart(name)
    strike.until = time.monotonic()


def stop(scene: Scene) -> None:
    """SIGSTOP, and SIGCONT `stop_s` later; meanwhile the drill goes on. At most one worker and one web process at a time."""
    kinds = ["worker", "worker", "web"] if scene.size.webs > 1 else ["worker"]
    kind = scene.rng.choice(kinds)
    if any(name.startswith(kind) for name in scene.frozen) or len(scene.awake(kind)) < 2:
        kind = "web" if kind == "worker" else "worker"
    if any(name.startswith(kind) for name in scene.frozen):
        scene.wake(late_by=float("-inf"))
    name = (_busiest(scene) or scene.awake("worker"))[0] if kind == "worker" else scene.rng.choice(scene.awake("web"))
    strike = scene.note(Strike("stop", "SIGSTOP", time.monotonic(), victim=name))
    if _freeze(scene, name, strike):
        strike.what = "SIGSTOP in the middle of a write"
    if kind == "web":
        strike.requests = dict(scene.crowd.under_way[int(name[-1])])
    scene.observer.excuse([each.id for each in strike.held])
    scene.frozen[name] = (strike.at + scene.size.stop_s, strike)


def _freeze(scene: Scene, name: str, strike: Strike) -> bool:
    """Freezes it, every second worker in the middle of a write if the database is a server; True if it was in one.

    On SQLite that would stop everybody (docs/architecture.md), so another moment is looked for.
    """
    server = scene.postgres is not None
    wanted = server and name.startswith("worker") and scene.rng.random() < 0.5
    for moment in range(MOMENTS):
        strike.held = scene.observer.held_by(scene.site.parts[name].pid) if name.startswith("worker") else []
        scene.site.freeze(name)
        strike.at = time.monotonic()
        in_write = scene.in_mid_write()
        if in_write == wanted or (server and not wanted) or moment == MOMENTS - 1:
            break
        scene.site.thaw(name)
        time.sleep(scene.rng.uniform(0.01, 0.1))
    return in_write


def broker_empty(scene: Scene) -> None:
    """For two seconds every bell is lost."""
    strike = scene.note(Strike("broker-empty", "emptied for 2 s", time.monotonic()))
    until = time.monotonic() + 2
    while time.monotonic() < until:
        brokers.empty(scene.site)
        scene.rest(0.05)
    strike.until = time.monotonic()


def broker_stop(scene: Scene) -> None:
    """The broker dies, or falls silent with its connections open; every second time a worker dies meanwhile."""
    assert scene.broker is not None
    silent = scene.rng.random() < 0.4
    strike = scene.note(Strike("broker-stop", "silent" if silent else "killed", time.monotonic(), victim="broker"))
    if silent:
        scene.broker.freeze()
    else:
        scene.broker.kill()
    half = scene.size.away_s / 2
    scene.rest(half)
    if scene.rng.random() < 0.5:
        worker(scene, during=" while the broker is away")
    scene.rest(max(0.0, strike.at + scene.size.away_s - time.monotonic()))
    strike.until = time.monotonic()
    if silent:
        scene.broker.thaw()
    else:
        scene.broker.start()


def broker_double(scene: Scene) -> None:
    """Five seconds of bells for nothing, fifty a second."""
    strike = scene.note(Strike("broker-double", "50 bells a second for 5 s", time.monotonic()))
    ringer = brokers.ringer(scene.site)
    scene.rest(5)
    ringer.end(signal.SIGKILL)
    strike.until = time.monotonic()


def database(scene: Scene) -> None:
    """PostgreSQL stops, crashes, or drops everybody; on SQLite somebody else keeps the only place for writers."""
    if scene.postgres is None:
        _locked(scene)
        return
    what = scene.rng.choice(("stopped", "crashed", "every connection cut"))
    strike = scene.note(Strike("database", what, time.monotonic(), victim="postgres"))
    strike.held = scene.observer.held()
    scene.observer.excuse()
    if what == "every connection cut":
        scene.postgres.cut()
    else:
        scene.postgres.stop(at_once=what == "crashed")
        scene.rest(scene.rng.uniform(0, scene.size.database_away_s))
        scene.postgres.start()
    scene.observer.excuse()
    strike.until = time.monotonic()


def _locked(scene: Scene) -> None:
    """A backup, a shell, a colleague with a tool: somebody writes for seconds."""
    seconds = scene.rng.uniform(*LOCKED_S)
    strike = scene.note(Strike("database", f"locked for {seconds:.1f} s", time.monotonic(), victim="sqlite"))
    strike.held = scene.observer.held()
    file = Path(scene.site.environment["DATA_DIR"]) / "portal.sqlite3"
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        strike.at = time.monotonic()
        scene.observer.excuse()
        scene.rest(seconds)
        connection.execute("ROLLBACK")
    scene.observer.excuse()
    strike.until = time.monotonic()


def _busiest(scene: Scene) -> list[str]:
    """The workers that are awake and hold answers, those with most of them first."""
    held = {name: len(scene.observer.held_by(scene.site.parts[name].pid)) for name in scene.awake("worker")}
    return sorted((name for name in held if held[name]), key=lambda name: -held[name])


STRIKES: dict[str, Callable[[Scene], None]] = {
    "worker": worker,
    "web": web,
    "stop": stop,
    "broker-empty": broker_empty,
    "broker-stop": broker_stop,
    "broker-double": broker_double,
    "database": database,
}
