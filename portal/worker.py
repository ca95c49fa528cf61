"""`python -m portal.worker`: what `celery -A portal worker` starts, without Celery's command line.

Loading that takes nearly as long as everything else together, and a worker that died should be back soon. It takes no
options: places and times are settings.
"""

from __future__ import annotations

import sys

from celery.apps.worker import Worker

from portal.celery import app

THREADS = 8
"""Threads for bells and jobs; answers run on the engine's loop, however many there are."""


def main() -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status."""
    worker = Worker(
        app=app,
        pool="threads",
        concurrency=THREADS,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
