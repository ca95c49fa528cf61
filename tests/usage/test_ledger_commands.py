"""The proof finds each planted drift and says so with its status; the explanation names every limit and why."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from portal import tasks
from portal.models import PeriodicJob
from tests import audit_guard
from tests.usage import making
from tests.usage.making import NOW, call, hold, reserve
from usage import quotas
from usage.models import LedgerEntry, QuotaPeriod, Reservation, ReservationLine

pytestmark = pytest.mark.django_db


def run(name: str, *words: str) -> str:
    said = io.StringIO()
    call_command(name, *words, stdout=said)
    return said.getvalue()


@pytest.fixture
def settled() -> quotas.Hold:
    """One call that is settled, one that is held, with a limit that counts both."""
    ada = making.person()
    making.limit(10_000, "tokens")
    done, held = hold(ada), hold(ada)
    for given in (done, held):
        reserve(given)
    quotas.settle([call(done)], now=NOW)
    return done


def test_where_all_agrees_it_says_what_it_looked_at(settled: quotas.Hold) -> None:
    assert run("check_ledger") == "1 entries, 1 counters, 1 open holds: they agree.\n"


def test_a_correction_is_no_drift_and_counts(settled: quotas.Hold) -> None:
    entry = quotas.correct(settled.request_id, tokens=(-40, 5), reason="wrong", by=None, now=NOW)
    assert (entry.kind, entry.attempt, entry.input_tokens, entry.reason) == ("correction", 1, -40, "wrong")
    assert making.counters() == [("tokens", 105, 500)]
    run("check_ledger")
    with pytest.raises(ValueError, match="more back"):
        quotas.correct(settled.request_id, tokens=(-51, 0), reason="x", by=None, now=NOW)
    assert LedgerEntry.objects.count() == 2
    with pytest.raises(LookupError):
        quotas.correct(making.new(), reason="x", by=None, now=NOW)


@pytest.mark.parametrize(
    "drift",
    ["used", "held", "line", "lost entry", "second counter", "entry without hold", "released", "lines"],
)
def test_each_kind_of_drift_is_found(settled: quotas.Hold, drift: str) -> None:
    period = QuotaPeriod.objects.get()
    if drift == "used":
        QuotaPeriod.objects.update(used=1)
    elif drift == "held":
        QuotaPeriod.objects.update(held=0)
    elif drift == "line":
        ReservationLine.objects.filter(used=140).update(used=139)
        QuotaPeriod.objects.update(used=139)
    elif drift in ("lost entry", "entry without hold"):
        with audit_guard.lifted(connection, table=audit_guard.LEDGER):
            if drift == "lost entry":
                LedgerEntry.objects.all().delete()
            else:
                LedgerEntry.objects.update(request_id=making.new())
    elif drift == "second counter":
        later = period.starts_at + dt.timedelta(hours=1)
        QuotaPeriod.objects.create(quota=period.quota, subject=period.subject, starts_at=later, ends_at=period.ends_at)
    elif drift == "released":
        Reservation.objects.filter(state="settled").update(state="released")
    else:
        Reservation.objects.filter(state="held").update(lines=2)
    with pytest.raises(CommandError, match="does not agree") as caught:
        run("check_ledger")
    assert caught.value.returncode == 1


def test_the_daily_check_raises_an_alarm(settled: quotas.Hold, caplog: pytest.LogCaptureFixture) -> None:
    tasks.check_ledger()
    assert "does not agree" not in caplog.text
    QuotaPeriod.objects.update(used=1)
    PeriodicJob.objects.all().delete()
    tasks.check_ledger()
    assert "the ledger does not agree, please report this: counter" in caplog.text


def test_the_explanation_names_what_applies_and_what_does_not_and_why() -> None:
    making.in_zone("Asia/Shanghai")
    ada = making.person()
    sales, other = making.team("Sales", ada), making.team("Other", ada, pays=False)
    making.limit(1_000, scope="organisation", period="month")
    making.limit(200)
    making.limit(50, scope="member", subject=sales, subject_name="Sales")
    making.limit(900, "tokens", scope="team", subject=other, subject_name="Other")
    making.limit(2, "at_once", "none")
    lines = run("explain_quota", "Ada@example.com").splitlines()
    assert lines[0] == "Ada · paid by Sales · Asia/Shanghai"
    month, member, at_once, *no = lines[1:]
    assert month.startswith("  1,000 requests a month: everybody together; used 0, held 0, left 1,000; returns ")
    assert member.startswith("  50 requests a day: for each member of Sales; used 0, held 0, left 50; returns ")
    assert member.endswith(" 00:00; at the limit: block")
    assert at_once == "  2 at_once: for each person; used 0, held 0, left 2; at the limit: block"
    assert no == [
        "  not: 900 tokens a day, Other: another team pays for her",
        "  not: 200 requests a day, each: a team's limit stands in for it",
    ]


def test_without_limits_it_says_so_and_a_stranger_is_nobody() -> None:
    making.person()
    assert run("explain_quota", "ada@example.com").splitlines()[1:] == ["No limit applies."]
    with pytest.raises(CommandError, match="Nobody"):
        run("explain_quota", "eve@example.com")
