"""What a web process carries beside its pages: the watcher of live answers and a reaper. Started and stopped by portal.asgi."""

from __future__ import annotations

from chat import poll, recovery
from chat.watch import watcher

_reaper: list[recovery.Recovery] = []


def start() -> None:
    """On the web process's event loop, once."""
    poll.stopping = False
    watcher.start()
    _reaper.append(recovery.start())


def draining() -> None:
    """The process is about to stop: every held poll is answered now, so that readers go on elsewhere."""
    poll.stopping = True
    watcher.wake_all()


def stop() -> None:
    """After the last request."""
    watcher.stop()
    while _reaper:
        _reaper.pop().stop()
