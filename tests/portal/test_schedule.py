"""Periodic work runs once a period, whoever fires it, and settles what was left open."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest

from accounts import clock
from portal import schedule, tasks
from portal.celery import PERIODS, app
from portal.models import PeriodicJob
from usage import quotas, recovery
from usage.models import Invocation, Reservation

pytestmark = pytest.mark.django_db


def test_a_job_runs_once_a_period_however_often_it_is_fired() -> None:
    ran: list[int] = []
    assert [schedule.run_if_due("portal.sweep", work=lambda: ran.append(1)) for _ in range(3)] == [True, False, False]
    PeriodicJob.objects.update(last_run_at=clock.now() - dt.timedelta(seconds=PERIODS["portal.sweep"]))
    assert schedule.run_if_due("portal.sweep", work=lambda: ran.append(1))
    assert ran == [1, 1]


def test_every_period_names_a_task_that_celery_knows() -> None:
    app.loader.import_default_modules()
    assert set(PERIODS) <= set(app.tasks)
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == set(PERIODS)


def _hold(**more: Any) -> quotas.Hold:
    hold = quotas.Hold(uuid.uuid4(), "title", uuid.uuid4(), None, None, None, input=60, output=40, estimate=7, **more)
    now = clock.now() - dt.timedelta(minutes=10)
    quotas.reserve(hold, under=quotas.look(person=hold.person, key=None, model=None, now=now), now=now)
    return hold


def test_a_hold_whose_owner_died_is_settled_once_and_counted() -> None:
    over, alive = _hold(lease_s=60), _hold(lease_s=3600)
    now = clock.now()
    assert [recovery.settle_expired(now=now), recovery.settle_expired(now=now)] == [1, 0]
    assert Reservation.objects.get(request_id=over.request_id).state == "settled"
    assert Reservation.objects.get(request_id=alive.request_id).state == "held"
    call = Invocation.objects.get()
    assert (call.request_id, call.outcome, call.input_tokens, call.estimated) == (
        over.request_id,
        "interrupted",
        7,
        True,
    )


def test_a_leaked_hold_raises_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    tasks.check_holds()
    assert "holds have no running answer" not in caplog.text
    _hold()
    PeriodicJob.objects.all().delete()
    tasks.check_holds()
    assert "1 holds have no running answer" in caplog.text


def test_a_run_noted_by_a_clock_that_was_put_back_does_not_hold_the_job_up() -> None:
    PeriodicJob.objects.create(name="portal.sweep", last_run_at=clock.now() + dt.timedelta(days=365))
    assert [schedule.run_if_due("portal.sweep", work=lambda: 0) for _ in range(2)] == [True, False]
