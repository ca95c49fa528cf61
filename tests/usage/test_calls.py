"""The log of calls: who may see it, what a search finds, one call's life, the file; and that no text ever stands in it."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Membership, Organisation, Team
from tests.accounts.crowd import cost, person, root, signed_in, staff
from usage import call_export, call_search, periods
from usage.models import CallLine, Invocation, LedgerEntry, Quota, QuotaPeriod, Reservation, ReservationLine

pytestmark = pytest.mark.django_db
LIST = "/setup/calls/"
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
UTC = periods.zone("UTC")


def call(minutes: int = 0, **fields: Any) -> Invocation:
    """A finished call, so many minutes before NOW."""
    at = NOW - dt.timedelta(minutes=minutes)
    given = {
        "request_id": uuid.uuid4(), "source": "page", "created_at": at, "finished_at": at + dt.timedelta(seconds=3),
        "queue_ms": 20, "ttft_ms": 400, "duration_ms": 3_000, "outcome": "done", "attempts": 1, "input_tokens": 1_200,
        "output_tokens": 300, "person_name": "Ada", "model_name": "Big", "provider_name": "P",
    }  # fmt: skip
    return Invocation.objects.create(**given | fields)


def line(of: Invocation, kind: str, **fields: Any) -> CallLine:
    return CallLine.objects.create(request_id=of.request_id, at=of.created_at, kind=kind, **fields)


def found(**asked: str) -> list[Invocation]:
    query = QueryDict(mutable=True)
    query.update(asked)
    search = call_search.read(query, tz=UTC)
    return call_search.find(search, before=call_search.cursor(query)).calls


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


# --- who may see it ---------------------------------------------------------------------------------------------------


def test_only_staff_with_the_right_see_calls() -> None:
    mine = call()
    one = f"{LIST}{mine.request_id}/"
    clerk, owner = staff("clerk"), person("owner")
    for address in (LIST, one):
        assert signed_in(owner).get(address).status_code == 403
        assert signed_in(clerk).get(address).status_code == 403
        assert Client().get(address)["Location"].startswith("/accounts/login/")
    assert signed_in(clerk).post(f"{LIST}export/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_invocation"))
    for address in (LIST, one):
        assert "Big" in text(signed_in(clerk), address)


def test_a_manager_sees_the_calls_of_the_own_team_and_nobody_else_does() -> None:
    sales, desk = Team.objects.create(name="Sales"), Team.objects.create(name="Desk")
    mia, mate, other = person("mia"), person("mate"), person("other")
    Membership.objects.create(user=mia, team=sales, role="manager", is_primary=True)
    Membership.objects.create(user=mate, team=sales, is_primary=True)
    Membership.objects.create(user=other, team=desk, role="manager", is_primary=True)
    ours = call(team=sales.uuid, team_name="Sales", person=mate.uuid, model_name="Ours")
    theirs = call(team=desk.uuid, team_name="Desk", model_name="Theirs")
    home = f"/me/team/{sales.uuid}/calls/"
    said = text(signed_in(mia), home)
    assert "Ours" in said
    assert "Theirs" not in said
    assert "Ours" in text(signed_in(mia), f"{home}{ours.request_id}/")
    # By no condition, no id and no file does she get at another team's.
    assert "Theirs" not in text(signed_in(mia), f"{home}?team={desk.uuid}")
    assert "Theirs" not in text(signed_in(mia), f"{home}?request={theirs.request_id}")
    assert signed_in(mia).get(f"{home}{theirs.request_id}/").status_code == 404
    assert "Theirs" not in signed_in(mia).post(f"{home}export/", {"team": str(desk.uuid)}).content.decode()
    for who in (mate, other, person("nobody"), root()):
        for address in (home, f"{home}{ours.request_id}/"):
            assert signed_in(who).get(address).status_code == 404
        assert signed_in(who).post(f"{home}export/").status_code == 404
    assert Client().get(home)["Location"].startswith("/accounts/login/")


# --- what a search finds ------------------------------------------------------------------------------------------------


def test_each_condition_finds_its_calls() -> None:
    ada, team, key, model, provider = (uuid.uuid4() for _ in range(5))
    mine = call(
        person=ada, person_name="Ada Lovelace", team=team, team_name="Sales", key=key, model=model, provider=provider,
        source="api", outcome="failed", error_kind="rate_limit", provider_name="Elsewhere",
    )  # fmt: skip
    call(person_name="Bob", model_name="Small")
    conditions = {
        "person": str(ada), "team": str(team), "key": str(key), "model": str(model), "provider": str(provider),
        "source": "api", "outcome": "failed", "error": "rate_limit", "request": str(mine.request_id),
    }  # fmt: skip
    for name, value in conditions.items():
        assert found(**{name: value}) == [mine], name
    assert found(**conditions) == [mine]
    assert found(person="lovelace") == [mine]
    for word in (
        "lovelace",
        "sales",
        "ELSEWHERE",
        "busy",
        "rate_limit",
        mine.request_id.hex[:10],
        str(mine.request_id),
    ):
        assert found(q=word) == [mine], word
    assert found(q="nothing like it") == []


def test_a_whole_address_finds_the_person_whatever_the_name_was() -> None:
    ada = person("ada")
    mine = call(person=ada.uuid, person_name="Somebody")
    call(person=uuid.uuid4(), person_name="Ada")
    assert found(person="ada@example.com") == [mine]
    assert found(person="Ada <ada@example.com>") == [mine]
    assert found(person="nobody@example.com") == []


def test_words_are_looked_for_in_what_befell_the_call() -> None:
    again, moved = call(), call(1)
    call(2)
    line(again, "retried", reason="rate_limit", attempt=1)
    line(again, "claimed", attempt=2)
    line(moved, "fell_back", reason="limit_reached", detail="gpt-large")
    assert found(q="retried") == [again]
    assert found(q="tried again") == [again]
    assert found(q="fell back") == [moved]
    assert found(q="gpt-lar") == [moved]
    assert found(q="busy") == [again]


def test_moments_are_on_the_organisations_clock_unless_they_say_theirs() -> None:
    early, late = call(60), call()
    assert found(**{"from": "2026-11-20T11:30"}) == [late]
    assert found(to="2026-11-20T11:30:00Z") == [early]
    assert found(**{"from": "2026-11-20T19:30:00 08:00"}) == [late]  # a plus became a blank
    assert found(**{"from": "2026-11-20T12:00", "to": "2026-11-20T12:00"}) == []  # the end is not included
    assert found(**{"from": "yesterday", "to": "9999-99-99"}) == [late, early]
    shanghai = periods.zone("Asia/Shanghai")
    assert call_search.moment("2026-11-20", tz=shanghai) == dt.datetime(2026, 11, 19, 16, tzinfo=dt.UTC)
    Organisation.get()
    Organisation.objects.update(time_zone="Asia/Shanghai")
    said = text(signed_in(root()), f"{LIST}?from=2026-11-20T20:00")
    assert 'value="2026-11-20T20:00"' in said
    assert "Asia/Shanghai" in said
    assert str(late.request_id) in said
    assert str(early.request_id) not in said


def test_pages_follow_each_other_without_gaps_where_moments_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [call() for _ in range(7)] + [call(1)]
    expected = sorted(calls, key=lambda each: (each.created_at, each.pk), reverse=True)
    seen, before = [], None
    while True:
        page = call_search.find(call_search.Search(), before=before, most=3)
        seen += page.calls
        if not page.after:
            break
        before = call_search.cursor(QueryDict(f"before={page.after}"))
    assert seen == expected


def test_what_has_to_be_looked_at_is_looked_for_in_a_bounded_part_and_the_page_says_how_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call_search, "SPAN", 3)
    for minutes in range(6):
        call(minutes, person_name="Old" if minutes == 5 else "New")
    page = call_search.find(call_search.Search(q="old"))
    assert (page.calls, page.looked_back_to) == ([], NOW - dt.timedelta(minutes=3))
    further = call_search.find(
        call_search.Search(q="old"), before=call_search.cursor(QueryDict(f"before={page.after}"))
    )
    assert [each.person_name for each in further.calls] == ["Old"]
    said = text(signed_in(root()), f"{LIST}?q=old")
    assert "Nothing found back to" in said
    assert "Look further back" in said


def test_nonsense_in_the_address_is_as_good_as_nothing() -> None:
    mine = call()
    for asked in (
        {"person": "\x00"},
        {"team": "x"},
        {"outcome": "x"},
        {"before": "x-9"},
        {"before": "20260101T000000.0-a"},
    ):
        assert found(**asked) == [mine], asked
    assert found(request="zz") == []


# --- the pages ------------------------------------------------------------------------------------------------------------


def test_the_list_costs_the_same_with_one_and_three() -> None:
    boss, sales, mia = signed_in(root()), Team.objects.create(name="Sales"), person("mia")
    Membership.objects.create(user=mia, team=sales, role="manager", is_primary=True)
    home = f"/me/team/{sales.uuid}/calls/"
    first = call(team=sales.uuid)
    addresses = [(boss, LIST), (boss, f"{LIST}?q=ada"), (boss, f"{LIST}{first.request_id}/"), (signed_in(mia), home)]
    costs = [[cost(client, address) for client, address in addresses]]
    for minutes in (1, 2):
        line(call(minutes, team=sales.uuid), "retried")
        line(first, "retried")
    costs.append([cost(client, address) for client, address in addresses])
    assert costs[0] == costs[1] == [7, 8, 7, 8]


def test_an_empty_log_says_what_the_first_step_is() -> None:
    said = text(signed_in(root()), LIST)
    assert "No calls yet." in said
    assert "Ask one" in said


def test_a_call_shows_its_life_its_cost_and_what_limited_it() -> None:
    mine = call(
        attempts=2, tries=1, cost_micro=1_500, currency="USD", organisation_cost_micro=10_500, organisation_currency="CNY",
        rate_micro=7_000_000, reasoning_tokens=100, cached_tokens=200, estimated=True,
    )  # fmt: skip
    line(mine, "failed", reason="rate_limit", detail="HTTP 429", attempt=1)
    line(mine, "retried", reason="rate_limit", attempt=1)
    line(mine, "claimed", attempt=2)
    quota = Quota.objects.create(scope="each", unit="requests", period="day", amount=50)
    period = QuotaPeriod.objects.create(
        quota=quota, subject=uuid.uuid4(), starts_at=NOW, ends_at=NOW + dt.timedelta(days=1)
    )
    hold = Reservation.objects.create(
        request_id=mine.request_id, source="page", state="settled", closed_at=NOW, created_at=NOW, lines=1,
        input_tokens=1_300, output_tokens=4_000,
    )  # fmt: skip
    ReservationLine.objects.create(reservation=hold, period=period, amount=1, used=1)
    LedgerEntry.objects.create(
        request_id=mine.request_id, kind="settle", reserved_at=NOW, at=NOW, source="page", organisation_cost_micro=10_500,
        organisation_currency="CNY", overrun=True,
    )  # fmt: skip
    said = text(signed_in(root()), f"{LIST}{mine.request_id}/")
    for words in (
        "Asked.", "Taken by a worker.", "The provider failed: the provider was busy.", "HTTP 429",
        "Back to the queue, to be tried again: the provider was busy.", "Taken by a worker again (attempt 2).", "Finished.",
        "1,200", "200 of them cached", "100 of them reasoning", "estimated", "1 USD = 7 CNY", "Each person may use 50 questions a day",
        "1,300 tokens for the question and 4,000 for the answer", "more than was held",
    ):  # fmt: skip
        assert words in said, words


def test_a_call_that_has_not_ended_is_found_by_its_id() -> None:
    hold = Reservation.objects.create(request_id=uuid.uuid4(), source="page", created_at=NOW)
    said = text(signed_in(root()), f"{LIST}{hold.request_id}/")
    assert "It has not ended yet." in said
    assert signed_in(root("other")).get(f"{LIST}{uuid.uuid4()}/").status_code == 404


# --- the file -----------------------------------------------------------------------------------------------------------


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def test_the_file_holds_what_the_search_finds_and_no_formula() -> None:
    mine = call(
        person_name="=1+1", team_name="@x", model_name="-2", provider_name="+3", organisation_cost_micro=1_500_000
    )
    call(outcome="failed")
    answer = signed_in(root()).post(f"{LIST}export/", {"outcome": "", "q": str(mine.request_id)})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="calls-')
    (row,) = rows_of(answer.content)
    assert (row["request"], row["person"], row["team"], row["model"], row["provider"], row["own cost"]) == (
        str(mine.request_id), "'=1+1", "'@x", "'-2", "'+3", "1.5",
    )  # fmt: skip
    event = AuditEvent.objects.get(action="calls.exported")
    assert event.changes["calls"] == [None, 1]


def test_a_file_ends_at_its_size_and_says_where_the_next_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [call(minutes) for minutes in range(5)]
    monkeypatch.setattr(call_export, "MOST_BYTES", 1_000)
    seen: list[str] = []
    before = ""
    for _round in range(9):
        body = signed_in(root(f"r{_round}")).post(f"{LIST}export/", {"before": before}).content
        rows = rows_of(body)
        seen += [row["request"] for row in rows if row["request"]]
        last = rows[-1]["asked"]
        if not last.startswith("The file is full."):
            break
        before = last.rstrip(".").rpartition(" ")[2]
    assert seen == [str(each.request_id) for each in calls]


# --- the indexes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "invocation_time"),
        ({"person": str(uuid.uuid4())}, "invocation_person"),
        ({"team": str(uuid.uuid4())}, "invocation_team"),
        ({"model": str(uuid.uuid4())}, "invocation_model"),
        ({"key": str(uuid.uuid4())}, "invocation_key"),
        ({"outcome": "failed"}, "invocation_outcome"),
        ({"outcome": "bad"}, "invocation_outcome"),
        ({"error": "rate_limit"}, "invocation_error"),
    ],
)
def test_each_condition_walks_its_index(asked: dict[str, str], index: str) -> None:
    query = QueryDict(mutable=True)
    query.update(asked)
    with CaptureQueriesContext(connection) as log:
        call_search.find(call_search.read(query, tz=UTC))
    sql = log.captured_queries[-1]["sql"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}")
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = json.dumps(cursor.fetchall(), default=str)
    assert index in plan, plan
