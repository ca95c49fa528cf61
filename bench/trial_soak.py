"""Steady work for a long time, with people who come and go: memory, descriptors, connections, files and tables must stay flat.

Compares the first third with the last one, after a warm-up. History (conversations and what they cost) grows by the work done;
whatever else grows is a leak.
"""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.trial_ground import Options, Report, Trial, standing

EVERY_S = 5.0
WARM_UP = 0.1
# What the work leaves behind on purpose: conversations, their calls and their holds, the trail and the list of who signed in.
HISTORY = (
    "chat_conversation", "chat_message", "chat_generation", "usage_", "accounts_audit", "accounts_loginsession",
    "axes_accesslog",
)  # fmt: skip
# Live text is as many rows as are being written in that moment; what an ended answer has left of it is counted by itself.
LIVE = "chat_delta"
GROWTH = 0.08
SLACK = {
    "PSS MB": 6.0,
    "descriptors": 6.0,
    "threads": 2.0,
    "connections": 3.0,
    "log MB": 1e9,
    "WAL MB": 4.0,
    "bells waiting": 5.0,
}
TABLES = """
from django.db import connection
from chat.models import Delta, Generation
from usage.models import Reservation
answer = {}
with connection.cursor() as cursor:
    for name in connection.introspection.table_names(cursor):
        cursor.execute(f'SELECT COUNT(*) FROM "{name}"')
        answer[name] = cursor.fetchone()[0]
answer["held holds"] = Reservation.objects.filter(state="held").count()
answer["live text of ended answers"] = Delta.objects.exclude(generation__state__in=Generation.ACTIVE).count()
answer["active answers"] = Generation.objects.filter(state__in=Generation.ACTIVE).count()
"""


def pss_mb(pid: int) -> float:
    """The proportional set size of a process: its own memory and its share of what it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Sampler(threading.Thread):
    """Looks at every process, the database and the files every few seconds."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(daemon=True)
        self.trial = trial
        self.samples: list[tuple[float, dict[str, float]]] = []
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(EVERY_S):
            self.samples.append((time.monotonic(), self.look()))

    def stop(self) -> None:
        self._end.set()
        self.join(timeout=30)

    def look(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, part in self.trial.site.parts.items():
            if name == "simulator" or not part.running:
                continue
            found[f"{name} PSS MB"] = pss_mb(part.pid)
            found[f"{name} descriptors"] = len(list(Path(f"/proc/{part.pid}/fd").iterdir()))
            found[f"{name} threads"] = len(list(Path(f"/proc/{part.pid}/task").iterdir()))
        data = Path(self.trial.site.environment["DATA_DIR"])
        if (wal := data / "portal.sqlite3-wal").exists():
            found["WAL MB"] = wal.stat().st_size / (1 << 20)
        if (broker := data / "broker").exists():
            found["bells waiting"] = len(list(broker.glob("*.msg")))
        if self.trial.database is not None:
            with psycopg.connect(self.trial.database.url, autocommit=True) as connection:
                asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                row = connection.execute(asked).fetchone()
                found["connections"] = float(row[0]) if row else 0.0
        return found

    def third(self, which: int) -> dict[str, float]:
        """The medians of the first (0) or last (2) third of what was seen after the warm-up."""
        warm = self.samples[int(len(self.samples) * WARM_UP) :]
        size = max(1, len(warm) // 3)
        part = warm[which * size : (which + 1) * size] or warm
        names = sorted({name for _at, sample in part for name in sample})
        return {name: round(statistics.median(s[name] for _at, s in part if name in s), 1) for name in names}


def run(options: Options) -> Report:
    """`extra`: nothing of its own."""
    with standing(f"{options.seconds / 60:.0f} minutes of steady work", options, webs=2, workers=2) as trial:
        load = trial.load(leaves=0.15, think_s=1.0)
        sampler = Sampler(trial)
        sampler.start()
        load.work(options.seconds / 3)
        before: dict[str, int] = trial.site.django(TABLES)
        answered = load.rounds
        load.work(options.seconds * 2 / 3)
        sampler.stop()
        answered = load.rounds - answered
        after: dict[str, int] = trial.site.django(TABLES)
        load.finish(within=60)
        trial.judge(load, slowest_s=40)
        judge(trial, sampler, before=before, after=after, answered=answered)
        trial.note_logs()
        return trial.report


def judge(trial: Trial, sampler: Sampler, *, before: dict[str, int], after: dict[str, int], answered: int) -> None:
    """Whatever has grown without a reason is a fault. `answered`: rounds of work between the two looks at the tables."""
    report = trial.report
    first, last = sampler.third(0), sampler.third(2)
    report.facts["first third, last third"] = {name: [first.get(name), last.get(name)] for name in last}
    for name, now in last.items():
        kind = next(kind for kind in SLACK if name.endswith(kind))
        was = first.get(name, now)
        grown = now - was
        report.fault_if(grown > max(SLACK[kind], GROWTH * was), f"{name} grew from {was} to {now}")
    changed: dict[str, Any] = {
        n: [before.get(n, 0), rows] for n, rows in sorted(after.items()) if rows != before.get(n, 0)
    }
    report.facts["rows after a third, at the end"] = changed
    for name, (was, now) in changed.items():
        most = was + max(20, trial.options.size)
        report.fault_if(
            not name.startswith(HISTORY) and name != LIVE and now > most, f"table {name} grew from {was} to {now} rows"
        )
        # A few rows each: what an answer leaves must not grow with time.
        report.fault_if(
            name.startswith("chat_") and now - was > 3 * answered + 60,
            f"{name}: {now - was} rows for {answered} answers",
        )
