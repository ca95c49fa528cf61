"""Is a limit a bound? Many processes send at once into one limit, stop answers at random, and workers are killed meanwhile.

    python -m bench.hammer                                       8 processes, limit 100, 4,000 sends, SQLite
    python -m bench.hammer --seeds 20 --database postgres://root@127.0.0.1:5432/postgres
    python -m bench.hammer --unguarded                           the control: read, decide, then write. It must find faults

Makes an installation of its own with a simulator and two workers (no web: it calls what pages call) and prints one line of JSON for
each seed. Exit status 1 when the ledger, the counters, the holds or the simulator's bill disagree, or the limit was passed.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.scene import QUICK
from tests.processes import ROOT, Site

KILL_EVERY_S = 2.0
BEGUN = "INFO chat.engine engine"
UP_WITHIN_S = 30.0
OVER_WITHIN_S = 150.0
PREPARE = """
from accounts.models import Organisation, User
from usage import rules
Organisation.get()
people = [User.objects.create(email=f"hammer{n}@example.com", password="!") for n in range(given["processes"])]
rules.make(scope="organisation", unit="requests", period="month", amount=given["limit"])
rules.make(scope="each", unit="tokens", period="day", amount=10**9)
rules.make(scope="organisation", unit="output", period="day", amount=10**9)
"""
FULLEST = """
SELECT MAX(p.used + p.held) FROM usage_quotaperiod p JOIN usage_quota q ON q.id = p.quota_id WHERE q.unit = 'requests'
"""
FOUND = """
from chat.models import Generation
from usage import proof
from usage.models import LedgerEntry, QuotaPeriod, Reservation
texts = dict(Generation.objects.values_list("uuid", "message__parent__text"))
entries = LedgerEntry.objects.values_list("request_id", "input_tokens", "output_tokens", "estimated", "kind")
answer = {
    "used": sum(QuotaPeriod.objects.filter(quota__unit="requests").values_list("used", flat=True)),
    "active": Generation.objects.filter(state__in=Generation.ACTIVE).count(),
    "held": Reservation.objects.filter(state="held").count(),
    "drifts": list(proof.drifts()),
    "entries": [[texts[r].partition("seed=")[2].partition(" ")[0], *rest] for r, *rest in entries],
}
"""
ACTIVE = "SELECT COUNT(*) FROM chat_generation WHERE state IN ('waiting', 'queued', 'running', 'streaming')"


@dataclass(frozen=True)
class Options:
    """How large a run is."""

    processes: int = 8
    sends: int = 4_000
    limit: int = 100
    seed: int = 1
    database: str = ""
    unguarded: bool = False


@dataclass
class Verdict:
    """What a run found; any sentence in `faults` is a failure."""

    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def run(options: Options, *, folder: Path) -> Verdict:
    """One seed, in an installation under `folder`."""
    began = time.monotonic()
    with installation(options, folder=folder) as site:
        with Watch(site) as watch, Killer(site, every_s=KILL_EVERY_S) as killer:
            told = senders(options, site=site)
        settle_down(watch)
        found = site.django(FOUND)
        bill, taken = bills(site)
        verdict = judge(options, told=told, found=found, bill=bill, taken=taken, fullest=watch.fullest)
    verdict.facts |= {"kills": killer.kills, "looks": watch.looks, "seconds": round(time.monotonic() - began, 1)}
    return verdict


@contextmanager
def installation(options: Options, *, folder: Path) -> Iterator[Site]:
    """Simulator, database and two workers; a database on a server is dropped again."""
    with database(options, name=f"hammer_{folder.name.replace('-', '_')}".lower()) as url:
        site = Site(folder, settings=QUICK | ({"DATABASE_URL": url} if url else {}))
        try:
            site.start_simulator()
            site.manage("setup")
            site.django(PREPARE, {"processes": options.processes, "limit": options.limit})
            for number in range(2):
                site.start_worker(number)
            yield site
        finally:
            for part in site.parts.values():
                part.kill()


@contextmanager
def database(options: Options, *, name: str) -> Iterator[str]:
    if not options.database:
        yield ""
        return
    with psycopg.connect(options.database, autocommit=True) as control:
        control.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{options.database.rsplit('/', 1)[0]}/{name}"
        finally:
            control.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def senders(options: Options, *, site: Site) -> list[dict[str, Any]]:
    """All processes, started together; what each was answered."""
    each = options.sends // options.processes
    commands = [
        [
            sys.executable,
            "-m",
            "bench.hammer_sender",
            str(options.seed),
            str(number),
            str(each),
            str(int(options.unguarded)),
        ]
        for number in range(options.processes)
    ]
    running = [
        subprocess.Popen(c, cwd=ROOT, env=site.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for c in commands
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()  # ready
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]


class Watch:
    """Looks all the time how full the limit is; `fullest` is the most that was ever used and held together."""

    def __init__(self, site: Site) -> None:
        self.fullest = self.looks = 0
        self._url = site.environment.get("DATABASE_URL", "")
        self._file = Path(site.environment["DATA_DIR"]) / "portal.sqlite3"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self, sql: str) -> int:
        """One number."""
        if self._url:
            with psycopg.connect(self._url) as connection:
                row = connection.execute(sql.encode()).fetchone()
                return int(row[0] or 0) if row else 0
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=10)) as file:
            return int(file.execute(sql).fetchone()[0] or 0)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.fullest = max(self.fullest, self.ask(FULLEST))
            self.looks += 1


class Killer:
    """SIGKILL to one worker after the other, each started again at once."""

    def __init__(self, site: Site, *, every_s: float) -> None:
        self.kills = 0
        self._site, self._every_s = site, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            name = f"worker{self.kills % 2}"
            began = self._site.log(name).count(BEGUN)
            self._site.kill(name)
            self._site.start_worker(self.kills % 2)
            self.kills += 1
            # On a busy machine a worker needs longer to begin than the next one to be killed: none would ever work.
            until = time.monotonic() + UP_WITHIN_S
            while self._site.log(name).count(BEGUN) == began and time.monotonic() < until:
                time.sleep(0.1)


def settle_down(watch: Watch) -> None:
    """Until nothing runs or waits any more (or too long)."""
    until = time.monotonic() + OVER_WITHIN_S
    while time.monotonic() < until and watch.ask(ACTIVE):
        time.sleep(0.5)
    watch.fullest = max(watch.fullest, watch.ask(FULLEST))


def bills(site: Site) -> tuple[dict[str, list[tuple[int, int]]], Counter[str]]:
    """By seed: what the simulator wrote to its end (tokens of the prompt, tokens emitted), and how many calls it took at all."""
    asked: dict[str, dict[str, Any]] = {}
    whole: dict[str, list[tuple[int, int]]] = {}
    for line in site.bill():
        if line["event"] == "accepted":
            asked[line["id"]] = line
        elif line["ended"] == "done":
            first = asked[line["id"]]
            whole.setdefault(first["seed"], []).append((first["prompt_tokens"], line["tokens"]))
    return whole, Counter(line["seed"] for line in asked.values())


def judge(
    options: Options,
    *,
    told: list[dict[str, Any]],
    found: dict[str, Any],
    bill: dict[str, list[tuple[int, int]]],
    taken: Counter[str],
    fullest: int,
) -> Verdict:
    """Compares what was promised with what is there."""
    sums: Counter[str] = Counter()
    for one in told:
        sums.update(one)
    exact = [entry for entry in found["entries"] if not entry[3]]
    wrong = [entry for entry in exact if (entry[1], entry[2]) not in bill.get(entry[0], [])]
    guessed = [entry for entry in found["entries"] if entry[3]]
    # A worker that died after it had noted its call and before it sent it leaves an entry without a call, never the reverse.
    settled = [entry for entry in found["entries"] if entry[4] == "settle"]
    missing = taken - Counter(entry[0] for entry in found["entries"])
    verdict = Verdict(
        {
            "seed": options.seed, "sends": sum(one["sends"] for one in told), "limit": options.limit,
            "used": found["used"], "fullest": fullest, "entries": len(settled), "exact": len(exact),
            "estimated": len(guessed), "lost tries": len(found["entries"]) - len(settled), "taken": taken.total(),
            "answers": dict(sums),
        }
    )  # fmt: skip
    tests = {
        f"the limit of {options.limit} was passed: {fullest} used and held at once": fullest > options.limit,
        f"{found['used']} are counted, the ledger has {len(settled)}": found["used"] != len(settled),
        f"{missing.total()} calls that the simulator took are not in the ledger: {list(missing)[:3]}": missing,
        f"{len(wrong)} entries are not what the simulator billed: {wrong[:3]}": wrong,
        f"{found['active']} answers are still active": found["active"],
        f"{found['held']} holds are left": found["held"],
        f"only {found['used']} of {options.limit} were used": found["used"] < options.limit * 0.9,
        f"the ledger does not agree: {found['drifts'][:3]}": found["drifts"],
        f"{sums['errors']} sends failed": sums["errors"],
    }
    verdict.faults = [sentence for sentence, broken in tests.items() if broken]
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--sends", type=int, default=4_000)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--database", default="", help="a PostgreSQL that lets us make a database; without: SQLite")
    parser.add_argument("--unguarded", action="store_true", help="the control: it must find faults")
    given = parser.parse_args()
    bad = False
    for seed in range(given.seed, given.seed + given.seeds):
        options = Options(given.processes, given.sends, given.limit, seed, given.database, given.unguarded)
        with tempfile.TemporaryDirectory(prefix="hammer-") as folder:
            verdict = run(options, folder=Path(folder))
        print(json.dumps(verdict.facts | {"faults": verdict.faults}), flush=True)
        bad = bad or bool(verdict.faults)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
