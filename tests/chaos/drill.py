"""One drill from begin to verdict: a steady load, faults in a seeded order, last words without workers, and the comparison.

`run` returns a report that can be printed, kept as JSON and judged: `passed` says whether every promise held.
"""

from __future__ import annotations

import math
import platform
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from providers.simulator import journal as bills
from tests.chaos import brokers
from tests.chaos.journals import Verdict, compare, wait_until_over
from tests.chaos.scene import Scene, Size, Strike
from tests.chaos.strikes import STRIKES, plan
from tests.processes import ROOT

SHARE_HIT = 0.8
PACKAGES = ("django", "celery", "kombu", "openai", "psycopg", "redis", "amqp", "uvicorn")
KILLS = ("worker", "web")


@dataclass
class Report:
    """What a drill found. `faults`: sentences by kind, all empty when everything held."""

    size: dict[str, Any]
    seconds: float = 0.0
    generations: int = 0
    repeats: int = 0
    states: dict[str, int] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    strikes: list[dict[str, Any]] = field(default_factory=list)
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)
    kills: dict[str, Any] = field(default_factory=dict)
    sends: dict[str, Any] = field(default_factory=dict)
    broker_away: dict[str, Any] = field(default_factory=dict)
    answered_again: int = 0
    longest_silence_s: float = 0.0
    longest_wait_s: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not any(self.faults.values())


def run(size: Size, *, folder: Path, say: Callable[[str], None] = lambda _line: None) -> Report:
    """The whole drill, in `folder`; everything that was started has ended when this returns."""
    scene = Scene(size, folder=folder, say=say)
    try:
        scene.begin()
        _warm_up(scene)
        _strikes(scene)
        _enough_questions(scene)
        _last_words(scene)
        rows = wait_until_over(scene.site, within=size.stuck_s * 2)
        scene.observer.stop()
        return _report(scene, rows=rows)
    finally:
        scene.observer.stop()
        scene.end()


def _warm_up(scene: Scene) -> None:
    """Until everybody has asked once and the workers hold answers: a blow in the air proves nothing."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if len(scene.crowd.sends) >= len(scene.crowd.people) and len(scene.observer.held()) >= 2:
            break
        time.sleep(0.2)
    scene.say(f"{len(scene.observer.held())} answers at once")


def _strikes(scene: Scene) -> None:
    order = plan(scene.size)
    for number, kind in enumerate(order, 1):
        known = len(scene.strikes)
        STRIKES[kind](scene)
        for strike in scene.strikes[known:]:
            hit = f"{len(strike.held)} answers" if strike.held else f"{sum(strike.requests.values())} requests"
            done = f"{number}/{len(order)}, {len(scene.crowd.sends)} sends"
            scene.say(f"{strike.kind}: {strike.victim} {strike.what} ({hit}; {done})")
        scene.rest(scene.rng.uniform(0.5, 1.5) * scene.size.pause_s)


def _enough_questions(scene: Scene) -> None:
    """The load goes on until as many were asked as wanted and everybody frozen is awake; then everybody reads to the end."""
    while (scene.frozen or len(scene.crowd.sends) < scene.size.generations) and scene.crowd.busy:
        scene.rest(0.5)
    scene.crowd.enough()
    scene.crowd.wait(within=scene.size.stuck_s * 4)
    if scene.crowd.busy:
        scene.crowd.refusals.append("somebody still waits for an answer")


def _last_words(scene: Scene) -> None:
    """Everybody's last question meets a site without workers, and every bell is lost; then workers come, and nobody rings any more."""
    if not {"worker", "broker-empty"} <= set(scene.size.faults):
        return
    workers = scene.awake("worker")
    for name in workers:
        scene.site.kill(name)
    last = scene.make_crowd("last", each=1).start()
    last.wait(within=60)
    scene.crowd.refusals += last.refusals
    for _time in range(10):
        brokers.empty(scene.site)
        time.sleep(0.05)
    for name in workers:
        scene.restart(name)
    scene.observer.excuse()
    scene.say(f"{len(last.sends)} last questions, every bell of theirs lost")
    scene.crowd.sends += last.sends


# --- what was found -------------------------------------------------------------------------------------------------------


def _report(scene: Scene, *, rows: list[dict[str, Any]]) -> Report:
    size, told, bill = scene.size, scene.journal.lines(), bills.read(scene.site.journal)
    verdict = compare(told, rows=rows, bill=bill, slowest_s=math.inf)
    lives = scene.observer.lives
    verdict.stuck += [
        f"generation {life.id}: {life.stuck_s:.1f} s without a sign of life, in {life.sign[0]}"
        for life in lives.values()
        if life.stuck_s > size.stuck_s
    ]
    verdict.stuck += [
        f"a {trouble.method} at web{trouble.web}: not answered for {trouble.answered - trouble.failed:.1f} s"
        for trouble in scene.crowd.troubles
        if trouble.answered - trouble.failed > size.stuck_s
    ]
    verdict.changed += scene.observer.taken_back
    promised = [line for line in told if line["event"] == "promised"]
    report = Report(
        size=asdict(size),
        seconds=round(time.monotonic() - scene.began, 1),
        generations=verdict.sends,
        repeats=len(promised) - verdict.sends,
        states=verdict.states,
        answered_again=sum(row["attempt"] > 1 for row in rows),
        longest_silence_s=round(max((life.silent_s for life in lives.values()), default=0.0), 1),
        longest_wait_s=round(max((life.stuck_s for life in lives.values()), default=0.0), 1),
        versions=versions(scene),
    )
    _figures(report, scene=scene, rows=rows)
    _faults(report, scene=scene, verdict=verdict)
    return report


def _figures(report: Report, *, scene: Scene, rows: list[dict[str, Any]]) -> None:
    sends, waited = scene.crowd.sends, {row["uuid"]: row["waited"] for row in rows}
    report.sends = spread(send.took for send in sends)
    away = [
        send
        for send in sends
        for strike in scene.strikes
        if strike.kind == "broker-stop" and strike.at <= send.began < strike.until and not send.struck
    ]
    started = [waited[s.generation] for s in away if waited.get(s.generation) is not None]
    report.broker_away = {"sends_s": spread(s.took for s in away), "until_taken_s": spread(started)}
    for strike in scene.strikes:
        took = recoveries(scene, strike)
        report.strikes.append({
            "at_s": round(strike.at - scene.began, 1), "kind": strike.kind, "what": strike.what, "victim": strike.victim,
            "away_s": round(strike.until - strike.at, 1), "held": len(strike.held), "requests": strike.requests,
            "hit": strike.hit, "recovery_s": spread(took), "took": [round(each, 2) for each in took],
        })  # fmt: skip
    for kind in dict.fromkeys(strike.kind for strike in scene.strikes):
        of_kind = [entry for entry in report.strikes if entry["kind"] == kind]
        report.kinds[kind] = {
            "count": len(of_kind),
            "hit": sum(entry["hit"] for entry in of_kind),
            "affected": sum(entry["recovery_s"]["n"] for entry in of_kind),
            "recovery_s": spread(each for entry in of_kind for each in entry["took"]),
        }
    for entry in report.strikes:
        del entry["took"]
    killed = [strike for strike in scene.strikes if strike.kind in KILLS]
    hit = sum(strike.hit for strike in killed)
    report.kills = {"count": len(killed), "hit": hit, "share": round(hit / len(killed), 3) if killed else None}
    report.kills["in_mid_send"] = sum(strike.requests.get("send", 0) > 0 for strike in killed)


def _faults(report: Report, *, scene: Scene, verdict: Verdict) -> None:
    report.faults = {
        kind: getattr(verdict, kind) for kind in ("lost", "doubled", "wrong", "stuck", "changed", "unbalanced")
    }
    report.faults["refused"] = scene.crowd.refusals
    slow = report.broker_away["sends_s"]
    too_slow = slow["n"] and slow["p99"] > scene.size.send_s
    report.faults["slow"] = [f"sends while the broker is away: p99 {slow['p99']} s"] if too_slow else []
    share = report.kills["share"]
    blows = [f"only {share:.0%} of the kills hit a process at work"] if share is not None and share < SHARE_HIT else []
    few = report.generations < scene.size.generations
    report.faults["drill"] = blows + ([f"only {report.generations} generations"] if few else [])


def recoveries(scene: Scene, strike: Strike) -> list[float]:
    """Seconds from a blow until each answer, and each request of a reader or sender, that it hit went on or came to an end."""
    met = [t for t in scene.crowd.troubles if t.failed >= strike.at and t.asked <= max(strike.until, strike.at)]
    at_victim = [t for t in met if strike.kind == "database" or f"web{t.web}" == strike.victim]
    requests = [t.answered - max(t.asked, strike.at) for t in at_victim]
    lives = [(scene.observer.lives.get(each.id), each) for each in strike.held]
    if strike.kind == "database":
        # What was committed just before the blow is seen at the next look.
        after = strike.at + 1.5 * scene.observer.every_s
        found = [life.next_sign(after) for life, _each in lives if life is not None]
    else:
        found = [life.goes_on(strike.at, attempt=each.attempt) for life, each in lives if life is not None]
    return requests + [moment - strike.at for moment in found if moment is not None]


def spread(values: Iterable[float]) -> dict[str, Any]:
    """How many, and the median, 95th and 99th percentile and the largest (nearest rank), rounded to milliseconds."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0}
    ranks = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    at = {name: ordered[math.ceil(rank * len(ordered)) - 1] for name, rank in ranks.items()}
    return {"n": len(ordered)} | {name: round(value, 3) for name, value in at.items()}


def versions(scene: Scene) -> dict[str, str]:
    """What ran here, and at which commit."""
    found = {name: version(name) for name in PACKAGES}
    found |= {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version, "system": platform.platform()}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    found["commit"] = commit.stdout.strip()
    for server in (scene.postgres, scene.broker):
        if server is not None:
            found[server.name + " server"] = server.version()
    return found
