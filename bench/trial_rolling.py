"""Rolling restarts: web and worker processes are told to stop, one after the other, and started again while people work.

A third of the way in one more of each joins, and leaves after two thirds. All web processes accept from one socket that
stays open (LISTEN_FD), as under systemd's socket activation and `bin/run`; `--two-doors` gives each a port of its own,
and people pass by a door that is shut, as a proxy would.
"""

from __future__ import annotations

import signal
import time

from bench.trial_ground import Options, Report, SharedDoor, Trial, standing
from tests.processes import Site

ANSWER_S = 6.0
# As in the product; what the tests' installations have (3 s) is less than an answer takes on a busy machine.
USUAL = {"DRAIN_S": "30"}


def run(options: Options) -> Report:
    """`extra`: every (seconds between two stops), stops (at least so many, however long it takes), two_doors."""
    least = int(options.extra.get("stops", 0))
    every, two_doors = float(options.extra.get("every", 20)), bool(options.extra.get("two_doors"))
    name = "rolling restarts, a port each" if two_doors else "rolling restarts behind one port"
    kind = Site if two_doors else SharedDoor
    with standing(name, options, webs=2, workers=2, kind=kind, more=USUAL | options.more) as trial:
        load = trial.load()
        began, stops = time.monotonic(), list[dict[str, float | str]]()
        turn = ["web0", "worker0", "web1", "worker1"]
        joined = left = False
        while (now := time.monotonic() - began) < options.seconds or len(stops) < least:
            if not joined and now > options.seconds / 3:
                joined = True
                trial.site.start_worker(2)
                trial.site.start_web(2)
            if joined and not left and now > options.seconds * 2 / 3:
                left = True
                stops += [_stop(trial, "worker2"), _stop(trial, "web2")]
            due = began + every * (len(stops) + 1)
            load.work(max(0.1, due - time.monotonic()))
            part = turn[len(stops) % len(turn)]
            stops.append(_stop(trial, part))
            (trial.site.start_web if part.startswith("web") else trial.site.start_worker)(int(part[-1]))
        load.finish(within=60)
        rows = trial.judge(load, slowest_s=float(options.extra.get("slowest_s", 40)), drains=True)
        _judge(trial, load_errors=[f"{h.kind}: {h.result} {h.says}" for h in load.notes.server_errors()], stops=stops)
        heard = load.notes.results()
        lost = sum(counts.get(word, 0) for counts in heard.values() for word in ("refused", "broken", "silent"))
        trial.report.fault_if(lost, f"{lost} requests got no answer at all")
        again = sum(row["attempt"] > 1 for row in rows)
        trial.report.facts |= {"taken up again unseen": again, "passed to another door": load.notes.moved}
        trial.note_logs()
        return trial.report


def _stop(trial: Trial, name: str) -> dict[str, float | str]:
    """SIGTERM, and how long it took to go."""
    began = time.monotonic()
    status = trial.site.parts[name].end(within=60)
    took = round(time.monotonic() - began, 2)
    starting = status == -signal.SIGTERM and name.endswith("2")  # who has just joined may not have come up yet
    trial.report.fault_if(status and not starting, f"{name} ended with status {status} when told to stop")
    return {"part": name.rstrip("0123456789"), "took": took}


def _judge(trial: Trial, *, load_errors: list[str], stops: list[dict[str, float | str]]) -> None:
    report = trial.report
    report.facts["stops"] = len(stops)
    for kind in ("web", "worker"):
        took = [float(stop["took"]) for stop in stops if stop["part"] == kind]
        if took:
            report.facts[f"stop of a {kind} s, longest"] = max(took)
    report.fault_if(load_errors, f"{len(load_errors)} answers of 500 and more, first: {load_errors[:3]}")
    cut = report.facts["states"].get("interrupted", 0)
    report.fault_if(cut, f"{cut} answers were interrupted although the time to drain was long enough")
