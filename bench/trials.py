"""`python -m bench.trials NAME`: long trials of a whole installation, each with three journals compared at the end.

Drills that kill processes and brokers stand in bench/drills.py; small sizes of these trials in tests/chaos/test_trials.py.
Refuses to touch servers or data that it did not make itself.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import trial_away, trial_clock, trial_disk, trial_poison, trial_rolling, trial_soak
from bench.trial_ground import SETTINGS, Options, Report

# name: (what runs, what it says, people, seconds)
TRIALS: dict[str, tuple[Callable[[Options], Report], str, int, float]] = {
    "rolling": (trial_rolling.run, "restarts by SIGTERM every 20 s, processes joining and leaving", 24, 300),
    "clock": (trial_clock.run, "the clock jumps by an hour, forward and back", 16, 200),
    "away": (trial_away.run, "PostgreSQL is stopped or frozen for 30 s", 16, 60),
    "disk": (trial_disk.run, "SQLite's disk is full for 30 s", 12, 60),
    "poison": (trial_poison.run, "a question that kills its worker twice", 18, 40),
    "soak": (trial_soak.run, "steady work: memory, connections and tables stay flat", 24, 900),
}


def main() -> int:
    """Runs one trial; 1 if it found a fault."""
    given = parser().parse_args()
    run, _says, size, seconds = TRIALS[given.trial]
    folder = Path(tempfile.mkdtemp(prefix="trial-"))
    extra = {name: value for name, value in vars(given).items() if name in EXTRA and value is not None}
    options = Options(
        folder,
        seed=given.seed,
        size=given.size or size,
        seconds=given.seconds or seconds,
        setting=given.setting,
        more=dict(word.split("=", 1) for word in given.set),
        extra=extra,
    )
    report = run(options)
    report.say()
    if given.out:
        report.keep(given.out)
    if given.keep:
        sys.stdout.write(f"Kept: {folder}\n")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if report.faults else 0


EXTRA = ("every", "two_doors", "where", "how", "away", "full", "at", "webs", "workers", "ttft_ms")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m bench.trials", description=__doc__)
    made.add_argument("trial", choices=TRIALS, help="; ".join(f"{name}: {entry[1]}" for name, entry in TRIALS.items()))
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--size", type=int, default=0, help="how many people work at once")
    made.add_argument("--seconds", type=float, default=0)
    made.add_argument("--setting", choices=SETTINGS, default="sqlite")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the installation")
    made.add_argument("--webs", type=int, help="how many web processes")
    made.add_argument("--workers", type=int, help="how many workers")
    made.add_argument("--out", type=Path, help="a file to which the report is appended as a line of JSON")
    made.add_argument("--keep", action="store_true", help="leave data, logs and journals where they are")
    made.add_argument("--every", type=float, help="rolling: seconds between two stops")
    made.add_argument("--two-doors", action="store_true", default=None, help="rolling: a port for each web process")
    made.add_argument("--where", choices=trial_clock.WHERE, help="clock: whose")
    made.add_argument("--how", choices=trial_away.HOW, help="away: how")
    made.add_argument("--away", type=float, help="away: for so many seconds")
    made.add_argument("--full", type=float, help="disk: for so many seconds")
    made.add_argument("--at", choices=trial_poison.AT, help="poison: when it kills")
    return made


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
