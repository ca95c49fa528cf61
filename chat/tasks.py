"""The bell's other end, in the worker: starts and stops the engine with the process, and makes it look when somebody rings.

A task hands the bell over and returns; nothing here waits, and no argument of a message is believed.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from chat import engine, recovery

_reaper: list[recovery.Recovery] = []
_draining: list[threading.Thread] = []


@shared_task(name="chat.generate", ignore_result=True)
def generate(*_: Any, **__: Any) -> None:
    """Somebody has asked something: look now."""
    engine.bell()


@worker_init.connect
def start(**_: Any) -> None:
    """The engine lives with the worker process, whether or not a broker is there."""
    engine.start()
    if not _reaper:
        _reaper.append(recovery.start())


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    """A graceful stop: nothing new, running answers are finished or given back. Begins with the signal itself, in a thread:
    Celery's own loop looks at its flag only seconds later.
    """
    if not _draining:
        _draining.append(threading.Thread(target=engine.stop, name="drain"))
        _draining[0].start()


@worker_shutdown.connect
def stop(**_: Any) -> None:
    """The process ends when the engine has drained."""
    drain()
    while _draining:
        _draining.pop().join()
    while _reaper:
        _reaper.pop().stop()
