"""The disk is full under SQLite: the data folder lies in a file system of a few megabytes, and a stranger's file takes the rest.

What is proved: a send is either stored whole or answered 503 with what is kept, answers under way wait for room, the database is
sound afterwards (`PRAGMA integrity_check`), and all goes on by itself when room returns.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.trial_browser import Heard
from bench.trial_ground import Options, Report, Trial, standing
from bench.trial_load import Load

MEGABYTE = 1 << 20


def why_not() -> str:
    """Why no small file system can be made here; empty if one can."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return "only root can mount a small file system"
    folder = Path("/tmp") / f"trial-mount-{os.getpid()}"
    try:
        with small_disk(folder, megabytes=1):
            return ""
    except OSError as error:
        return str(error)


@contextlib.contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """A tmpfs of this size at `folder`, gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "trial", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        folder.rmdir()
        raise OSError(errno.EPERM, f"mount was refused: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """A file that takes all the room there is; its path."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return ballast


def run(options: Options) -> Report:
    """`extra`: full (seconds without room), megabytes (of the disk)."""
    full, megabytes = float(options.extra.get("full", 30)), int(options.extra.get("megabytes", 48))
    if reason := why_not():
        return Report("disk full", faults=[f"not possible here: {reason}"])
    disk = options.folder / "disk"
    with (
        small_disk(disk, megabytes=megabytes),
        standing(
            f"the disk is full for {full:.0f} s", options, webs=2, workers=2, more={"DATA_DIR": str(disk)}
        ) as trial,
    ):
        load = trial.load()
        few = max(2, options.size // 4)
        long = trial.load(people=few, name="long", tokens=int((full * 1.2 + 2) * 10), gap_ms=100, stops=0, think_s=0.1)
        load.work(options.seconds / 3)
        ballast = fill(disk)
        began = time.monotonic()
        load.work(full)
        left = shutil.disk_usage(disk).free
        ballast.unlink()
        back = time.monotonic()
        load.work(options.seconds / 3)
        for each in (load, long):
            each.finish(within=full + 90)
        trial.judge(load, long, slowest_s=full * 2 + 40)
        _judge(trial, load, began=began, back=back)
        trial.report.facts["bytes free while full"] = left
        trial.report.faults += soundness(disk / "portal.sqlite3")
        trial.note_logs()
        return trial.report


def soundness(file: Path) -> list[str]:
    """What SQLite finds wrong with the file."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check")]
            said += [str(row) for row in database.execute("PRAGMA foreign_key_check")]
    except sqlite3.DatabaseError as error:
        said = [str(error)]
    return [] if said == ["ok"] else [f"the database is not sound: {line}" for line in said[:5]]


def _judge(trial: Trial, load: Load, *, began: float, back: float) -> None:
    report = trial.report
    during = load.notes.results(since=began + 1, until=back)
    report.facts["while full"] = during
    refused = [h for h in load.notes.heard if h.kind == "send" and h.result == "503" and began < h.at < back]
    report.facts["slowest refusal s"] = round(max((h.seconds for h in refused), default=0.0), 2)
    report.fault_if(not refused, "no send was refused: the disk was not full")
    report.fault_if(*_unclear(refused))
    first = [h for h in load.notes.heard if h.kind == "send" and h.result == "202" and h.at > back]
    took = min((h.at + h.seconds for h in first), default=float("inf")) - back
    report.facts["first send again after s"] = round(took, 2)
    report.fault_if(took > 10, f"sends worked again only {took:.1f} s after room returned")
    states = report.facts["states"]
    report.fault_if(states.get("failed"), f"{states.get('failed')} answers failed")


def _unclear(refused: list[Heard]) -> tuple[bool, str]:
    unclear = [h.says for h in refused if "database_away" not in h.says]
    return bool(unclear), f"{len(unclear)} refusals did not say why: {unclear[:1]}"
