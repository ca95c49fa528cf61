"""The supervisor of bin/run with small programs as its parts: restarts, the drain, and its own sudden end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parent.parent / "bin"
LATE_S = 10.0

# argv: folder, drain in seconds, "kernel" or "guard" (how parts learn of the supervisor's death), then name=program …
SUPERVISOR = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import os, supervise
folder, drain, way, *parts = sys.argv[2:]
if way == "guard":
    supervise.LIBC = None
listed = []
for part in parts:
    name, program = part.split("=", 1)
    listed.append(supervise.Part(name, [sys.executable, "-c", program], os.environ, last=name == "last"))
supervise.Supervisor(listed, drain_s=float(drain), say=lambda text: print(text, flush=True), folder=Path(folder)).run(
    ready=lambda: True)
"""
# Each program notes its process id when it is ready; "{0}" becomes the part's name.
READY = "import os, signal, sys, time\n{1}\nopen('{0}', 'a').write(f'{{os.getpid()}}\\n')\nwhile 1: time.sleep(60)"
ASKED = "open('{0}.asked', 'a').write('x')"
OBEDIENT = "pass"
STUBBORN = f"signal.signal(signal.SIGTERM, lambda *_: {ASKED})"
SLOW = f"""def end(*_):
    {ASKED}; time.sleep(0.7); open('order', 'a').write('{{0}} '); sys.exit(0)
signal.signal(signal.SIGTERM, end)"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a supervisor; whatever is left of it at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(drain: float = 5, way: str = "kernel", **parts: str) -> subprocess.Popen[str]:
        named = [f"{name}={READY.format(name, program.format(name))}" for name, program in parts.items()]
        command = [sys.executable, "-c", SUPERVISOR, str(BIN), str(tmp_path), str(drain), way, *named]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        soon(lambda: all(pids(tmp_path, name=name) for name in parts))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    for file in tmp_path.iterdir():
        for pid in pids(tmp_path, name=file.name) if file.suffix == "" and file.name != "order" else []:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def pids(folder: Path, *, name: str) -> list[int]:
    file = folder / name
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def alive(pid: int) -> bool:
    """Whether it runs; one that is dead but not yet collected does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return shown != "" and not shown.startswith("Z")


def soon(condition: Callable[[], bool], *, seconds: float = LATE_S) -> float:
    """Waits for the condition; the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - began


def test_a_part_that_dies_comes_back_after_a_second_and_the_other_goes_on(start: Start, tmp_path: Path) -> None:
    start(web=OBEDIENT, worker=OBEDIENT)
    [web], [worker] = pids(tmp_path, name="web"), pids(tmp_path, name="worker")
    os.kill(worker, signal.SIGKILL)
    assert 0.9 <= soon(lambda: len(pids(tmp_path, name="worker")) == 2) < 3
    assert pids(tmp_path, name="web") == [web]
    assert alive(web)


def test_an_open_door_is_handed_to_each_life_of_a_part(tmp_path: Path) -> None:
    program = f"""
import os, socket, sys, time
sys.path.insert(0, {str(BIN)!r})
import supervise
from pathlib import Path
door = socket.create_server(("127.0.0.1", 0))
serve = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); c, _ = s.accept(); c.sendall(b'here'); sys.exit()"
part = supervise.Part("web", [sys.executable, "-c", serve, str(door.fileno())], os.environ, inherits=(door.fileno(),))
print(door.getsockname()[1], flush=True)
supervise.Supervisor([part], drain_s=1, say=lambda text: None, folder=Path({str(tmp_path)!r})).run(ready=lambda: True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        port = int(supervisor.stdout.readline())
        try:
            for _life in range(2):  # it ends after each visitor; the second one waits at the open door
                with socket.create_connection(("127.0.0.1", port), timeout=LATE_S) as visitor:
                    assert visitor.recv(10) == b"here"
        finally:
            supervisor.terminate()


def test_a_stop_reaches_each_part_once_waits_and_ends_the_last_one_last(start: Start, tmp_path: Path) -> None:
    supervisor = start(last=SLOW, web=SLOW)
    os.killpg(supervisor.pid, signal.SIGINT)
    soon(lambda: (tmp_path / "web.asked").exists())
    os.killpg(supervisor.pid, signal.SIGINT)  # an impatient second Ctrl-C
    assert supervisor.wait(timeout=LATE_S) == 0
    assert (tmp_path / "order").read_text() == "web last "
    assert (tmp_path / "web.asked").read_text() == "x"


def test_a_part_that_does_not_end_is_killed_only_after_the_drain(start: Start, tmp_path: Path) -> None:
    supervisor = start(drain=1, web=STUBBORN)
    began = time.monotonic()
    supervisor.terminate()
    assert supervisor.wait(timeout=LATE_S) == 0
    assert 1.0 <= time.monotonic() - began < 4
    assert (tmp_path / "web.asked").read_text() == "x"
    assert not alive(pids(tmp_path, name="web")[0])


@pytest.mark.parametrize("way", ["kernel", "guard"] if sys.platform == "linux" else ["guard"])
def test_a_killed_supervisor_leaves_no_part_behind(start: Start, tmp_path: Path, way: str) -> None:
    supervisor = start(way=way, web=STUBBORN, worker=STUBBORN)
    running = pids(tmp_path, name="web") + pids(tmp_path, name="worker")
    supervisor.kill()
    soon(lambda: not any(map(alive, running)), seconds=3)


def test_a_part_started_again_is_ended_too(start: Start, tmp_path: Path) -> None:
    supervisor = start(way="guard", web=STUBBORN)
    os.kill(pids(tmp_path, name="web")[0], signal.SIGKILL)
    soon(lambda: len(pids(tmp_path, name="web")) == 2)
    time.sleep(0.2)
    supervisor.kill()
    soon(lambda: not any(map(alive, pids(tmp_path, name="web"))), seconds=3)
