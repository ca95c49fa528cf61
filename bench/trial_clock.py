"""The clock jumps by an hour, forward and back, while answers are written, waited for and queued.

By libfaketime, on web and worker, on PostgreSQL, or on both: an offset in a file that running processes read at each look at
their clock. What is proved: no lease expires that is being renewed, no answer is cut off or asked for twice, nobody is signed out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from bench.trial_ground import Options, Report, Trial, standing
from bench.trial_load import Load
from tests.chaos import servers

HOUR = 3600
LIBRARIES = ("usr/lib/*/faketime/libfaketimeMT.so.1", "usr/lib*/faketime/libfaketimeMT.so.1")
WHERE = ("all", "processes", "database")
# libfaketime 0.9.10 breaks Python's sleep, which waits for a moment of the monotonic clock: processes on a faked clock wait by select.
SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""


def library() -> str:
    """The path of libfaketime (Debian's package of that name); empty if it is not installed."""
    return next((str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern)), "")


class Clock:
    """The offset that faked processes read. Its folder can be read by every user."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="trial-clock-"))
        self.folder.chmod(0o755)
        self.file = self.folder / "offset"
        (self.folder / "sitecustomize.py").write_text(SLEEP)
        self.set(0)

    def set(self, seconds: int) -> None:
        draft = self.folder / "draft"
        draft.write_text(f"{seconds:+d}\n")
        draft.chmod(0o644)
        draft.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        """For the processes that shall go by this clock. The monotonic clock stays true, as at a real step."""
        return {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self.folder),
        }

    def end(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class FakedPostgres(servers.Postgres):
    """A private PostgreSQL that goes by a faked clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def _run(self, command: list[str], *, environment: dict[str, str] | None = None, user: str = "") -> None:
        faked = dict(environment or os.environ) | self._clock.environment
        super()._run(command, environment=faked, user=user)


def run(options: Options) -> Report:
    """`extra`: where (all, processes, database)."""
    where = str(options.extra.get("where", "all"))
    if not library():
        return Report("clock", faults=["libfaketime is not installed (Debian: apt-get install libfaketime)"])
    clock = Clock()
    try:
        database = None
        if options.setting != "sqlite":
            database = FakedPostgres(clock) if where in ("all", "database") else servers.Postgres()
        own = clock.environment if where in ("all", "processes") or options.setting == "sqlite" else {}
        name = f"the clock jumps by an hour ({where if options.setting != 'sqlite' else 'all'})"
        with standing(name, options, webs=2, workers=2, database=database, more=own) as trial:
            return _jumps(trial, clock)
    finally:
        clock.end()


def _jumps(trial: Trial, clock: Clock) -> Report:
    """Forward after a fifth of the time, back after three fifths."""
    options, few = trial.options, max(2, trial.options.size // 4)
    part = options.seconds / 5
    # Long answers and silent ones span each jump and the time in which a false expiry would show itself.
    loads: list[Load] = [trial.load()]
    loads.append(trial.load(people=few, name="long", tokens=int(part * 1.8 * 10), gap_ms=100, stops=0, think_s=0.1))
    loads.append(trial.load(people=few, name="silent", tokens=10, ttft_ms=int(part * 1000), stops=0, think_s=0.1))
    for offset in (0, HOUR, HOUR, 0, 0):
        clock.set(offset)
        loads[0].work(part)
    for load in loads:
        load.finish(within=part * 2 + 60)
    rows = trial.judge(*loads, slowest_s=part * 2 + 30, clock_s=HOUR)
    _judge(trial, rows)
    return trial.report


def _judge(trial: Trial, rows: list[dict[str, object]]) -> None:
    report = trial.report
    states = report.facts["states"]
    report.fault_if(states.get("interrupted"), f"{states.get('interrupted')} answers were interrupted by a clock")
    report.fault_if(states.get("failed"), f"{states.get('failed')} answers failed by a clock")
    again = [row["uuid"] for row in rows if row["attempt"] != 1 or row["crashes"]]
    report.fault_if(again, f"{len(again)} answers were taken from a worker that was renewing its hold")
    trial.note_logs()
