"""Keeps the parts of the product running and ends them together.

A part that dies is started again after a second while the others go on. Ctrl-C, SIGTERM and SIGHUP reach each part
once; who is still there after the drain is killed. If the supervisor itself is killed, its parts end with it. Standard
library only; knows nothing of the product, keeps no logs and makes no decisions about ports or settings.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AGAIN_S = 1.0
"""How long a dead part stays dead, in seconds."""
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1
LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Part:
    """One process in a session of its own. `last`: ended only when the others are gone, because they still need it.

    `inherits`: open file descriptors that it gets, each time it is started, under the same numbers.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    last: bool = False
    inherits: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    due: float = field(default=0.0, init=False)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """`run()` returns after a signal, when no part is left. `drain_s`: seconds between asking to end and killing."""

    def __init__(self, parts: list[Part], *, drain_s: float, say: Callable[[str], None], folder: Path) -> None:
        self.parts = parts
        self.drain_s = drain_s
        self.say = say
        self.folder = folder
        self.stopping = False
        self.wake, self.poke = os.pipe()
        self.guard: int | None = None

    def run(self, *, ready: Callable[[], bool]) -> None:
        """Runs until a signal. `ready` is asked after each look until it says True; it must answer quickly."""
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, self.heard)
        os.set_blocking(self.poke, False)
        if LIBC is None:
            self.guard = guard()
        is_ready = False
        try:
            while not self.stopping:
                self.look()
                is_ready = is_ready or ready()
                self.sleep(1.0 if is_ready else 0.05)
        finally:
            self.stop()

    def heard(self, number: int, _frame: object) -> None:
        if number in STOPPING:
            if self.stopping:
                return  # a second Ctrl-C changes nothing: the parts were asked once and have their time
            self.stopping = True
        with contextlib.suppress(BlockingIOError):
            os.write(self.poke, b"!")

    def sleep(self, seconds: float) -> None:
        soonest = min((part.due - time.monotonic() for part in self.parts if not part.alive), default=seconds)
        readable, _, _ = select.select([self.wake], [], [], max(0.0, min(seconds, soonest)))
        if readable:
            os.read(self.wake, 4096)

    def look(self) -> None:
        """Starts what is due and says what died."""
        now = time.monotonic()
        for part in self.parts:
            if part.process is not None and not part.alive:
                self.say(f"{part.name} ended ({ending(part.process.returncode)}): starting it again in {AGAIN_S:.0f} s")
                finish(part.process.pid)
                part.process, part.due = None, now + AGAIN_S
            if part.process is None and part.due <= now and not self.stopping:
                self.start(part)

    def start(self, part: Part) -> None:
        try:
            part.process = subprocess.Popen(
                part.command,
                env=dict(part.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=part.inherits,
                preexec_fn=die_with(os.getpid()) if LIBC is not None else None,
            )
        except OSError as error:
            self.say(f"{part.name} can't be started ({error}): trying again in {AGAIN_S:.0f} s")
            part.due = time.monotonic() + AGAIN_S
            return
        self.tell_guard()

    def stop(self) -> None:
        """Asks each part once, waits, and kills what is left; the `last` ones are asked when the others are gone."""
        self.stopping = True
        deadline = time.monotonic() + self.drain_s
        for late in (False, True):
            group = [part for part in self.parts if part.last is late]
            for part in group:
                if part.process is not None and part.alive:
                    send(part.process.pid, number=signal.SIGTERM)
            while any(part.alive for part in group) and time.monotonic() < deadline:
                self.wait(deadline - time.monotonic())
            # The last ones get a moment even when the others took all of the time.
            deadline = max(deadline, time.monotonic() + 2.0)
        for part in self.parts:
            if part.process is not None:
                if part.alive:
                    self.say(f"{part.name} is still there after {self.drain_s:.0f} s: killed")
                finish(part.process.pid)
                part.process.wait()
        self.tell_guard()

    def wait(self, seconds: float) -> None:
        readable, _, _ = select.select([self.wake], [], [], max(0.0, min(seconds, 0.5)))
        if readable:
            os.read(self.wake, 4096)

    def tell_guard(self) -> None:
        if self.guard is not None:
            living = " ".join(str(part.process.pid) for part in self.parts if part.process is not None and part.alive)
            os.write(self.guard, f"{living}\n".encode())


def ending(code: int) -> str:
    """A return code in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def send(group: int, *, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def finish(group: int) -> None:
    """Ends whatever a dead part left in its process group."""
    send(group, number=signal.SIGKILL)


def die_with(parent: int) -> Callable[[], None]:
    """Linux: the kernel kills the part when the supervisor's process ends in whatever way."""

    def arrange() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return arrange


def guard() -> int:
    """Elsewhere: a process that reads the parts' ids from a pipe and kills them when the pipe's other end is gone.

    Returns the end to write to: one line of process groups replaces the one before.
    """
    reading, writing = os.pipe()
    if os.fork():
        os.close(reading)
        return writing
    os.setsid()
    os.close(writing)
    for number in (*STOPPING, signal.SIGCHLD):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    with os.fdopen(reading) as lines:
        for line in lines:
            groups = [int(word) for word in line.split()]
    for group in groups:
        finish(group)
    os._exit(0)
