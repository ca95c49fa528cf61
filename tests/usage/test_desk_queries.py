"""The desk's figures equal those computed by hand on a small set, and cost the same number of queries however many groups there are."""

from __future__ import annotations

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation
from tests.usage import making
from tests.usage.making import hold, reserve
from usage import desk, desk_queries, invocations, percentiles, quotas, rollups, spans
from usage.limit_models import NOBODY
from usage.models import Invocation, PersonDay, Rollup, RollupTimes
from usage.rollup_models import BINS

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 1, 14, 12, 7, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def ended(given: quotas.Hold, *, at: dt.datetime, cost: int | None = None, **more: object) -> Invocation:
    """Settled and recorded in one go; `cost` in the organisation's currency as if a price had been there."""
    reserve(given, now=at)
    row = making.call(given, now=at, **more)  # type: ignore[arg-type]  # fields of a call
    if cost is not None:
        row.organisation_cost_micro, row.organisation_currency, row.cost_micro, row.currency = cost, "USD", cost, "USD"
    tally = rollups.Tally()
    with transaction.atomic():
        quotas.settle([row], now=at, tally=tally)
        invocations.record([row], tally=tally)
    return row


@pytest.fixture
def four() -> dict[str, uuid.UUID]:
    """Four calls of two people and two models this month, one of the month before, a title, a lost question."""
    making.in_zone("Europe/Berlin")
    Organisation.objects.update(currency="USD")
    ada, bob = making.person("ada"), making.person("bob")
    team = making.team("Sales", ada)
    one, two, provider = making.new(), making.new(), making.new()
    asked = {"provider": provider, "queue_ms": 100, "duration_ms": 10_100}
    ended(hold(ada, model=one), at=NOW - HOUR, cost=500, ttft_ms=800, **asked)
    ended(hold(ada, model=one), at=NOW - DAY, cost=300, ttft_ms=900, **asked)
    ended(hold(bob, model=two), at=NOW - DAY, cost=100, ttft_ms=4_000, **asked)
    bad = making.call(reserve(hold(bob, model=two), now=NOW - HOUR), now=NOW - HOUR, input=0, output=0, **asked)
    bad.outcome, bad.error_kind = "failed", "server_error"
    quotas.release([bad.request_id], now=NOW)
    invocations.record([bad])
    ended(hold(ada, model=one, source="title", requests=0), at=NOW - HOUR, cost=7)
    ended(hold(ada, model=one), at=dt.datetime(2025, 12, 31, 22, 59, tzinfo=dt.UTC), cost=900, ttft_ms=100, **asked)
    ended(hold(ada, model=one), at=dt.datetime(2025, 12, 31, 23, 0, tzinfo=dt.UTC), cost=40, ttft_ms=800, **asked)
    rollups.refused(team=team.uuid, source="page", reason="limit_reached", now=NOW - HOUR)
    return {"ada": ada.uuid, "bob": bob.uuid, "team": team.uuid, "one": one, "two": two, "provider": provider}


def test_a_month_is_the_organisations_and_its_sums_are_those_by_hand(four: dict[str, uuid.UUID]) -> None:
    found = desk.of(spans.of("month", now=NOW, tz=BERLIN), currency="USD", tz=BERLIN)
    # 31 December 23:00 UTC is the first of January in Berlin; a minute earlier it is not.
    assert (found.sums.answers, found.sums.failed, found.sums.calls, found.sums.cost_micro) == (5, 1, 6, 947)
    assert (found.earlier.answers, found.earlier.cost_micro) == (0, 0)
    assert (found.people, found.people_before) == (2, 0)
    assert found.errors == {"server_error": 1}
    assert found.rejections == {"limit_reached": 1}
    assert found.bad_percent == pytest.approx(100 * 2 / 6)
    assert [(found.by_model[four[m]].answers, found.by_model[four[m]].cost_micro) for m in ("one", "two")] == [
        (3, 847),
        (2, 100),
    ]
    assert {team: use.cost_micro for team, use in found.of_teams.items()} == {four["team"]: 847, NOBODY: 100}
    assert {who: use.calls for who, use in found.of_people.items()} == {four["ada"]: 3, four["bob"]: 2}
    assert found.matrix[four["bob"], four["two"]].failed == 1
    assert len(found.steps) == 14
    assert [sums.cost_micro for sums in found.steps] == [40, *[0] * 11, 400, 507]
    assert found.times["ttft"].total == 4
    assert found.times["ttft"].longest == 4_000
    assert found.sums.busy_ms == 50_000


def test_a_month_is_compared_with_as_many_days_of_the_one_before() -> None:
    january = spans.of("month", now=NOW, tz=BERLIN)
    earlier = spans.before(january, tz=BERLIN)
    assert (earlier.days[0], earlier.days[-1]) == (dt.date(2025, 12, 1), dt.date(2025, 12, 14))
    march = spans.of("month", now=dt.datetime(2026, 3, 31, 9, tzinfo=dt.UTC), tz=BERLIN)
    assert spans.before(march, tz=BERLIN).days[-1] == dt.date(2026, 2, 28)
    # Summer time begins on 29 March: one step is an hour shorter.
    lengths = [end - begin for begin, end in zip(march.edges, march.edges[1:], strict=False)]
    assert (sorted(set(lengths)), lengths.index(92)) == ([92, 96], 28)


def test_where_summer_time_begins_each_call_is_in_its_own_day() -> None:
    ada = making.person()
    for day in (28, 29, 30):
        for hour in (0, 23):
            at = dt.datetime(2026, 3, day, hour, 30, tzinfo=BERLIN).astimezone(dt.UTC)
            ended(hold(ada), at=at)
    span = spans.of_days(dt.date(2026, 3, 27), dt.date(2026, 3, 31), tz=BERLIN)
    found = desk.of(span, currency="USD", tz=BERLIN)
    assert [sums.answers for sums in found.steps] == [0, 2, 2, 2, 0]


def test_the_last_hour_reads_people_from_the_calls_themselves(four: dict[str, uuid.UUID]) -> None:
    found = desk.of(spans.of("hour", now=NOW, tz=BERLIN), currency="USD", tz=BERLIN)
    assert (found.sums.answers, found.sums.failed, found.sums.cost_micro, found.people) == (0, 0, 0, 0)
    found = desk.of(spans.of("hour", now=NOW - 8 * dt.timedelta(minutes=1), tz=BERLIN), currency="USD", tz=BERLIN)
    assert (found.sums.answers, found.sums.failed, found.sums.cost_micro, found.people) == (2, 1, 507, 2)
    assert {who: (use.calls, use.cost_micro) for who, use in found.of_people.items()} == {
        four["ada"]: (1, 507),
        four["bob"]: (1, 0),
    }
    assert [sums.answers for sums in found.steps] == [2, 0, 0, 0]


def test_a_team_sees_its_own_calls_alone(four: dict[str, uuid.UUID]) -> None:
    found = desk.of(spans.of("month", now=NOW, tz=BERLIN), scope=four["team"], currency="USD", tz=BERLIN)
    assert (found.sums.answers, found.sums.cost_micro, found.people, found.refused) == (3, 847, 1, 1)
    assert list(found.of_people) == [four["ada"]]
    assert four["two"] not in found.by_model


def test_money_of_another_currency_is_not_added(four: dict[str, uuid.UUID]) -> None:
    found = desk.of(spans.of("month", now=NOW, tz=BERLIN), currency="CNY", tz=BERLIN)
    assert (found.sums.cost_micro, found.sums.unknown) == (0, 5)


def test_a_correction_is_in_the_money_of_the_month_in_which_it_is_made(four: dict[str, uuid.UUID]) -> None:
    row = Invocation.objects.filter(person=four["ada"], organisation_cost_micro=900).get()
    quotas.correct(row.request_id, cost_micro=-400, reason="x", by=None, now=NOW)
    found = desk.of(spans.of("month", now=NOW, tz=BERLIN), currency="USD", tz=BERLIN)
    assert (found.sums.cost_micro, found.sums.corrected_micro) == (547, -400)
    assert found.of_people[four["ada"]].cost_micro == 447


def test_a_budget_is_the_organisations_limit_of_the_month_and_says_how_it_will_end(four: dict[str, uuid.UUID]) -> None:
    making.limit(5_000, "cost", "month", scope="organisation")
    found = desk.budgets(now=NOW, tz=BERLIN, currency="USD")
    assert (found.spent, found.amount, found.percent, found.over) == (947, 5_000, 18, False)
    gone = NOW - dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
    assert found.projected == round(947 * (31 * DAY / gone))
    assert desk.projected(947, now=dt.datetime(2026, 1, 1, 12, tzinfo=BERLIN), tz=BERLIN) is None
    assert desk.budgets(now=NOW, tz=BERLIN, currency="USD", scope=four["team"]).amount is None


def test_who_is_near_a_limit_and_who_asked_nothing(four: dict[str, uuid.UUID]) -> None:
    making.person("eve")
    ada = making.limit(10, "requests", "month")
    for used, subject in ((8, four["ada"]), (7, four["bob"])):
        ada.periods.create(subject=subject, starts_at=NOW - DAY, ends_at=NOW + DAY, used=used, cap=10)
    assert [(row.subject, row.used) for row in desk_queries.near_limits(now=NOW)] == [(four["ada"], 8)]
    assert desk_queries.near_limits(now=NOW, subjects=[four["bob"]]) == []
    count, people = desk_queries.unused(since=dt.date(2026, 1, 1))
    assert (count, [person.name for person in people]) == (1, ["Eve"])
    assert desk_queries.unused(since=dt.date(2026, 1, 1), team=four["team"]) == (0, [])


@pytest.mark.parametrize("groups", [1, 3, 1_000])
@pytest.mark.parametrize("name", ["month", "hour"])
def test_it_costs_the_same_number_of_queries_for_any_number_of_groups(
    groups: int, name: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    bucket = rollups.bucket_of(NOW)
    ids = [uuid.uuid4() for _ in range(groups)]
    Rollup.objects.bulk_create(
        [Rollup(bucket=bucket, model=one, provider=one, source="page", outcome="done", calls=2) for one in ids]
    )
    RollupTimes.objects.bulk_create(
        [RollupTimes(bucket=bucket, model=one, provider=one, ttft_05=1, ttft_max=300) for one in ids]
    )
    PersonDay.objects.bulk_create(
        [PersonDay(day=NOW.date(), person=one, team=one, key=one, model=one, calls=2) for one in ids]
    )
    with django_assert_num_queries(13):
        found = desk.of(spans.of(name, now=NOW, tz=BERLIN), currency="USD", tz=BERLIN)
    assert (found.sums.answers, len(found.by_model)) == (2 * groups, groups)
    with django_assert_num_queries(2):
        desk.budgets(now=NOW, tz=BERLIN, currency="USD")


def test_percentiles_are_within_a_bin_and_never_more_than_the_longest() -> None:
    times = sorted([120, 130, 400, 900, 905, 1_400, 2_000, 2_600, 9_000, 60_000] * 10)
    counts = [0] * BINS
    for ms in times:
        counts[rollups.bin_of(ms)] += 1
    for percent in (10, 50, 90, 95, 100):
        exact = times[len(times) * percent // 100 - 1]
        found = percentiles.percentile(counts, percent, longest=times[-1])
        assert found is not None
        assert exact / 1.6 <= found <= exact * 1.6
    assert percentiles.percentile([0] * BINS, 50, longest=0) is None
    assert percentiles.percentile([3, *[0] * (BINS - 1)], 95, longest=20) == 19
