"""The ledger's promises under any order of steps; and that the same steps show what is wrong with code that is wrong."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from accounts import clock
from accounts.prepared import execute, fetch
from chat import endings
from chat.models import Generation
from tests.usage import machine
from tests.usage.plain_ledger import CLOCK
from usage import counters, limits, periods, quotas
from usage.models import Invocation

pytestmark = pytest.mark.django_db
FULL = hypothesis_settings(
    max_examples=500 if connection.vendor == "sqlite" else 60,
    stateful_step_count=15,  # after the three questions that each run begins with
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
# Ends with the first fault that it finds, and goes the same way each time: whether a planted fault is found is no matter of luck.
QUICK = hypothesis_settings(
    FULL, max_examples=3000, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False
)


@pytest.fixture(autouse=True)
def hand_on_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", CLOCK.now)


def test_any_order_of_steps_keeps_the_ledger_exact(db: None) -> None:
    run_state_machine_as_test(machine.prepared(), settings=FULL)


def caught() -> None:
    with pytest.raises(Exception, match=r".") as found:
        run_state_machine_as_test(machine.prepared(), settings=QUICK)
    assert found.type.__name__ in {"AssertionError", "IntegrityError", "InternalError", "KeyError"}, found.value


def test_without_the_fence_it_is_caught(settings: LazySettings) -> None:
    settings.ENGINE_FENCE = False
    caught()


def test_settling_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hold's state is not compared: whoever comes later settles again."""
    monkeypatch.setattr(quotas, "_CLOSE", quotas._CLOSE.replace("state = 'held' AND", "state <> 'x' AND"))
    caught()


def test_counting_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    give = counters.give

    def twice(used: dict[Any, int], *, now: dt.datetime) -> None:
        give(used, now=now)
        give({line: amount for line, amount in used.items() if amount and line.unit == "output"}, now=now)

    monkeypatch.setattr(counters, "give", twice)
    caught()


def test_a_refund_where_the_provider_did_not_say_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    settle: Callable[..., set[uuid.UUID]] = quotas.settle

    def refunding(calls: Iterable[Invocation], *, now: dt.datetime, tally: Any = None) -> set[uuid.UUID]:
        every = list(calls)
        told = settle([call for call in every if not call.estimated], now=now, tally=tally)
        return told | quotas.release([call.request_id for call in every if call.estimated], now=now)

    monkeypatch.setattr(quotas, "settle", refunding)
    caught()


def test_measuring_only_what_is_used_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing were held: what runs at the same time is not seen. Read, then written."""

    def read_then_write(takings: list[counters.Taking]) -> bool:
        for taking in takings:
            ((used,),) = fetch("SELECT used FROM usage_quotaperiod WHERE id = %s", taking.period)
            if not taking.soft and used + taking.amount > taking.limit.cap:
                return False
        for taking in takings:
            execute("UPDATE usage_quotaperiod SET held = held + %s WHERE id = %s", taking.amount, taking.period)
        return True

    monkeypatch.setattr(counters, "take", read_then_write)
    caught()


def test_a_day_of_24_hours_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that begin anew from each call overlap or leave gaps."""

    def rolling(period: str, at: dt.datetime, *, tz: Any) -> periods.Window:
        return periods.Window(at.replace(minute=0, second=0, microsecond=0), at + dt.timedelta(hours=24))

    real = limits._limit

    def unclipped(row: Any, *, tz: Any, now: dt.datetime) -> Any:
        return real((*row[:17], None, *row[18:]), tz=tz, now=now)

    monkeypatch.setattr(periods, "window", rolling)
    monkeypatch.setattr(limits, "_limit", unclipped)
    caught()


def test_a_lost_try_that_is_not_counted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "count_lost", lambda call, *, now: False)
    caught()


def test_a_lost_try_that_counts_again_with_the_end_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it were noted nowhere that it has been counted: the end of a call that has not gone out again charges it."""
    spent = endings._spent

    def for_ever(generation: Generation, *, written: str) -> endings.Tokens:
        generation.dispatched = generation.dispatched or "sent" in generation.request
        return spent(generation, written=written)

    monkeypatch.setattr(endings, "_spent", for_ever)
    caught()
