"""The database goes away for a while and comes back: stopped and started again, or frozen with its connections open.

What is proved: pages say 503 and what is kept, polls are answered and go on, answers that were being written reach their end with
the right text, nothing that was promised is lost, and no process needs a restart.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from bench.trial_browser import Browser, Notes
from bench.trial_ground import Options, Report, Trial, standing
from tests.chaos import servers

HOW = ("stopped", "frozen")


def children(pid: int) -> list[int]:
    """The processes that this one has started, from /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def freeze(server: servers.Server) -> list[int]:
    """Stops a server's first process and then all it has started (PostgreSQL's are groups of their own); returns their ids."""
    assert server.process is not None
    first = server.process.pid
    os.kill(first, signal.SIGSTOP)
    frozen = [first, *children(first)]
    for pid in frozen[1:]:
        os.kill(pid, signal.SIGSTOP)
    return frozen


def thaw(pids: list[int]) -> None:
    for pid in reversed(pids):
        os.kill(pid, signal.SIGCONT)


class Watch(threading.Thread):
    """Asks for a page twice a second, each time on a new connection, and notes how it was answered."""

    def __init__(self, port: int, *, cookies: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.notes = Notes()
        self.pages: list[tuple[float, int, str]] = []  # when (monotonic), status, text
        self._port, self._cookies = port, cookies
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.wait(0.5):
            browser = Browser([self._port], cookies=self._cookies, notes=self.notes)
            found = browser.ask("page", "GET", "/chat/", accept="text/html", patience=60)
            browser.close()
            if found is not None:
                self.pages.append((time.monotonic(), found[0], found[1].decode(errors="replace")))

    def stop(self) -> None:
        self._end.set()
        self.join(timeout=70)


def run(options: Options) -> Report:
    """`extra`: how (stopped, frozen), away (seconds)."""
    how, away = str(options.extra.get("how", "stopped")), float(options.extra.get("away", 30))
    if options.setting == "sqlite":
        options = Options(**{**vars(options), "setting": "postgres"})
    with standing(f"the database is {how} for {away:.0f} s", options, webs=2, workers=2) as trial:
        load = trial.load()
        few = max(2, options.size // 4)
        long = trial.load(people=few, name="long", tokens=int((away * 1.2 + 2) * 10), gap_ms=100, stops=0, think_s=0.1)
        silent = trial.load(people=few, name="silent", tokens=10, ttft_ms=int(away * 1000 * 0.7), stops=0, think_s=0.1)
        port = trial.site.parts["web0"].port
        watch = Watch(port, cookies=trial.site.sign_in(trial.site.people(1)[0]))
        watch.start()
        load.work(options.seconds / 3)
        gone = time.monotonic()
        _leave(trial, how=how, seconds=away)
        back = time.monotonic()
        load.work(options.seconds / 3)
        for each in (load, long, silent):
            each.finish(within=away + 90)
        watch.stop()
        trial.judge(load, long, silent, slowest_s=away * 2 + 40)
        _judge(trial, watch, gone=gone, back=back, how=how)
        trial.report.facts["first answer again after s"] = _again(load.notes, back)
        trial.note_logs()
        return trial.report


def _leave(trial: Trial, *, how: str, seconds: float) -> None:
    database = trial.database
    assert database is not None
    if how == "frozen":
        pids = freeze(database)
        time.sleep(seconds)
        thaw(pids)
        return
    database.stop(at_once=False)
    time.sleep(seconds)
    database.start()


def _again(notes: Notes, back: float) -> dict[str, float]:
    """By kind of request: how long after the return the first one was answered well."""
    found: dict[str, float] = {}
    for heard in sorted(notes.heard, key=lambda h: h.at + h.seconds):
        end = heard.at + heard.seconds
        if end >= back and heard.result in ("200", "202") and heard.kind not in found:
            found[heard.kind] = round(end - back, 2)
    return found


def _judge(trial: Trial, watch: Watch, *, gone: float, back: float, how: str) -> None:
    report = trial.report
    during = [page for page in watch.pages if gone + 1 < page[0] < back]
    heard = watch.notes.results(since=gone + 1, until=back)
    report.facts |= {"pages while away": heard.get("page", {}), "slowest page s": round(watch.notes.slowest("page"), 1)}
    wrong: list[Any] = [page[1:] for page in during if page[1] != http.client.SERVICE_UNAVAILABLE]
    report.fault_if(wrong, f"{len(wrong)} pages were not answered 503 while the database was away: {wrong[:1]}")
    report.fault_if(not during, "no page was answered while the database was away")
    unclear = [text for _at, status, text in during if status == 503 and "moment" not in text]
    report.fault_if(
        unclear, f"{len(unclear)} pages said 503 without a word of what to do: {[t[:200] for t in unclear[:1]]}"
    )
    late = [page for page in watch.pages if page[0] > back + 10 and page[1] != 200]
    report.fault_if(late, f"{len(late)} pages were not right 10 s after the return")
    states = report.facts["states"]
    report.fault_if(states.get("failed"), f"{states.get('failed')} answers failed")
