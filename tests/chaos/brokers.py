"""What can happen to a broker: emptied, rung too often. Knows the three kinds; touches one queue only."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from kombu import Connection, Queue

from tests.processes import Part, Site

RINGER = """
import time, django
django.setup()
from celery import current_app
while True:
    for _ in range(5):
        current_app.send_task("chat.generate", retry=False)
    time.sleep(0.1)
"""


def empty(site: Site) -> None:
    """Whatever waits at the site's broker is gone: files deleted, key deleted, queue purged."""
    url = site.environment.get("CELERY_BROKER_URL", "embedded://")
    if url.startswith("embedded"):
        for path in (Path(site.environment["DATA_DIR"]) / "broker").glob("*"):
            with contextlib.suppress(OSError):
                path.unlink()
        return
    with Connection(url, connect_timeout=5) as connection:
        queue = Queue(site.environment["CELERY_QUEUE"], channel=connection.channel())
        with contextlib.suppress(*connection.channel_errors):  # nobody has rung yet: no queue
            queue.purge()


def ringer(site: Site) -> Part:
    """A process that rings five times, ten times a second, until it is ended: every bell is doubled many times over."""
    part = Part("ringer", [sys.executable, "-c", RINGER], site.environment, site.folder / "ringer.log")
    part.start()
    return part
