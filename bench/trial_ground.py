"""What all trials stand on: the arguments, an installation with servers of its own, people at work on it, and the report.

Everything started here ends with its `with`. No trial touches the machine's own servers.
"""

from __future__ import annotations

import contextlib
import json
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.trial_load import Habits, Load
from providers.simulator import journal as bills
from tests.chaos import servers
from tests.chaos.journals import ClientJournal, Verdict, compare, wait_until_over
from tests.processes import ROOT, Part, Site, wait_for_port

SETTINGS = ("sqlite", "postgres", "postgres-redis", "postgres-rabbit")
UP_WITHIN_S = 40.0
NAME = "trial"


@dataclass(frozen=True)
class Options:
    """What a trial was asked for. `size`: how many people; `more`: environment variables of the installation."""

    folder: Path
    seed: int = 1
    size: int = 20
    seconds: float = 120.0
    setting: str = "sqlite"
    more: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """What a trial found: `facts` are said and kept; any sentence in `faults` is a failure."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault_if(self, broken: object, text: str) -> None:
        if broken:
            self.faults.append(text)

    def add_verdict(self, verdict: Verdict) -> None:
        """Lost, doubled, wrong, stuck, changed, unbalanced: each sentence of the comparison is a fault."""
        self.facts |= {"sends": verdict.sends, "states": verdict.states}
        for kind, found in verdict.faults.items():
            self.faults += [f"{kind}: {text}" for text in found[:10]]
            self.fault_if(len(found) > 10, f"{kind}: and {len(found) - 10} more")

    def add_load(self, load: Load) -> None:
        """What people heard; what a page would have shown as a fault of ours is a fault."""
        found = {
            "rounds": load.rounds,
            "heard": load.notes.results(),
            "connections renewed": load.notes.renewed,
            "longest pause s": round(load.notes.longest_pause(), 2),
            "slowest send s": round(load.notes.slowest("send", result="202"), 2),
        }
        self.facts |= found if load.name == NAME else {f"{load.name}: {name}": value for name, value in found.items()}
        self.faults += load.complaints[:10]
        for heard in load.notes.with_status(500, 502, 504)[:5]:
            self.faults.append(f"{heard.kind} was answered {heard.result}: {heard.says}")

    def say(self) -> None:
        sys.stdout.write(f"== {self.name}\n")
        for name, value in self.facts.items():
            sys.stdout.write(f"{name:28} {value if isinstance(value, str) else json.dumps(value)}\n")
        for fault in self.faults:
            sys.stdout.write(f"FAULT {fault}\n")
        sys.stdout.write(f"{'FAILED' if self.faults else 'held'}: {self.name}\n")
        sys.stdout.flush()

    def keep(self, path: Path) -> None:
        """Appends everything as one line of JSON."""
        with path.open("a") as file:
            file.write(json.dumps({"trial": self.name, "facts": self.facts, "faults": self.faults}) + "\n")


@dataclass
class Trial:
    """An installation that stands, with what a trial needs beside it."""

    options: Options
    site: Site
    report: Report
    journal: ClientJournal
    database: servers.Postgres | None = None

    def load(self, *, people: int | None = None, name: str = NAME, **habits: Any) -> Load:
        """People at work, signed in; `habits` as in Habits. Several loads at once need names."""
        doors = sorted({part.port for name, part in self.site.parts.items() if name.startswith("web")})
        given = {**self.options.extra.get("habits", {}), **habits}
        load = Load(
            self.site,
            self.journal,
            self.site.people(self.options.size if people is None else people),
            doors=lambda: doors,
            seed=self.options.seed,
            habits=Habits(**given),
            name=name,
        )
        return load.start()

    def judge(
        self, *loads: Load, slowest_s: float, within: float = 40.0, drains: bool = False, clock_s: float = 0.0
    ) -> list[dict[str, Any]]:
        """Waits for what is under way, compares the three journals, and returns the rows of all answers.

        `drains`: workers were told to stop. `clock_s`: by how much clocks were put forward or back while people worked.
        """
        rows = wait_until_over(self.site, within=within)
        for row in rows:
            if clock_s and row["seconds"] is not None and abs(row["seconds"]) > clock_s / 2:
                row["seconds"] = min(abs(row["seconds"] - clock_s), abs(row["seconds"] + clock_s))
        told, bill = self.journal.lines(), bills.read(self.site.journal)
        for load in loads:
            self.report.add_load(load)
        self.report.add_verdict(compare(told, rows=rows, bill=bill, slowest_s=slowest_s, drains=drains))
        return rows

    def note_logs(self) -> None:
        """How often each warning stands in the processes' logs."""
        counts: dict[str, int] = {}
        for path in sorted(self.site.folder.glob("*.log")):
            for line in path.read_text(errors="replace").splitlines():
                words = line.split("WARNING", 1)[-1] if "WARNING" in line else line.split("ERROR", 1)[-1]
                if words != line:
                    key = " ".join(word for word in words.split() if not any(sign.isdigit() for sign in word))[:100]
                    counts[key] = counts.get(key, 0) + 1
        self.report.facts["log"] = dict(sorted(counts.items(), key=lambda item: -item[1])[:12])


class SharedDoor(Site):
    """Web processes that all listen on one socket, which this process holds (LISTEN_FD): whoever comes while one of them stops
    waits until another accepts, and is never refused.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)

    def stop(self) -> None:
        super().stop()
        self.listener.close()

    def start_web(self, number: int = 0) -> Part:
        name, shared = f"web{number}", self.listener.fileno()
        before = self.log(name).count("web: listening")
        environment = self.environment | {"LISTEN_FD": str(shared)}
        part = Part(name, [sys.executable, "-m", "portal.server"], environment, self.folder / f"{name}.log")
        part.port, part.pass_fds = self.listener.getsockname()[1], (shared,)
        self.parts[name] = part
        part.start()
        until = time.monotonic() + UP_WITHIN_S
        while self.log(name).count("web: listening") == before and part.running and time.monotonic() < until:
            time.sleep(0.05)
        wait_for_port(part.port, part=part, path="/health/live")
        return part


@contextlib.contextmanager
def standing(
    name: str,
    options: Options,
    *,
    webs: int = 1,
    workers: int = 1,
    kind: type[Site] = Site,
    database: servers.Postgres | None = None,
    more: dict[str, str] | None = None,
) -> Iterator[Trial]:
    """An installation of the asked setting that stands; `more` are environment variables. Servers and processes end with it.

    The private PostgreSQL is made here unless the trial brings its own.
    """
    ended: list[servers.Server] = []
    settings = {"LOG_LEVEL": "INFO"} | options.more | (more or {})
    if options.setting != "sqlite" and database is None:
        database = servers.Postgres()
    if database is not None:
        ended.append(database)
        database.start()
        settings["DATABASE_URL"] = database.url
    if options.setting in ("postgres-redis", "postgres-rabbit"):
        broker = servers.Redis() if options.setting == "postgres-redis" else servers.Rabbit()
        ended.append(broker)
        broker.start()
        settings["CELERY_BROKER_URL"] = broker.url
    webs, workers = int(options.extra.get("webs", webs)), int(options.extra.get("workers", workers))
    site = kind(options.folder / "site", settings=settings, webs=webs, workers=workers)
    report = Report(name, describe(options))
    journal = ClientJournal(options.folder / "clients.jsonl")
    try:
        site.start()
        yield Trial(options, site, report, journal, database)
    finally:
        for part in site.parts.values():
            part.end(signal.SIGKILL)
        site.stop()
        for server in ended:
            server.end()
        journal.close()


def describe(options: Options) -> dict[str, Any]:
    """Where and with what a figure was made."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "at": time.strftime("%Y-%m-%d %H:%M"),
        "commit": commit or "?",
        "python": platform.python_version(),
        "setting": options.setting,
        "seed": options.seed,
        "people": options.size,
        "seconds": options.seconds,
        "own settings": options.more,
    }
