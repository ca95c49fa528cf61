"""The trials of bench/trials.py at a size for every commit: restarts, clocks, a full disk, a database away, poison, a leak looked for."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import trial_away, trial_clock, trial_disk, trial_poison, trial_rolling, trial_soak
from bench.trial_browser import BROKEN, Heard, Notes
from bench.trial_ground import Options, Report
from tests.chaos.scene import QUICK
from tests.chaos.servers import missing

pytestmark = pytest.mark.chaos
SHORT = {"tokens": 30, "gap_ms": 20, "ttft_ms": 100, "think_s": 0.1, "hold_s": 5}


def options(folder: Path, *, seconds: float, size: int = 4, setting: str = "sqlite", **extra: Any) -> Options:
    """A trial on quick leases; its working folder ends with the test."""
    return Options(
        folder,
        size=size,
        seconds=seconds,
        setting=setting,
        more=QUICK,
        extra={"habits": SHORT, "slowest_s": 30, **extra},
    )


def test_processes_that_are_replaced_one_by_one_behind_one_port_turn_nobody_away(tmp_path: Path) -> None:
    report = trial_rolling.run(options(tmp_path, seconds=6, every=1, stops=4))
    assert report.faults == []
    assert report.facts["states"]["done"] >= 4


def test_a_clock_that_jumps_an_hour_ends_nothing(tmp_path: Path) -> None:
    if not trial_clock.library():
        pytest.skip("libfaketime is not installed (Debian: apt-get install libfaketime)")
    report = trial_clock.run(options(tmp_path, seconds=9, webs=1, workers=1))
    assert report.faults == []
    assert any("clock was set" in line for line in report.facts["log"]), report.facts["log"]


def test_a_full_disk_is_said_and_all_goes_on_when_there_is_room(tmp_path: Path) -> None:
    if reason := trial_disk.why_not():
        pytest.skip(f"no small file system can be made here: {reason}")
    report = trial_disk.run(options(tmp_path, seconds=3, full=4, webs=1, workers=1))
    # In so short a time a few sends may find room in the log of SQLite that is there already: at full size none does for long.
    assert [fault for fault in report.faults if "the disk was not full" not in fault] == []


@pytest.mark.parametrize("how", trial_away.HOW)
def test_a_database_that_is_away_is_said_and_all_goes_on_when_it_is_back(tmp_path: Path, how: str) -> None:
    if missing("postgres"):
        pytest.skip("PostgreSQL's programs are not installed here")
    asked = options(tmp_path, seconds=3, how=how, away=6, webs=1, workers=1)
    report = trial_away.run(replace(asked, more=QUICK | {"WEB_PATIENCE_S": "3"}))
    assert report.faults == []


@pytest.mark.parametrize("at", trial_poison.AT)
def test_a_question_that_kills_its_worker_has_two_attempts_and_harms_nobody(tmp_path: Path, at: str) -> None:
    report = trial_poison.run(options(tmp_path, seconds=4, workers=1, ttft_ms=1500, at=at))
    assert report.faults == []


# --- the checkers are shown planted faults -----------------------------------------------------------------------------


def sampled(*values: float, name: str = "web0 PSS MB") -> trial_soak.Sampler:
    sampler = trial_soak.Sampler(SimpleNamespace())  # type: ignore[arg-type]  # it asks nothing of its ground
    sampler.samples = [(float(number), {name: value}) for number, value in enumerate(values)]
    return sampler


def soaked(sampler: trial_soak.Sampler, *, before: dict[str, int], after: dict[str, int]) -> list[str]:
    trial: Any = SimpleNamespace(report=Report("soak"), options=SimpleNamespace(size=4))
    trial_soak.judge(trial, sampler, before=before, after=after, answered=10)
    faults: list[str] = trial.report.faults
    return faults


def test_growth_is_found_in_memory_and_tables_and_work_done_is_none() -> None:
    flat = sampled(*[100.0] * 30)
    assert soaked(flat, before={"chat_message": 10, "chat_delta": 5}, after={"chat_message": 30, "chat_delta": 9}) == []
    (memory,) = soaked(sampled(*range(100, 130)), before={}, after={})
    assert memory.startswith("web0 PSS MB grew")
    (table,) = soaked(flat, before={"django_session": 4}, after={"django_session": 400})
    assert table == "table django_session grew from 4 to 400 rows"
    live = soaked(flat, before={"chat_delta": 4}, after={"chat_delta": 4000})
    assert live and all("chat_delta" in fault for fault in live)


def test_a_file_that_is_not_sound_is_found(tmp_path: Path) -> None:
    file = tmp_path / "broken.sqlite3"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE words (word TEXT)")
        database.executemany("INSERT INTO words VALUES (?)", [(f"word {n}" * 50,) for n in range(200)])
    assert trial_disk.soundness(file) == []
    raw = bytearray(file.read_bytes())
    raw[8192:8300] = b"\xff" * 108
    file.write_bytes(raw)
    assert trial_disk.soundness(file)


def test_an_error_of_the_server_is_a_fault_whoever_heard_it() -> None:
    notes = Notes()
    for result in ("200", "503", "500", BROKEN):
        notes.add(Heard("page", time.monotonic(), 0.1, result))
    assert [heard.result for heard in notes.with_status(500, 502, 504)] == ["500"]
    assert len(notes.server_errors()) == 2
