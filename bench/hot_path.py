"""`python bench/hot_path.py --pids FILE --out TEXT`: where a busy installation's time goes, as a text to read.

CPU of each thread from /proc, then, with py-spy on the PATH (`pip install py-spy`; it slows what it watches), which functions hold
the interpreter. `PROFILE=file bench/run.sh` runs it in the middle of a rung. Linux only; reads, changes nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

SPY = shutil.which("py-spy")
SITE = re.compile(r"^.*site-packages/|^.*/lib/python3\.\d+/")
FEW_MS = 1.0
TOP = 18


def names(pid: int) -> dict[int, str]:
    """Thread id -> name, as Python knows it."""
    if SPY is None:
        return {}
    told = subprocess.run([SPY, "dump", "--pid", str(pid)], capture_output=True, text=True, check=False).stdout
    return {int(found[1]): found[2] for found in re.finditer(r'^Thread (\d+) \([^)]*\): "([^"]*)"', told, re.MULTILINE)}


def cpu(pid: int) -> dict[int, float]:
    """Thread id -> milliseconds on a core so far."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e6
        except OSError:  # it has ended
            continue
    return found


def threads(pids: list[int], *, seconds: float) -> list[str]:
    """A line per thread: ms of CPU a second, most first."""
    known = {pid: names(pid) for pid in pids}
    before, began = {pid: cpu(pid) for pid in pids}, time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    rows = []
    for number, pid in enumerate(pids):
        for thread, spent in cpu(pid).items():
            each = (spent - before[pid].get(thread, 0.0)) / took
            if each >= FEW_MS:
                rows.append((each, f"{each:7.1f} ms/s  process {number + 1}  {known[pid].get(thread, '?')}"))
    total = f"{sum(each for each, _line in rows):7.1f} ms/s  all threads over {FEW_MS:g} ms/s"
    return [total, *(line for _each, line in sorted(rows, reverse=True))]


def functions(pid: int, *, seconds: float) -> list[str]:
    """Which functions hold the interpreter's lock, by kind of thread: share of the time, itself and with all that it calls."""
    if SPY is None:
        return ["py-spy is not there: no functions"]
    with tempfile.NamedTemporaryFile("r", suffix=".raw") as raw:
        watch = ["record", "--gil", "--threads", "--format", "raw", "--rate", "300", "--duration", str(int(seconds))]
        command = [SPY, *watch, "--output", raw.name, "--pid", str(pid)]
        subprocess.run(command, capture_output=True, check=False)
        stacks = [(stack, int(n)) for stack, _, n in (line.rpartition(" ") for line in raw.read().splitlines())]
    itself: dict[str, Counter[str]] = defaultdict(Counter)
    within: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for stack, count in stacks:
        first, *frames = stack.split(";")
        kind = re.sub(r"thread \(\d+\): |[-_]?\d+$", "", first)
        cut = [SITE.sub("", re.sub(r"\((/.*/)?([^/]+/[^/]+):\d+\)$", r"(\2)", frame)) for frame in frames]
        total[kind] += count
        itself[kind][cut[-1] if cut else "?"] += count
        for frame in set(cut):
            within[kind][frame] += count
    lines = []
    for kind, held in total.most_common(6):
        lines.append(f"{kind}: {held / (3 * seconds):.1f} % of the time")
        for title, counted in (("itself", itself[kind]), ("with what it calls", within[kind])):
            lines += [f"    {n / (3 * seconds):5.1f} %  {title}  {frame}" for frame, n in counted.most_common(TOP)]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pids", type=Path, required=True, help="a file with a process id a line: web, worker, others")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=6.0)
    given = parser.parse_args()
    pids = [int(line) for line in given.pids.read_text().split()]
    lines = ["# CPU of the threads", *threads(pids, seconds=given.seconds)]
    for number, pid in enumerate(pids[:2]):
        lines += ["", f"# Who holds the interpreter in process {number + 1}", *functions(pid, seconds=given.seconds)]
    given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
