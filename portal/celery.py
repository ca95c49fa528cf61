"""The Celery application: settings of the bell. What a bell does stands in chat.tasks; the engine starts with the worker."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings

from portal import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
broker.register()

# How often each periodic job runs, in seconds; its task (portal.tasks) makes sure of it, whoever fires it.
PERIODS = {
    "portal.sweep": 600.0,
    "portal.send_mail": 60.0,
    "portal.alerts": 30.0,
    "portal.check_holds": 300.0,
    "portal.clear_sessions": 86_400.0,
    "portal.empty_bin": 900.0,
    "portal.privacy": 60.0,
    "portal.months": 600.0,
    "portal.verify_audit": 86_400.0,
    "portal.check_ledger": 86_400.0,
}

app = Celery("portal")
app.set_default()


def _transport_options(url: str) -> dict[str, object]:
    """Socket time limits for each kind of broker, so that neither a send nor a worker waits for a silent one."""
    if url.startswith("embedded"):
        return {"data_folder": str(settings.BROKER_DIR), "polling_interval": 0.02}
    if url.startswith(("redis", "rediss", "sentinel")):
        return {
            "visibility_timeout": 120,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 15,
        }
    return {"confirm_publish": True, "connect_timeout": 2, "read_timeout": 5, "write_timeout": 5}


app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_transport_options=_transport_options(settings.CELERY_BROKER_URL),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_pool_acquire_timeout=5,
    broker_connection_timeout=2,
    task_publish_retry=False,
    task_default_queue=settings.CELERY_QUEUE,
    task_ignore_result=True,
    task_acks_late=False,  # a lost bell costs at most one look; a late ack would only add a round trip
    worker_prefetch_multiplier=1,
    worker_pool="threads",  # bells and small jobs; answers run on the engine's own loop, one per worker process
    worker_concurrency=8,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    accept_content=["json"],
    task_serializer="json",
    beat_schedule={name: {"task": name, "schedule": seconds} for name, seconds in PERIODS.items()},
    enable_utc=True,
    timezone="UTC",
)
app.autodiscover_tasks(["chat", "portal"])
