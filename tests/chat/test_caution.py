"""The reaper doubts what it sees after trouble, a standstill or a step of a clock; what a wrong clock wrote is put right."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from chat import caution
from chat.models import Generation, WorkerHeartbeat
from providers import breaker
from providers.models import Provider, ProviderState
from tests.chat.scene import Hands, State, queue

pytestmark = pytest.mark.django_db


def now() -> dt.datetime:
    return timezone.now()


@pytest.fixture
def calm(settings: LazySettings) -> caution.Caution:
    """One that has been running for a lease already."""
    settings.LEASE_S, settings.RENEW_S, settings.REAP_S = 0.2, 0.1, 0.05
    made = caution.Caution()
    time.sleep(0.21)
    assert made.calm(now())
    return made


def test_after_a_failed_query_a_whole_lease_passes_before_anything_is_ended(calm: caution.Caution) -> None:
    calm.trouble()
    assert not calm.calm(now())
    time.sleep(0.1)
    assert not calm.calm(now())
    time.sleep(0.11)
    assert calm.calm(now())


def test_the_wait_is_as_long_as_workers_need_to_renew_and_a_lease_at_most(settings: LazySettings) -> None:
    settings.LEASE_S, settings.RENEW_S, settings.LEASE_GRACE_S = 20, 5, 2
    assert caution.renewal_s() == 12
    settings.LEASE_S = 9
    assert caution.renewal_s() == 9


def test_while_nothing_can_be_written_the_doubt_stays(calm: caution.Caution, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_now: dt.datetime) -> None:
        raise OperationalError("database or disk is full")

    calm.trouble()
    with monkeypatch.context() as patch:
        patch.setattr(caution, "can_write", full)
        for _round in range(3):
            with pytest.raises(OperationalError):
                calm.calm(now())
            time.sleep(0.1)
    assert not calm.calm(now())  # from here on the lease counts
    assert WorkerHeartbeat.objects.count() == 0


def test_after_a_standstill_leases_get_their_time(calm: caution.Caution) -> None:
    time.sleep(0.3)
    assert not calm.calm(now())
    for _round in range(3):
        time.sleep(0.08)
        still = calm.calm(now())
    assert still


def test_a_small_step_of_the_clock_is_no_reason_and_a_large_one_is_in_either_direction(calm: caution.Caution) -> None:
    assert calm.calm(now() + dt.timedelta(seconds=1.5))
    assert not calm.calm(now() + dt.timedelta(hours=1))
    time.sleep(0.1)
    calm.calm(now() + dt.timedelta(hours=1))
    time.sleep(0.12)
    assert calm.calm(now() + dt.timedelta(hours=1))
    assert not calm.calm(now())


def test_a_step_forward_gives_active_answers_their_whole_time_once(
    ada: User, calm: caution.Caution, settings: LazySettings
) -> None:
    (waiting, running) = queue(ada, 2)
    Hands().take()
    ended = queue(ada, 1)[0]
    Generation.objects.filter(pk=ended.pk).update(state=State.FAILED, finished_at=now())
    hour = now() + dt.timedelta(hours=1)
    assert not calm.calm(hour)
    due = dict(Generation.objects.values_list("pk", "deadline_at"))
    whole = hour + dt.timedelta(seconds=settings.DEADLINE_S)
    assert (due[waiting.pk], due[running.pk]) == (whole, whole)
    assert due[ended.pk] < hour
    assert caution.spare(hour) == 0
    late = queue(ada, 1)[0]  # was on its way into the database, with the old time
    calm.calm(hour)
    late.refresh_from_db()
    assert late.deadline_at == whole


def test_what_a_clock_in_the_future_wrote_is_pulled_in(ada: User, settings: LazySettings) -> None:
    (held, later) = queue(ada, 2)
    Hands().take()
    year = dt.timedelta(days=365)
    Generation.objects.filter(pk=held.pk).update(lease_expires_at=now() + year, deadline_at=now() + year)
    Generation.objects.filter(pk=later.pk).update(next_attempt_at=now() + year)
    provider = Provider.objects.get()
    ProviderState.objects.create(provider=provider, circuit="open", retry_at=now() + year, opened_at=now() + year)
    moment = now()
    assert caution.pull_in(moment) == 3
    rows = {g.pk: g for g in Generation.objects.all()}
    assert rows[held.pk].lease_expires_at == moment + dt.timedelta(seconds=settings.LEASE_S)
    assert rows[held.pk].deadline_at == moment + dt.timedelta(seconds=settings.DEADLINE_S)
    assert rows[later.pk].next_attempt_at == moment + dt.timedelta(seconds=caution.LONGEST_WAIT_S)
    assert rows[later.pk].lease_expires_at is None
    assert ProviderState.objects.get().retry_at == moment + dt.timedelta(seconds=breaker.LONGEST_PAUSE_S)
    assert caution.pull_in(moment) == 0


def test_sane_moments_are_left_alone(ada: User) -> None:
    queue(ada, 2)
    Hands().take()
    before = list(Generation.objects.order_by("pk").values())
    assert caution.pull_in(now()) == 0
    assert list(Generation.objects.order_by("pk").values()) == before
