"""Which limits apply to whom: precedence, windows, raises for a while."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from tests.usage import making
from tests.usage.making import NOW
from usage import limits
from usage.limit_models import NOBODY, Quota, QuotaGrant, QuotaPeriod

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


def told(standing: limits.Standing) -> list[tuple[str, int]]:
    return [(limit.scope, limit.amount) for limit in standing.limits]


def test_without_limits_there_is_one_read_and_nothing_applies(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ada = making.person()
    making.in_zone("Asia/Shanghai")
    with django_assert_num_queries(1):
        found = limits.standing(person=ada.uuid, now=NOW)
    assert (found.limits, found.overridden, found.team) == ((), (), None)
    assert (found.time_zone, found.currency) == ("Asia/Shanghai", "USD")


def test_the_own_limit_stands_before_the_teams_and_the_teams_before_everybodys() -> None:
    ada, bob, eve = (making.person(name) for name in ("ada", "bob", "eve"))
    sales = making.team("Sales", ada, bob)
    making.limit(200)
    making.limit(50, scope="member", subject=sales)
    making.limit(7, scope="person", subject=ada)
    assert told(limits.standing(person=ada.uuid, now=NOW)) == [("person", 7)]
    assert told(limits.standing(person=bob.uuid, now=NOW)) == [("member", 50)]
    assert told(limits.standing(person=eve.uuid, now=NOW)) == [("each", 200)]
    overridden = limits.standing(person=ada.uuid, now=NOW).overridden
    assert [(limit.scope, limit.amount) for limit in overridden] == [("member", 50), ("each", 200)]


def test_of_several_teams_the_most_generous_counts_and_only_the_one_that_pays_has_its_pool_used() -> None:
    ada = making.person()
    small, large = making.team("Small", ada), making.team("Large", ada, pays=False)
    making.limit(10, scope="member", subject=small)
    making.limit(90, scope="member", subject=large)
    making.limit(1_000, scope="team", subject=small)
    making.limit(2_000, scope="team", subject=large)
    found = limits.standing(person=ada.uuid, now=NOW)
    assert told(found) == [("team", 1_000), ("member", 90)]
    assert (found.team, found.team_name) == (small.uuid, "Small")


def test_where_no_team_pays_the_first_by_name_does() -> None:
    ada = making.person()
    making.team("Zebra", ada, pays=False)
    first = making.team("Aardvark", ada, pays=False)
    assert limits.standing(person=ada.uuid, now=NOW).team == first.uuid


def test_limits_of_other_units_periods_and_models_stand_beside_each_other() -> None:
    ada, model = making.person(), uuid.uuid4()
    making.limit(200)
    making.limit(5_000, "tokens", scope="person", subject=ada)
    making.limit(9, "requests", "hour", scope="person", subject=ada)
    making.limit(3, scope="person", subject=ada, models=[model])
    found = limits.standing(person=ada.uuid, now=NOW)
    assert sorted(told(found)) == [("each", 200), ("person", 3), ("person", 9), ("person", 5_000)]
    assert sorted(limit.amount for limit in found.for_model(uuid.uuid4())) == [9, 200, 5_000]
    assert sorted(limit.amount for limit in found.for_model(model)) == [3, 9, 200, 5_000]


def test_the_organisation_and_the_key_always_count() -> None:
    ada, key = making.person(), uuid.uuid4()
    making.limit(1_000, scope="organisation")
    making.limit(5, scope="key", subject=key)
    making.limit(6, scope="key", subject=uuid.uuid4())
    making.limit(7, scope="person", subject=ada)
    assert told(limits.standing(person=ada.uuid, key=key, now=NOW)) == [
        ("organisation", 1_000),
        ("person", 7),
        ("key", 5),
    ]
    assert told(limits.standing(person=ada.uuid, now=NOW)) == [("organisation", 1_000), ("person", 7)]


def test_what_is_off_or_removed_does_not_count() -> None:
    ada = making.person()
    making.limit(1, enabled=False)
    making.limit(2, removed_at=NOW, period="hour")
    assert limits.standing(person=ada.uuid, now=NOW).limits == ()


def test_a_raise_counts_for_its_person_while_it_lasts() -> None:
    ada, bob = making.person("ada"), making.person("bob")
    quota = making.limit(200)
    for more in (30, 5):
        QuotaGrant.objects.create(quota=quota, subject=ada.uuid, amount=more, starts_at=NOW, until=NOW + HOUR)
    caps = [limits.standing(person=ada.uuid, now=NOW + dt.timedelta(minutes=m)).limits[0].cap for m in (-1, 0, 59, 60)]
    assert caps == [200, 235, 235, 200]
    assert limits.standing(person=bob.uuid, now=NOW).limits[0].cap == 200


def test_the_window_is_that_of_the_organisations_zone_and_its_counter_is_found() -> None:
    ada = making.person()
    quota = making.limit(200)
    making.in_zone("Asia/Shanghai")
    (limit,) = limits.standing(person=ada.uuid, now=NOW).limits
    assert (limit.starts_at, limit.resets_at) == (NOW.replace(day=13, hour=16), NOW.replace(hour=16))
    row = QuotaPeriod.objects.create(
        quota=quota, subject=ada.uuid, starts_at=limit.starts_at, ends_at=limit.ends_at, used=3, held=2
    )
    (limit,) = limits.standing(person=ada.uuid, now=NOW).limits
    assert (limit.period_id, limit.used, limit.held, limit.left) == (row.pk, 3, 2, 195)
    assert limits.again([limit])[row.pk] == limit


def test_after_a_change_of_zone_the_running_window_ends_as_it_began_and_the_next_follows_it() -> None:
    ada = making.person()
    quota = making.limit(200)
    starts, ends = NOW.replace(hour=0), NOW.replace(hour=0) + 24 * HOUR
    QuotaPeriod.objects.create(quota=quota, subject=ada.uuid, starts_at=starts, ends_at=ends, used=3)
    making.in_zone("America/New_York")
    (limit,) = limits.standing(person=ada.uuid, now=ends - HOUR).limits
    assert (limit.used, limit.starts_at, limit.ends_at) == (3, starts, ends)
    (limit,) = limits.standing(person=ada.uuid, now=ends + HOUR).limits
    assert (limit.used, limit.starts_at, limit.ends_at) == (0, ends, ends + 5 * HOUR)


@pytest.mark.parametrize(
    "broken",
    [
        {"amount": -1},
        {"scope": "person"},
        {"scope": "organisation", "subject": uuid.UUID(int=5)},
        {"period": "none"},
        {"unit": "at_once"},
        {"at_limit": "switch"},
        {"switch_to": uuid.UUID(int=5)},
    ],
)
def test_the_database_refuses_limits_that_make_no_sense(broken: dict[str, object]) -> None:

    making.limit(5)
    with pytest.raises(IntegrityError), transaction.atomic():
        Quota.objects.update(**broken)


def test_one_limit_of_a_kind_for_one_subject() -> None:
    making.limit(5)
    with pytest.raises(IntegrityError), transaction.atomic():
        making.limit(6)
    making.limit(6, "tokens")


def test_the_statement_finds_counters_by_their_index(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ada = making.person()
    making.in_zone("UTC")
    for unit in ("requests", "tokens", "input"):
        quota = making.limit(5, unit)
        days = [NOW - day * 24 * HOUR for day in range(400)]
        QuotaPeriod.objects.bulk_create(
            [QuotaPeriod(quota=quota, subject=ada.uuid, starts_at=s, ends_at=s + 24 * HOUR) for s in days]
        )
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN QUERY PLAN " + limits._made().text, [NOBODY.hex] * len(limits._made().order))
            plan = " / ".join(row[3] for row in cursor.fetchall())
        assert "SCAN i" not in plan, plan
    with django_assert_num_queries(1):
        assert len(limits.standing(person=ada.uuid, now=NOW).limits) == 3
