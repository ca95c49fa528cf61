"""The sums over calls are those of the rows, after any mix of ends, crashes, lost tries and corrections; each thing has its place."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from accounts import clock
from accounts.models import Organisation
from tests.chat import scene
from tests.usage import machine, making
from tests.usage.making import NOW, call, hold, reserve
from tests.usage.plain_ledger import CLOCK
from usage import invocations, quotas, recount, recovery, rollups
from usage.limit_models import NOBODY
from usage.models import Invocation, LedgerEntry, PersonDay, Rejection, Rollup, RollupTimes
from usage.rollup_models import BINS, EDGES, HISTOGRAMS

pytestmark = pytest.mark.django_db
SUMS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_micro", "organisation_cost_micro")


def plain() -> dict[str, Counter[Any]]:
    """What the sums must be, by a second way: row for row, in Python."""
    found: dict[str, Counter[Any]] = {"calls": Counter(), "took": Counter(), "asked": Counter()}
    found |= {name: Counter() for name in (*SUMS, "lost", "corrected")}
    for row in Invocation.objects.all():
        quarter = int(row.created_at.timestamp() // 900)
        for scope in {NOBODY, row.team or NOBODY}:
            found["calls"][scope, quarter, row.model, row.outcome, row.error_kind] += 1
            if row.source != "title":
                found["took"][scope, quarter, row.model] += 1
        if row.source != "title":
            found["asked"][row.person, row.team, row.model] += 1
    for entry in LedgerEntry.objects.all():
        corrected = entry.kind == "correction"
        quarter = int((entry.at if corrected else entry.reserved_at).timestamp() // 900)
        for scope in {NOBODY, entry.team or NOBODY}:
            where = (scope, quarter, entry.model)
            if corrected:
                found["corrected"][where] += entry.organisation_cost_micro or 0
                continue
            found["lost"][where] += entry.kind == "attempt"
            for name in SUMS:
                found[name][where] += getattr(entry, name) or 0
    return found


def summed() -> dict[str, Counter[Any]]:
    """The same, out of the sums."""
    found: dict[str, Counter[Any]] = {"calls": Counter(), "took": Counter(), "asked": Counter()}
    found |= {name: Counter() for name in (*SUMS, "lost", "corrected")}
    for row in Rollup.objects.all():
        where = (row.scope, row.bucket, None if row.model == NOBODY else row.model)
        found["calls"][(*where, row.outcome, row.error_kind)] += row.calls
        found["corrected"][where] += row.corrected_micro
        for name in (*SUMS, "lost"):
            found[name][where] += getattr(row, name)
    for times in RollupTimes.objects.all():
        where = (times.scope, times.bucket, None if times.model == NOBODY else times.model)
        found["took"][where] += sum(getattr(times, name) for name in HISTOGRAMS["duration"])
    for day in PersonDay.objects.all():
        who = tuple(None if value == NOBODY else value for value in (day.person, day.team, day.model))
        found["asked"][who] += day.calls
    return found


def agree() -> None:
    wanted, found = plain(), summed()
    assert {name: +found[name] | -found[name] for name in found} == {
        name: +wanted[name] | -wanted[name] for name in wanted
    }
    assert list(recount.drifts()) == []


class Machine(machine.Ledger):
    """The ledger's own machine; what is promised here is looked at when a run ends."""

    def teardown(self) -> None:
        try:
            agree()
        finally:
            super().teardown()


MODEST = hypothesis_settings(
    max_examples=25 if connection.vendor == "sqlite" else 8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


def test_after_any_order_of_steps_the_sums_are_those_of_the_rows(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(clock, "now", CLOCK.now)
    made = machine.prepared()
    run_state_machine_as_test(type("Both", (Machine, made), {}), settings=MODEST)


def test_a_sum_that_is_not_written_is_found(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(clock, "now", CLOCK.now)
    monkeypatch.setattr(quotas, "_add", lambda written, tally=None: None)
    made = machine.prepared()
    with pytest.raises(AssertionError):
        run_state_machine_as_test(type("Both", (Machine, made), {}), settings=MODEST)


def ended(given: quotas.Hold, **more: Any) -> Invocation:
    """Settled and recorded, as one transaction."""
    row = call(given, **more)
    tally = rollups.Tally()
    with transaction.atomic():
        quotas.settle([row], now=NOW, tally=tally)
        invocations.record([row], tally=tally)
    return row


def test_a_call_counts_for_the_organisation_and_its_team_in_the_quarter_in_which_it_was_asked() -> None:
    ada = making.person()
    sales = making.team("Sales", ada)
    given = reserve(hold(ada, model=making.new()))
    ended(given, duration_ms=9_000, queue_ms=1_000, ttft_ms=1_200)
    quarter = int(NOW.timestamp()) // 900
    rows = Rollup.objects.order_by("scope").values_list("scope", "bucket", "calls", "input_tokens", "busy_ms")
    assert list(rows) == [(scope, quarter, 1, 90, 8_000) for scope in sorted([NOBODY, sales.uuid])]
    times = RollupTimes.objects.get(scope=NOBODY)
    assert (times.ttft_max, times.duration_max, times.queue_max) == (1_200, 9_000, 1_000)
    named = [name for names in HISTOGRAMS.values() for name in names if getattr(times, name)]
    assert len(named) == 3
    assert PersonDay.objects.values_list("day", "person", "team", "calls").get() == (
        NOW.date(),
        ada.uuid,
        sales.uuid,
        1,
    )
    agree()


def test_a_day_of_people_is_one_of_the_organisations_clock() -> None:
    making.in_zone("Pacific/Auckland")  # at noon UTC it is tomorrow there
    ended(reserve(hold(making.person())))
    assert PersonDay.objects.get().day == NOW.date() + dt.timedelta(days=1)


def test_a_title_is_nobodys_question_and_nobodys_wait_but_it_costs() -> None:
    ended(reserve(hold(making.person(), source="title", requests=0)))
    assert Rollup.objects.get().calls == 1
    assert RollupTimes.objects.count() == 0
    assert PersonDay.objects.values_list("calls", "input_tokens").get() == (0, 90)
    agree()


def test_a_repeat_counts_once_and_two_in_one_batch_are_one_row() -> None:
    ada = making.person()
    first, second = reserve(hold(ada)), reserve(hold(ada))
    rows = [call(first), call(second)]
    tally = rollups.Tally()
    with transaction.atomic():
        quotas.settle(rows, now=NOW, tally=tally)
        invocations.record(rows, tally=tally)
    invocations.record([call(first)])
    assert quotas.settle([call(second)], now=NOW) == set()
    assert Rollup.objects.get().calls == 2
    agree()


def test_a_batch_adds_with_one_statement_a_table() -> None:
    people = [making.person(f"p{n}") for n in range(3)]
    making.team("Sales", *people)
    rows = [call(reserve(hold(person, model=making.new())), ttft_ms=300) for person in people]
    tally = rollups.Tally()
    tally.calls(rows)
    with transaction.atomic(), CaptureQueriesContext(connection) as seen:
        tally.write()
    assert sum("INSERT INTO" in query["sql"] for query in seen) == len(seen) == 3


def test_a_hold_whose_owner_is_gone_counts_as_interrupted() -> None:
    reserve(hold(making.person(), lease_s=1, estimate=70))
    assert recovery.settle_expired(now=NOW + dt.timedelta(minutes=1)) == 1
    row = Rollup.objects.exclude(calls=0).get()
    assert (row.outcome, row.error_kind, row.calls) == ("interrupted", "worker_lost", 1)
    assert PersonDay.objects.get().failed == 1
    agree()


def test_a_correction_counts_in_the_quarter_in_which_it_is_made_and_apart() -> None:
    given = reserve(hold(making.person()))
    ended(given)
    later = NOW + dt.timedelta(days=40)
    quotas.correct(given.request_id, tokens=(-40, 5), reason="wrong", by=None, now=later)
    row = Rollup.objects.get(bucket=rollups.bucket_of(later))
    assert (row.calls, row.corrections, row.corrected_tokens, row.input_tokens) == (0, 1, -35, 0)
    assert PersonDay.objects.get(corrections=1).day == later.date()
    agree()


@pytest.mark.parametrize(
    ("ms", "where"), [(0, 0), (49, 0), (50, 1), (EDGES[-1] - 1, BINS - 2), (EDGES[-1], BINS - 1), (10**9, BINS - 1)]
)
def test_a_bin_holds_what_is_less_than_its_edge(ms: int, where: int) -> None:
    assert rollups.bin_of(ms) == where


def test_a_refusal_is_counted_for_the_organisation_and_the_team() -> None:
    team = uuid.uuid4()
    for _ in range(2):
        rollups.refused(team=team, source="page", reason="limit_reached", now=NOW)
    rollups.refused(team=None, source="page", reason="limit_reached", now=NOW)
    assert dict(Rejection.objects.values_list("scope", "refused")) == {NOBODY: 3, team: 2}


@pytest.mark.django_db(transaction=True)
def test_many_at_once_lose_nothing_and_wait_for_nobody_who_waits_for_them() -> None:
    people = [making.person(f"p{n}") for n in range(4)]
    making.team("Sales", *people)
    rows = [[call(reserve(hold(person))) for person in people] for _ in range(4)]
    scene.at_once(*[partial(_recorded, some) for some in rows])
    assert sum(Rollup.objects.filter(scope=NOBODY).values_list("calls", flat=True)) == 16
    agree()


def _recorded(rows: list[Invocation]) -> None:
    tally = rollups.Tally()
    with transaction.atomic():
        quotas.settle(rows, now=NOW, tally=tally)
        invocations.record(rows, tally=tally)


def test_counting_anew_gives_the_same_and_finds_what_was_changed() -> None:
    ada = making.person()
    making.team("Sales", ada)
    Organisation.objects.update(time_zone="Asia/Shanghai")
    for n in range(3):
        given = reserve(hold(ada, model=making.new()))
        ended(given, ttft_ms=100 * n)
    quotas.correct(given.request_id, tokens=(1, 1), reason="x", by=None, now=NOW)
    before = [sorted(table.objects.values_list(*table.KEY, "pk")) for table in (Rollup, RollupTimes, PersonDay)]
    wanted = [[row[:-1] for row in rows] for rows in before]
    Rollup.objects.filter(scope=NOBODY).update(calls=7)
    said = io.StringIO()
    with pytest.raises(CommandError, match="1 sums differ"):
        call_command("rollups", stdout=said)
    assert "usage_rollup.calls: the rows say 3, the sums" in said.getvalue()
    call_command("rollups", "--rebuild", stdout=said)
    assert "7 rows counted." in said.getvalue()
    found = [sorted(table.objects.values_list(*table.KEY)) for table in (Rollup, RollupTimes, PersonDay)]
    assert found == wanted
    agree()


def test_the_days_of_somebody_who_is_erased_become_nobodys_and_every_sum_stays() -> None:
    ada, bob = making.person("ada"), making.person("bob")
    making.in_zone("UTC")
    gpt = making.new()
    for who in (ada, ada, bob, None):
        ended(reserve(hold(who, model=gpt) if who else replace(hold(model=gpt), person=None)))
    before = PersonDay.objects.aggregate(calls=Sum("calls"), input=Sum("input_tokens"), output=Sum("output_tokens"))
    Invocation.objects.filter(person=ada.uuid).update(person=None, key=None)
    assert (rollups.forget(ada.uuid), rollups.forget(ada.uuid)) == (1, 0)
    rows = PersonDay.objects.order_by("calls").values_list("person", "calls")
    assert sorted(rows) == sorted([(bob.uuid, 1), (NOBODY, 3)])
    assert (
        PersonDay.objects.aggregate(calls=Sum("calls"), input=Sum("input_tokens"), output=Sum("output_tokens"))
        == before
    )
    agree()
