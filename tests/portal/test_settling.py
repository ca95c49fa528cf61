"""A worker that is ready freezes what lives: the collector never looks at all of it again in the middle of an answer."""

from __future__ import annotations

import gc

from celery.signals import worker_ready

from portal import tasks


def test_a_worker_that_is_ready_leaves_the_collector_nothing_old() -> None:
    assert tasks.settle.__module__ == "portal.tasks"
    try:
        worker_ready.send(sender=None)
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects(generation=2)) < gc.get_freeze_count() / 10
    finally:
        gc.unfreeze()
