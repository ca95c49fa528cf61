"""The month report's figures: those one adds up by hand, those of the ledger's rows, and the edges of a month on the clock."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from accounts import clock
from accounts.models import Organisation, Team, User
from providers.models import LanguageModel, Provider
from tests import audit_guard
from tests.accounts.crowd import actions
from tests.usage import machine, making, month_rows
from tests.usage.month_rows import BEGINS, BERLIN, ENDS, MIDDLE, NOVEMBER_MIDDLE, OCTOBER, corrected, used
from tests.usage.plain_ledger import CLOCK
from tests.usage.test_rollups import MODEST
from usage import invoices, month_queries, month_report, months
from usage.limit_models import NOBODY
from usage.models import ExchangeRate, Invoice, LedgerEntry, PersonDay
from usage.month_queries import MONEY, SUMS

pytestmark = pytest.mark.django_db
SECOND = dt.timedelta(seconds=1)


def october(**more: Any) -> month_report.Report:
    return month_report.of(months.of(OCTOBER, tz=BERLIN), currency="USD", **{"persons": True} | more)


def test_figures_are_those_one_adds_up_by_hand() -> None:
    month_rows.berlin()
    ada, bob = making.person("ada"), making.person("bob")
    sales = Team.objects.create(name="Sales", cost_centre="4711")
    labs = Team.objects.create(name="Labs", cost_centre="4711")
    gpt, deep = LanguageModel.objects.create(slug="g", name="GPT"), LanguageModel.objects.create(slug="d", name="Deep")
    pro, cny = Provider.objects.create(name="Pro"), Provider.objects.create(name="Cny")
    first = used(person=ada, team=sales, model=gpt, provider=pro, tokens=(1_000, 400, 200, 50))  # $2
    used(person=ada, team=sales, model=deep, provider=cny, own=("CNY", 10_000_000), micro=1_400_000)  # ¥10 = $1.40
    used(person=bob, team=labs, model=gpt, provider=pro, own=("USD", 500_000), micro=500_000)  # $0.50
    used(person=bob, team=labs, model=deep, provider=cny, own=("CNY", 5_000_000), micro=None)  # ¥5, no rate
    used(person=bob, model=gpt, provider=pro, own=None, micro=None)  # no price, no team
    used(
        person=bob, team=labs, model=gpt, provider=pro, own=("USD", 250_000), micro=250_000, source="title"
    )  # no question
    used(
        person=bob, team=labs, model=gpt, provider=pro, own=("USD", 125_000), micro=125_000, kind="attempt"
    )  # a lost try
    used(BEGINS - SECOND, person=ada, team=sales, model=gpt, provider=pro)  # September
    corrected(first, -300_000, at=MIDDLE + dt.timedelta(days=1), tokens=(-10, 0))
    corrected(first, -40_000, at=NOVEMBER_MIDDLE)
    report = october()
    whole = report.sums
    assert (whole.calls, whole.cost_micro, whole.corrections, whole.corrected_micro) == (5, 4_275_000, 1, -300_000)
    assert whole.total_micro == 3_975_000
    assert (whole.input_tokens, whole.cached_tokens, whole.output_tokens, whole.reasoning_tokens) == (
        1_600,
        400,
        500,
        50,
    )
    assert (whole.own, whole.in_own) == ({"USD": 2_875_000, "CNY": 15_000_000}, {"USD": 2_875_000, "CNY": 1_400_000})
    assert (whole.unpriced, whole.unconverted) == (1, 1)
    assert {name: (sums.calls, sums.total_micro) for name, sums in report.of_centres.items()} == {
        "4711": (4, 3_975_000), "": (1, 0),
    }  # fmt: skip
    assert {pk: sums.total_micro for pk, sums in report.of_teams.items()} == {
        sales.uuid: 3_100_000, labs.uuid: 875_000, NOBODY: 0,
    }  # fmt: skip
    assert {pair: (sums.calls, sums.total_micro) for pair, sums in report.of_models.items()} == {
        (gpt.uuid, pro.uuid): (3, 2_575_000), (deep.uuid, cny.uuid): (2, 1_400_000),
    }  # fmt: skip
    assert report.people is not None
    assert {pk: (sums.calls, sums.total_micro) for pk, sums in report.people.items()} == {
        ada.uuid: (2, 3_100_000), bob.uuid: (3, 875_000),
    }  # fmt: skip
    assert [report.name(pk) for pk in (sales.uuid, gpt.uuid, cny.uuid, ada.uuid, NOBODY)] == [
        "Sales",
        "GPT",
        "Cny",
        "Ada",
        "",
    ]
    assert next(iter(report.of_models)) == (gpt.uuid, pro.uuid)  # the dearest first
    of_sales = october(scope=sales.uuid)
    assert (of_sales.sums.calls, of_sales.sums.total_micro, set(of_sales.of_teams)) == (2, 3_100_000, {sales.uuid})
    assert month_queries.corrected_later(months.of(OCTOBER, tz=BERLIN)) == (1, -40_000)
    assert october(persons=False).people is None


@pytest.mark.parametrize(
    ("at", "belongs"),
    [
        (BEGINS - SECOND, False),
        (BEGINS, True),
        (ENDS - SECOND, True),
        (ENDS, False),
        (ENDS - dt.timedelta(hours=1), True),
    ],
)
def test_a_month_has_the_edges_of_the_organisations_clock(at: dt.datetime, belongs: bool) -> None:
    """Summer time ends in it: the last hour is one that a month of fixed offset would lose."""
    month_rows.berlin()
    there = months.of(OCTOBER, tz=BERLIN)
    assert (there.starts_at, there.ends_at) == (BEGINS, ENDS)
    assert (there.ends_at - there.starts_at) == dt.timedelta(days=31, hours=1)
    used(at, person=making.person())
    assert october().sums.calls == int(belongs)
    assert len(october().of_teams) == int(belongs)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"]
)
def test_months_leave_no_moment_out_in_any_zone(zone: str) -> None:
    tz = ZoneInfo(zone)
    firsts = [dt.date(2025 + n // 12, n % 12 + 1, 1) for n in range(24)]
    found = months.several(firsts, tz=tz)
    assert all(one.ends_at == other.starts_at for one, other in pairwise(found))
    assert all(month.starts_at.timestamp() % 900 == 0 for month in found)


def test_after_a_change_of_zone_people_are_read_from_the_rows_and_agree_with_the_whole() -> None:
    """Days of people are those of the old clock: the first hours of the month stand on its day before."""
    making.in_zone("UTC")
    ada, sales = making.person(), Team.objects.create(name="Sales")
    used(BEGINS + SECOND, person=ada, team=sales)
    assert PersonDay.objects.get().day == dt.date(2026, 9, 30)
    month_rows.berlin()
    report = october()
    assert report.people is not None
    assert report.sums.calls == report.of_teams[sales.uuid].calls == report.people[ada.uuid].calls == 1
    assert report.sums.total_micro == report.people[ada.uuid].total_micro == 2_000_000


def test_what_was_counted_in_another_currency_is_told_and_not_added() -> None:
    month_rows.berlin()
    used(micro=7_000_000, into="EUR")
    entry = used()
    corrected(used(micro=1_000_000, into="EUR"), -500_000, at=MIDDLE)
    corrected(entry, 100_000, at=MIDDLE)
    sums = october().sums
    assert (sums.total_micro, sums.foreign, sums.calls) == (2_100_000, {"EUR": 7_500_000}, 3)


def test_rates_in_force_are_those_at_its_beginning_and_those_that_began_in_it() -> None:
    month_rows.berlin()
    for days, rate in ((-60, 130_000), (-5, 140_000), (3, 141_000), (40, 150_000)):
        ExchangeRate.objects.create(
            currency="CNY", into="USD", rate_micro=rate, effective_from=BEGINS + dt.timedelta(days=days)
        )
    ExchangeRate.objects.create(currency="EUR", into="CNY", rate_micro=1, effective_from=BEGINS)
    found = month_report.rates(months.of(OCTOBER, tz=BERLIN), currency="USD")
    assert [(rate.currency, rate.rate_micro) for rate in found] == [("CNY", 140_000), ("CNY", 141_000)]


# --- the sums are those of the rows -----------------------------------------------------------------------------------------


def by_rows(month: months.Month, *by: str) -> dict[Any, Counter[str]]:
    """Row for row, in Python, straight from the ledger: tokens, money and corrections, by `by` and currencies."""
    found: dict[Any, Counter[str]] = {}
    for entry in LedgerEntry.objects.all():
        is_correction = entry.kind == "correction"
        at = entry.at if is_correction else entry.reserved_at
        if not month.starts_at <= at < month.ends_at:
            continue
        key = (*(getattr(entry, name) or NOBODY for name in by), entry.currency, entry.organisation_currency)
        into = found.setdefault(key, Counter())
        if is_correction:
            into["corrections"] += 1
            into["corrected_tokens"] += entry.input_tokens + entry.output_tokens
            into["corrected_micro"] += entry.organisation_cost_micro or 0
            continue
        for name in (
            "input_tokens",
            "cached_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cost_micro",
            "organisation_cost_micro",
        ):
            into[name] += getattr(entry, name) or 0
        into["unknown"] += entry.organisation_cost_micro is None and bool(entry.input_tokens or entry.output_tokens)
    plain = {key: Counter({name: n for name, n in sums.items() if n}) for key, sums in found.items()}
    return {key: sums for key, sums in plain.items() if sums}


def as_counters(rows: list[dict[str, Any]], *by: str) -> dict[Any, Counter[str]]:
    found = {}
    for row in rows:
        sums = Counter({name: row[name] for name in SUMS if name != "calls" and row[name]})
        if sums:
            found[tuple(row[name] for name in (*by, *MONEY))] = sums
    return found


def agree(month: months.Month) -> None:
    machines, everything = ("model", "provider"), ("team", "person", "model", "provider")
    assert as_counters(month_queries.of_machines(month), *machines) == by_rows(month, *machines)
    assert as_counters(month_queries.of_rows(month, *everything), *everything) == by_rows(month, *everything)
    assert as_counters(month_queries.of_people(month, "team", "person", "model"), "team", "person", "model") == by_rows(
        month, "team", "person", "model"
    )


class Machine(machine.Ledger):
    """The ledger's own machine: settlements, lost tries, crashes, corrections; looked at when a run ends."""

    def teardown(self) -> None:
        try:
            tz = ZoneInfo(Organisation.get().time_zone or "UTC")
            there = months.of(months.current(CLOCK.time, tz=tz), tz=tz)
            machines, everything = ("model", "provider"), ("team", "person", "model", "provider")
            assert as_counters(month_queries.of_machines(there), *machines) == by_rows(there, *machines)
            assert as_counters(month_queries.of_rows(there, *everything), *everything) == by_rows(there, *everything)
            report = month_report.of(there, currency="USD", persons=True)
            assert report.people is not None
            for some in (report.of_centres, report.of_teams, report.of_models, report.of_lines, report.people):
                for name in ("calls", "tokens", "cost_micro", "corrected_micro", "corrections", "unknown"):
                    assert sum(getattr(sums, name) for sums in some.values()) == getattr(report.sums, name), name
        finally:
            super().teardown()


def test_after_any_order_of_steps_every_table_adds_up_to_the_ledgers_rows(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    monkeypatch.setattr(clock, "now", CLOCK.now)
    made = machine.prepared()
    run_state_machine_as_test(type("Both", (Machine, made), {}), settings=MODEST)


MONEYS = st.sampled_from([None, ("USD", 2_000_000), ("CNY", 10_000_000), ("EUR", 1)])
MICROS = st.sampled_from([None, 0, 1, 2_000_000])
STEPS = st.lists(
    st.tuples(
        st.integers(-3, 33), st.integers(0, 2), st.integers(0, 1), st.sampled_from(["settle", "attempt"]), MONEYS, MICROS,
        st.one_of(st.none(), st.tuples(st.integers(0, 40), st.one_of(st.none(), st.integers(-5_000_000, 5_000_000)), st.integers(-9, 9))),
    ),
    max_size=12,
)  # fmt: skip


@hypothesis_settings(MODEST, max_examples=30 if connection.vendor == "sqlite" else 8)
@given(steps=STEPS)
def test_any_mix_of_calls_lost_tries_and_corrections_in_both_currencies_adds_up(
    steps: list[Any], django_db_blocker: Any
) -> None:
    month_rows.berlin()
    people, teams = [making.person("ada"), making.person("bob"), None], [Team.objects.create(name="Sales"), None]
    try:
        for day, who, team, kind, own, micro, correction in steps:
            entry = used(
                BEGINS + dt.timedelta(days=day), person=people[who], team=teams[team], kind=kind, own=own,
                micro=micro if own else None,
            )  # fmt: skip
            if correction:
                later, more, tokens = correction
                more = more if entry.organisation_cost_micro is not None else None
                corrected(entry, more, at=entry.at + dt.timedelta(days=later), tokens=(tokens, 0))
        agree(months.of(OCTOBER, tz=BERLIN))
        agree(months.of(dt.date(2026, 11, 1), tz=BERLIN))
    finally:
        _emptied()


def _emptied() -> None:
    """Each example begins without rows; the guard of the ledger is lifted for that."""
    with audit_guard.lifted(connection, table=audit_guard.LEDGER):
        for table in ("usage_ledgerentry", "usage_invocation", "usage_rollup", "usage_rolluptimes", "usage_personday"):
            with connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {table}")  # names from here
    Team.objects.all().delete()
    User.objects.all().delete()


# --- invoices ---------------------------------------------------------------------------------------------------------------


def test_an_invoice_is_held_against_the_ledger_in_its_own_currency() -> None:
    month_rows.berlin()
    root = making.person("root")
    gpt, deep = LanguageModel.objects.create(slug="g", name="GPT"), LanguageModel.objects.create(slug="d", name="Deep")
    pro = Provider.objects.create(name="Pro")
    used(model=gpt, provider=pro, own=("CNY", 10_000_000), micro=1_400_000)
    used(model=deep, provider=pro, own=("CNY", 6_000_000), micro=840_000)
    for model, asked in ((gpt, 10_500_000), (deep, 6_000_000)):
        invoices.enter(
            OCTOBER,
            provider=(pro.uuid, "Pro"),
            model=(model.uuid, model.name),
            amount_micro=asked,
            currency="CNY",
            by=root,
        )
    found = invoices.compared(october().of_models, invoices.of_month(OCTOBER))
    assert [(row.model, row.ledger_micro, row.difference_micro, row.percent) for row in found] == [
        (NOBODY, 16_000_000, None, None), (gpt.uuid, 10_000_000, 500_000, 5.0), (deep.uuid, 6_000_000, 0, 0.0),
    ]  # fmt: skip
    balance = invoices.balance(found)["CNY"]
    assert (balance.invoiced_micro, balance.difference_micro, balance.percent) == (16_500_000, 500_000, 3.125)
    # The whole invoice stands for its parts, which then count no second time.
    invoices.enter(
        OCTOBER, provider=(pro.uuid, "Pro"), model=(NOBODY, ""), amount_micro=17_000_000, currency="CNY", by=root
    )
    found = invoices.compared(october().of_models, invoices.of_month(OCTOBER))
    assert {name: row.difference_micro for name, row in invoices.balance(found).items()} == {"CNY": 1_000_000}


def test_an_invoice_in_a_currency_that_nothing_was_counted_in_is_all_difference() -> None:
    month_rows.berlin()
    root, pro = making.person("root"), Provider.objects.create(name="Pro")
    used(provider=pro, own=("USD", 2_000_000))
    invoices.enter(
        OCTOBER, provider=(pro.uuid, "Pro"), model=(NOBODY, ""), amount_micro=3_000_000, currency="EUR", by=root
    )
    row = invoices.compared(october().of_models, invoices.of_month(OCTOBER))[0]
    assert (row.ledger_micro, row.difference_micro, row.percent) == (0, 3_000_000, None)


def test_each_change_of_an_invoice_is_an_event_and_a_repeat_is_none() -> None:
    root, pro = making.person("root"), Provider.objects.create(name="Pro")
    whole: dict[str, Any] = {"provider": (pro.uuid, "Pro"), "model": (NOBODY, ""), "currency": "USD", "by": root}
    for amount in (5_000_000, 5_000_000, 6_000_000, None, None):
        invoices.enter(OCTOBER, amount_micro=amount, **whole)
    assert actions() == ["invoice.entered", "invoice.entered", "invoice.removed"]
    assert Invoice.objects.count() == 0
