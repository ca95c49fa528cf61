"""Closing a month: its figures are frozen, once, whoever closes at once; nothing changes them, not even the hand in the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import Error, connection, transaction

from accounts import clock, erasing, personal_own
from accounts.models import AuditEvent, Erasure, Organisation, Team, User
from accounts.refusals import NotPossible
from providers.models import LanguageModel, Provider
from tests import audit_guard
from tests.accounts.crowd import actions
from tests.chat import scene
from tests.usage import making, month_rows
from tests.usage.month_rows import BEGINS, BERLIN, ENDS, MIDDLE, NOVEMBER_MIDDLE, OCTOBER, corrected, held, used
from usage import month_closing, month_report, months, proof
from usage.limit_models import NOBODY
from usage.models import ClosedMonth, LedgerEntry, MonthLine

pytestmark = pytest.mark.django_db
LATER = ENDS + dt.timedelta(days=2)


@pytest.fixture(autouse=True)
def after_october(monkeypatch: pytest.MonkeyPatch) -> None:
    month_rows.berlin()
    monkeypatch.setattr(clock, "now", lambda: LATER)


def closed(by: User | None = None) -> ClosedMonth:
    row = month_closing.close(OCTOBER, tz=BERLIN, by=by)[0]
    connection.check_constraints()  # as a commit does: then nothing is pending on the table
    return row


def october(scope: Any = NOBODY) -> month_report.Report:
    organisation = Organisation.get()
    return month_report.of(months.of(OCTOBER, tz=BERLIN), currency=organisation.currency, scope=scope, persons=True)


def told(report: month_report.Report) -> Any:
    """All that a reader sees of it, with names."""
    tables = (report.of_centres, report.of_models, report.of_lines, report.people or {})

    def name(key: Any) -> Any:
        return tuple(map(name, key)) if isinstance(key, tuple) else key if isinstance(key, str) else report.name(key)

    return [report.sums, *[{name(key): sums for key, sums in rows.items()} for rows in tables]]


def scenery() -> tuple[User, Team, LedgerEntry]:
    ada, bob = making.person("ada"), making.person("bob")
    sales = Team.objects.create(name="Sales", cost_centre="4711")
    gpt, pro = LanguageModel.objects.create(slug="g", name="GPT"), Provider.objects.create(name="Pro")
    entry = used(person=ada, team=sales, model=gpt, provider=pro)
    used(person=bob, model=gpt, provider=pro, own=("CNY", 10_000_000), micro=1_400_000)
    used(person=bob, own=None, micro=None)
    used(micro=500_000, into="EUR")
    corrected(entry, -100_000, at=MIDDLE)
    return ada, sales, entry


def test_a_closed_month_says_what_the_open_one_said_and_goes_on_saying_it() -> None:
    ada, sales, entry = scenery()
    before, of_sales = told(october()), told(october(sales.uuid))
    closed(making.person("root"))
    assert (told(october()), told(october(sales.uuid))) == (before, of_sales)
    # Names, cost centres, currency, zone and calls written late change; a team, a model and a provider go.
    User.objects.filter(pk=ada.pk).update(name="Somebody Else")
    Team.objects.filter(pk=sales.pk).update(name="Labs", cost_centre="1")
    Organisation.objects.update(currency="EUR", time_zone="Asia/Tokyo")
    LanguageModel.objects.update(name="Other")
    used(MIDDLE)
    Provider.objects.all().delete()
    sales.delete()
    corrected(entry, -1, at=NOVEMBER_MIDDLE)
    there = months.of(OCTOBER, tz=ZoneInfo("Asia/Tokyo"))
    assert told(month_report.of(there, currency="EUR", persons=True)) == before
    assert (there.starts_at, there.ends_at) == (BEGINS, ENDS)


def test_neighbours_begin_and_end_where_a_closed_month_does() -> None:
    """Otherwise a change of zone would count hours twice, or never."""
    used()
    closed()
    tokyo = ZoneInfo("Asia/Tokyo")
    september, november = months.several([dt.date(2026, 9, 1), dt.date(2026, 11, 1)], tz=tokyo)
    assert (september.ends_at, november.starts_at) == (BEGINS, ENDS)
    used(ENDS, person=making.person())
    report = month_report.of(november, currency="USD", persons=True)
    assert report.people is not None
    assert (report.sums.calls, sum(sums.calls for sums in report.people.values())) == (1, 1)


def test_a_later_correction_counts_in_its_own_month_and_says_which_one_it_is_of() -> None:
    _ada, _sales, entry = scenery()
    closed()
    row = corrected(entry, -200_000, at=NOVEMBER_MIDDLE)
    november = month_report.of(months.of(dt.date(2026, 11, 1), tz=BERLIN), currency="USD", persons=True)
    assert (november.sums.corrections, november.sums.corrected_micro, november.sums.calls) == (1, -200_000, 0)
    assert october().sums.corrected_micro == -100_000
    assert months.holding(row.reserved_at, tz=BERLIN) == OCTOBER


def test_closing_twice_is_closing_once() -> None:
    scenery()
    root = making.person("root")
    results = [month_closing.close(OCTOBER, tz=BERLIN, by=root) for _ in range(3)]
    assert [is_new for _row, is_new in results] == [True, False, False]
    assert len({row.pk for row, _is_new in results}) == 1
    assert MonthLine.objects.count() == results[0][0].lines == 5  # the correction, of no currency of a price, is one
    assert actions() == ["month.closed"]
    event = AuditEvent.objects.get(action="month.closed")
    assert (event.target_name, event.changes["calls"], event.changes["lines_sha256"][1]) == (
        "2026-10", [None, 4], results[0][0].digest,
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_two_who_close_at_once_one_snapshot_stays() -> None:
    scenery()
    root = making.person("root")
    results: list[bool] = []

    def close() -> None:
        results.append(month_closing.close(OCTOBER, tz=BERLIN, by=root)[1])

    scene.at_once(*[partial(close) for _ in range(3)])
    assert sorted(results) == [False, False, True]
    assert (ClosedMonth.objects.count(), MonthLine.objects.count()) == (1, 5)
    assert month_closing.drifts() == []


@pytest.mark.parametrize("after_end", [dt.timedelta(days=-3), dt.timedelta(0), dt.timedelta(minutes=9)])
def test_a_month_that_is_not_over_is_not_closed(monkeypatch: pytest.MonkeyPatch, after_end: dt.timedelta) -> None:
    monkeypatch.setattr(clock, "now", lambda: ENDS + after_end)
    with pytest.raises(NotPossible) as refused:
        closed()
    assert (refused.value.code, ClosedMonth.objects.count()) == ("running", 0)


@pytest.mark.parametrize(
    ("at", "waits"),
    [(BEGINS - dt.timedelta(1), True), (MIDDLE, True), (ENDS - dt.timedelta(seconds=1), True), (ENDS, False)],
)
def test_while_a_call_of_the_month_is_held_it_is_not_closed(at: dt.datetime, waits: bool) -> None:
    held(at)
    if not waits:
        assert closed().sealed
        return
    with pytest.raises(NotPossible) as refused:
        closed()
    assert "1 answer of this month is still being written or waits" in str(refused.value.message)
    assert (refused.value.code, ClosedMonth.objects.count()) == ("answering", 0)


def test_answers_that_wait_for_their_hold_keep_it_open_too() -> None:
    with pytest.raises(NotPossible) as refused:
        month_closing.close(OCTOBER, tz=BERLIN, by=None, running=3)
    assert "3 answers" in str(refused.value.message)


def test_an_empty_month_can_be_closed() -> None:
    row = closed()
    assert (row.sealed, row.lines, october().sums.calls) == (True, 0, 0)


# --- nothing changes it ------------------------------------------------------------------------------------------------------


CHANGES: dict[str, Callable[[], object]] = {
    "a line's money": lambda: MonthLine.objects.update(organisation_cost_micro=1),
    "a line's name": lambda: MonthLine.objects.update(team_name="Other"),
    "whose a line is": lambda: MonthLine.objects.update(person=NOBODY),
    "half of whose a line is": lambda: MonthLine.objects.filter(person__isnull=False).update(person_name=""),
    "a line less": lambda: MonthLine.objects.all()[0].delete(),
    "a line more": lambda: MonthLine.objects.create(month=ClosedMonth.objects.get()),
    "the month's end": lambda: ClosedMonth.objects.update(ends_at=LATER),
    "its seal": lambda: ClosedMonth.objects.update(sealed=False),
    "its currency": lambda: ClosedMonth.objects.update(currency="EUR"),
    "who closed it": lambda: ClosedMonth.objects.update(closed_by=NOBODY),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_database_itself_refuses(what: str) -> None:
    scenery()
    closed(making.person("root"))
    before = list(MonthLine.objects.order_by("pk").values())
    with pytest.raises(Error, match="a closed month never changes"), transaction.atomic():
        CHANGES[what]()
    assert list(MonthLine.objects.order_by("pk").values()) == before
    assert month_closing.drifts() == []


def test_the_month_cannot_be_removed_with_its_lines() -> None:
    closed()
    with pytest.raises(Error, match="a closed month never changes"), transaction.atomic():
        ClosedMonth.objects.all()._raw_delete(ClosedMonth.objects.db)


def test_nor_emptied_at_once() -> None:
    scenery()
    closed()
    verb = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
    with (
        pytest.raises(Error, match="a closed month never changes"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"{verb} usage_monthline")


def test_lines_that_were_changed_past_the_guard_are_found() -> None:
    scenery()
    closed()
    assert month_closing.drifts() == []
    with audit_guard.lifted(connection, table=audit_guard.MONTH_LINE):
        MonthLine.objects.filter(calls=1, cost_centre="4711").update(organisation_cost_micro=1)
    assert any("closed month 2026-10" in drift for drift in proof.drifts())


# --- people who are erased ----------------------------------------------------------------------------------------------------


def erased(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)
    person.refresh_from_db()
    erasure = erasing.begin(person, by=None)
    while not erasing.carry_on(erasure):
        pass


def test_erasing_a_person_leaves_every_figure_and_takes_her_name() -> None:
    ada, _sales, _entry = scenery()
    row = closed()
    before = october().sums
    erased(ada)
    report = october()
    assert report.people is not None
    assert (report.sums, ada.uuid in report.people) == (before, False)
    assert not MonthLine.objects.filter(person_name__icontains="ada").exists()
    assert report.people[NOBODY].total_micro == 1_900_000
    assert (month_closing.drifts(), row.digest) == ([], ClosedMonth.objects.get().digest)
    assert personal_own.is_erased(User.objects.get(pk=ada.pk))


def test_somebody_whose_erasing_has_begun_gets_no_name_into_a_month_that_is_closed_meanwhile() -> None:
    ada, _sales, _entry = scenery()
    Erasure.objects.create(person=ada.uuid, started_at=LATER)
    closed()
    assert not MonthLine.objects.filter(person=ada.uuid).exists()
    assert not MonthLine.objects.filter(person_name="Ada").exists()


def test_a_name_that_is_gone_by_then_is_the_one_of_the_ledger() -> None:
    _ada, sales, _entry = scenery()
    sales.delete()
    closed()
    assert set(MonthLine.objects.values_list("team_name", flat=True)) == {"Sales", ""}
