"""A question that kills every worker that takes it, while others work: at most two attempts, then it has failed and says so.

What is proved: nobody else's question fails for it, what others had on the screen is kept, and workers go on.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from bench.trial_ground import Options, Report, Trial, standing
from tests.processes import Part, Site

AT = ("plan", "stream")
WORD = "POISON"


class DeadlySite(Site):
    """Its workers die of the word; a thread starts them again after a second, as a supervisor does."""

    at = "plan"

    def start_worker(self, number: int = 0) -> Part:
        return self._start(f"worker{number}", ["-m", "bench.trial_poison_worker", self.at, WORD])

    def supervise(self, stop: threading.Event) -> list[float]:
        """Starts dead workers again until `stop`; the list grows by the moment of each death."""
        deaths: list[float] = []

        def look() -> None:
            while not stop.wait(0.1):
                for name in [
                    name for name, part in self.parts.items() if name.startswith("worker") and not part.running
                ]:
                    deaths.append(time.monotonic())
                    time.sleep(1)
                    self.start_worker(int(name.removeprefix("worker")))

        threading.Thread(target=look, name="supervisor", daemon=True).start()
        return deaths


def run(options: Options) -> Report:
    """`extra`: at (plan, stream), ttft_ms (how long others wait for a first word)."""
    at = str(options.extra.get("at", "plan"))
    kind = type("Deadly", (DeadlySite,), {"at": at})
    name = f"a question that kills its worker ({'while it is prepared' if at == 'plan' else 'at its first words'})"
    with standing(name, options, webs=1, workers=2, kind=kind) as trial:
        assert isinstance(trial.site, DeadlySite)
        stop = threading.Event()
        deaths = trial.site.supervise(stop)
        load = trial.load(stops=0)
        ttft = int(options.extra.get("ttft_ms", 4000))
        silent = trial.load(
            people=max(4, options.size // 3), name="silent", tokens=10, ttft_ms=ttft, stops=0, think_s=0.1
        )
        caller = trial.site.caller(trial.site.people(1)[0])
        load.work(options.seconds / 4)
        began = time.monotonic()
        end = caller.until_ended(caller.send(f"[[sim seed=poison n=5 ttft=300]] {WORD}"), within=120)
        trial.report.facts["poison over after s"] = round(time.monotonic() - began, 1)
        load.work(options.seconds / 4)
        for each in (load, silent):
            each.finish(within=90)
        stop.set()
        rows = trial.judge(load, silent, slowest_s=float(options.extra.get("slowest_s", 90)))
        _judge(trial, rows, end=end, deaths=len(deaths))
        return trial.report


def _judge(trial: Trial, rows: list[dict[str, Any]], *, end: dict[str, Any], deaths: int) -> None:
    report = trial.report
    (poison,) = [row for row in rows if WORD in row["question"]]
    others = [row for row in rows if WORD not in row["question"]]
    report.facts |= {
        "workers that died": deaths,
        "others taken up again": sum(row["attempt"] > 1 for row in others),
        "others, most attempts": max((row["attempt"] for row in others), default=0),
    }
    note = (end.get("note") or {}).get("text", "")
    kind = (poison["state"], poison["error_kind"], poison["attempt"])
    report.fault_if(kind != ("failed", "poisoned", 2), f"the poison ended as {kind}")
    report.fault_if("twice" not in note, f"the poison's note is {note!r}")
    report.fault_if(deaths != 2, f"{deaths} workers died of one question")
    failed = [row["error_kind"] for row in others if row["state"] == "failed"]
    report.fault_if(failed, f"{len(failed)} questions of others failed: {sorted(set(failed))}")
    mute = [row for row in others if row["state"] == "interrupted" and not row["text"]]
    report.fault_if(mute, f"{len(mute)} answers of others were cut off without a word")
    trial.note_logs()
