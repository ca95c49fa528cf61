"""The embedded bell: files in one folder as a Celery broker, safe for several processes of one machine.

kombu's own filesystem transport writes a message in place, so that a reader may see half of it. Here a message appears at once, complete
(`os.replace`), and one that can't be read is dropped: a lost bell costs at most one look of the engine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import uuid
from functools import cached_property
from pathlib import Path
from queue import Empty
from time import monotonic, sleep, time_ns
from typing import Any

from django.conf import settings
from kombu import transport
from kombu.transport import virtual
from kombu.utils.json import dumps, loads

# A file system's clock is coarse: a change may leave no trace in the folder's time. So long is an unchanged time believed (seconds).
TRUST_S = 0.2

# With an ear the folder is looked at in any case so often (seconds), without one (a file system without pipes) so often.
EAR_S, DEAF_S = 0.1, 0.02
EAR = ".ear."

# Celery waits 2 s at a time, and looks at its flag only then.
LOOK_UP_S = 0.2


class Ear:
    """A pipe in the broker's folder that wakes one process: whoever puts a message pokes all ears."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{EAR}{uuid.uuid4().hex}"
        self._fd = -1
        with contextlib.suppress(OSError, AttributeError):
            os.mkfifo(self._path, 0o600)
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)

    def wait(self) -> None:
        """Returns when poked, or when it is time to look anyway."""
        if self._fd < 0:
            sleep(DEAF_S)
        elif select.select([self._fd], [], [], EAR_S)[0]:
            with contextlib.suppress(OSError):
                os.read(self._fd, 4096)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._path.unlink(missing_ok=True)


def poke(folder: Path) -> None:
    """Wakes every process that listens; the ear of one that died is taken away."""
    with os.scandir(folder) as entries:
        ears = [e.path for e in entries if e.name.startswith(EAR)]
    for ear in ears:
        try:
            fd = os.open(ear, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody has it open
                with contextlib.suppress(OSError):
                    os.unlink(ear)  # noqa: PTH108  # a path as scandir gave it
            continue
        with contextlib.suppress(OSError):  # full: it has been poked often enough
            os.write(fd, b".")
        os.close(fd)


class Channel(virtual.Channel):
    """Messages are files `<time>_<id>.<queue>.msg` in one folder; taking one is renaming it away."""

    @cached_property
    def folder(self) -> Path:
        path = Path(settings.BROKER_DIR)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def _put(self, queue: str, message: Any, **_: Any) -> None:
        name = f"{time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        draft = self.folder / f".{name}"
        draft.write_text(dumps(message))
        draft.replace(self.folder / name)
        poke(self.folder)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        for name in self._names(queue):
            taken = self.folder / f".{name}.{uuid.uuid4().hex}"
            try:
                (self.folder / name).rename(taken)  # only one process succeeds
                content = taken.read_bytes()
            except OSError:
                continue
            with contextlib.suppress(OSError):
                taken.unlink()
            try:
                payload = loads(content.decode())
            except ValueError:
                continue
            if isinstance(payload, dict) and "body" in payload and isinstance(payload.get("properties"), dict):
                return payload
        raise Empty

    def _names(self, queue: str) -> list[str]:
        """The waiting messages of a queue, oldest first."""
        with os.scandir(self.folder) as entries:
            return sorted(e.name for e in entries if e.name.partition(".")[2] == f"{queue}.msg")

    def _purge(self, queue: str) -> int:
        gone = 0
        for name in self._names(queue):
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()
                gone += 1
        return gone

    def _size(self, queue: str) -> int:
        return len(self._names(queue))


class Transport(virtual.Transport):
    """`embedded://`: for one machine, without any server."""

    Channel = Channel
    driver_type = "embedded"
    driver_name = "embedded"
    polling_interval = DEAF_S
    default_port = None
    implements = virtual.Transport.implements.extend(asynchronous=False, exchange_type=frozenset(["direct"]))
    global_state = virtual.BrokerState()
    _looked: tuple[int, float] = (0, 0.0)  # the folder's time at the last look, and when that was
    _ear: Ear | None = None

    def drain_events(self, connection: Any, timeout: float | None = None, **more: Any) -> None:
        """Waits for a bell, at most `timeout` seconds; between two waits the worker sees that it is told to stop."""
        limit = LOOK_UP_S if timeout is None else min(timeout, LOOK_UP_S)
        now = monotonic()
        until, looked = now + limit, self._looked
        # kombu asks every channel each time; while the folder's time stands still there is nothing to ask for.
        while self._folder_time() == looked[0] and now - looked[1] < TRUST_S and now < until:
            self._listen().wait()
            now = monotonic()
        if now >= until:
            raise TimeoutError
        self._looked = (self._folder_time(), now)
        super().drain_events(connection, timeout=0.001, **more)
        self._looked = (0, 0.0)  # something came, and more may wait

    def close_connection(self, connection: Any) -> None:
        """Also closes the ear."""
        super().close_connection(connection)
        if self._ear is not None:
            self._ear.close()
            self._ear = None

    def _listen(self) -> Ear:
        if self._ear is None:
            folder = Path(settings.BROKER_DIR)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._ear = Ear(folder)
        return self._ear

    def _folder_time(self) -> int:
        try:
            return os.stat(settings.BROKER_DIR).st_mtime_ns  # noqa: PTH116  # fifty times a second
        except OSError:
            return 0


def register() -> None:
    """Makes `embedded://` known to kombu. A repeat changes nothing."""
    transport.TRANSPORT_ALIASES.setdefault("embedded", "portal.broker:Transport")
