"""The drills: a whole installation under load, faults in a seeded order, three journals compared; prints and stores what was found.

    bench/drills.py --setting all --generations 1000 --kills 60 --seed 1 --out bench/results/drills.json
    bench/drills.py --setting sqlite --faults worker,stop --without fence      (must fail: a checker that cannot fail shows nothing)

The exit status is 1 when a promise was broken. What is done and judged stands in tests/chaos (drill, strikes, journals); this is
its command line. Nothing of the machine's own servers is touched: PostgreSQL, Redis and RabbitMQ are started on ports of their own.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.chaos.drill import Report, run
from tests.chaos.scene import FAULTS, GUARDS, QUICK, SETTINGS, Size
from tests.chaos.servers import missing

NEEDS = {"sqlite": (), "redis": ("postgres", "redis"), "rabbitmq": ("postgres", "amqp")}
HEAD = ("fault", "times", "hit", "affected", "p50 s", "p95 s", "max s")


def arguments() -> argparse.Namespace:
    """What was asked for; times in seconds."""
    usual = {field.name: field.default for field in fields(Size)}
    parser = argparse.ArgumentParser(description="Takes things away from a whole installation under load, and counts.")
    parser.add_argument("--setting", choices=(*SETTINGS, "all"), default="all")
    parser.add_argument("--faults", default=",".join(FAULTS), help="some of " + ",".join(FAULTS))
    parser.add_argument("--without", choices=tuple(GUARDS), default="", help="one guard less: the drill must fail")
    for name in ("generations", "kills", "seed", "people", "webs", "workers"):
        parser.add_argument(f"--{name}", type=int, default=usual[name])
    for name in ("stop_s", "away_s", "database_away_s", "pause_s", "stuck_s", "rest_s"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=usual[name])
    parser.add_argument("--quick", action="store_true", help="a fifteenth of the real leases, as in the tests")
    parser.add_argument("--keep", type=Path, help="a folder for data, logs and journals (else they go)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    return parser.parse_args()


def size_of(given: argparse.Namespace, *, setting: str) -> Size:
    """The drill's size for one setting."""
    named = {field.name for field in fields(Size)} & vars(given).keys()
    values = {name: getattr(given, name) for name in named}
    faults = tuple(given.faults.split(","))
    if unknown := set(faults) - set(FAULTS):
        raise SystemExit(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    return Size(**values | {"setting": setting, "faults": faults, "engine": QUICK if given.quick else {}})


def one(size: Size, *, keep: Path | None) -> Report:
    """One drill, told as it goes."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{size.setting} {time.monotonic() - began:5.0f} s] {line}", flush=True)

    if keep is not None:
        folder = keep / size.setting
        folder.mkdir(parents=True)
        return run(size, folder=folder, say=say)
    with tempfile.TemporaryDirectory(prefix="drill-") as scratch:
        return run(size, folder=Path(scratch), say=say)


def show(report: Report) -> None:
    """The figures as a person reads them."""
    print(f"\n{report.size['setting']}: {report.generations} generations in {report.seconds:.0f} s, {report.states}")
    print(f"  {report.repeats} repeated sends, {report.answered_again} answers begun again after a lost worker")
    print("  " + "".join(f"{word:>15}" for word in HEAD))
    for kind, found in report.kinds.items():
        took = found["recovery_s"]
        cells = [
            kind,
            found["count"],
            found["hit"],
            found["affected"],
            *(took.get(name, "") for name in ("p50", "p95", "max")),
        ]
        print("  " + "".join(f"{cell!s:>15}" for cell in cells))
    kills = report.kills
    print(
        f"  kills: {kills['count']}, {kills['hit']} hit a process at work, {kills['in_mid_send']} in the middle of a send"
    )
    print(f"  sends: {report.sends}\n  while the broker was away: {report.broker_away}")
    print(
        f"  longest silence of an answer {report.longest_silence_s} s, {report.longest_wait_s} s after the last blow to it"
    )
    counts = {kind: len(sentences) for kind, sentences in report.faults.items()}
    print(f"  {'PASSED' if report.passed else 'FAILED'}: {counts}")
    for kind, sentences in report.faults.items():
        for sentence in sentences[:10]:
            print(f"    {kind}: {sentence}")


def store(file: Path, reports: list[Report]) -> None:
    """All figures, with the command that made them."""
    found = [vars(report) | {"passed": report.passed} for report in reports]
    whole = {"command": shlex.join(["python", *sys.argv]), "at": time.strftime("%Y-%m-%d %H:%M %Z"), "drills": found}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(whole, indent=1) + "\n")


def main() -> int:
    """Runs what was asked for; 1 if a promise was broken, 2 if something needed is not installed."""
    given = arguments()
    settings = SETTINGS if given.setting == "all" else (given.setting,)
    for setting in settings:
        if lacks := missing(*NEEDS[setting]):
            print(f"{setting} needs {lacks}, which is not installed here")
            return 2
    reports = []
    for setting in settings:
        reports.append(one(size_of(given, setting=setting), keep=given.keep))
        show(reports[-1])
        if given.out is not None:
            store(given.out, reports)
    return 0 if all(report.passed for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
