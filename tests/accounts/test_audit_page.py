"""The trail's page, its files and a person's own list: who may, what a search finds and costs, and what a file says."""

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
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from accounts import audit, audit_chain, audit_export, audit_search, audit_words, csv_file
from accounts.models import AuditEvent, Team, User
from tests.accounts.test_audit import request

pytestmark = pytest.mark.django_db
PAGE, EXPORT, MINE = "/setup/audit/", "/setup/audit/export/", "/me/trail/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root@example.com", name="Root", language="en")


@pytest.fixture
def admin(root: User) -> Client:
    return signed_in(root)


def seed(count: int, *, actor: User | None = None, action: str = "team.added", name: str = "Sales") -> None:
    team = Team(name=name)
    for _ in range(count):
        audit.record(action, actor=actor, target=team)


def shown(client: Client, **given: Any) -> str:
    answer = client.get(PAGE, given)
    assert answer.status_code == 200
    return answer.content.decode()


def numbers(search: audit_search.Search, **more: int) -> list[int]:
    return [event.number for event in audit_search.find(search, **more).events]


# --- who may ---


def test_only_those_who_may_see_the_trail_see_it_or_take_it_along(ada: User, root: User) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    auditor = User.objects.create_user("auditor@example.com", is_staff=True)
    auditor.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    assert Client().get(PAGE)["Location"] == f"/accounts/login/?next={PAGE}"
    for person, status in ((ada, 403), (staff, 403), (auditor, 200), (root, 200)):
        client = signed_in(person)
        assert client.get(PAGE).status_code == status
        assert client.post(EXPORT, {"format": "csv"}).status_code == status
    assert [event.actor for event in AuditEvent.objects.filter(action="audit.exported")] == [auditor.uuid, root.uuid]
    assert signed_in(root).get(EXPORT).status_code == 405


# --- the page ---


def test_an_event_reads_as_a_sentence_with_before_and_after_in_both_languages(
    admin: Client, ada: User, root: User
) -> None:
    changes: dict[str, list[Any]] = {
        "name": ["Ada", "<b>Ada</b>"],
        "role": ["colleague", "staff"],
        "active": [True, False],
    }
    audit.record("person.changed", request=request(root, agent="Firefox/1 Windows"), target=ada, changes=changes)
    page = shown(admin)
    assert 'Root &lt;root@example.com&gt;</a> changed <a href="/setup/audit/?whom=Ada' in page
    assert "<dt>name</dt><dd><del>Ada</del>" in page
    assert "<ins>&lt;b&gt;Ada&lt;/b&gt;</ins>" in page
    assert "<del>yes</del>" in page
    assert "192.0.2.7 · Firefox, Windows" in page
    User.objects.update(language="zh-hans")
    page = shown(admin)
    assert "更改了" in page
    assert "<del>是</del>" in page


def test_an_empty_search_offers_the_way_back(admin: Client) -> None:
    page = shown(admin, who="nobody at all")
    assert "Nothing found." in page
    assert page.count('href="/setup/audit/"') == 2


def test_a_search_in_an_address_is_whatever_can_be_made_of_it(admin: Client) -> None:
    nonsense = {
        "who": "\x00" * 5,
        "what": "x' OR 1=1",
        "since": "soon",
        "until": "9999-99-99",
        "before": "-1",
        "address": "%",
    }
    assert "Nothing found." in shown(admin, **nonsense)
    for before in ("0", "9" * 18, "9" * 40, "٣", "1e5"):
        shown(admin, before=before)


def test_fifty_a_page_and_the_cursor_walks_on(admin: Client) -> None:
    seed(119)
    first = audit_search.find(audit_search.Search())
    assert [first.events[0].number, first.events[-1].number, first.after] == [120, 71, 71]
    second = audit_search.find(audit_search.Search(), before=first.after)
    third = audit_search.find(audit_search.Search(), before=second.after)
    assert [event.number for event in third.events] == list(range(20, 0, -1))
    assert third.after == 0
    assert "Older" in shown(admin, before=71)
    assert "Older" not in shown(admin, before=21)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_page_costs_the_same_whatever_it_shows(
    admin: Client, root: User, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    seed(rows * 20, actor=root)
    shown(admin)  # the first time: what is remembered per process
    with django_assert_num_queries(5):  # session, person, organisation, events, last proof
        shown(admin)
    with django_assert_num_queries(6):  # and the person whose e-mail this is
        shown(admin, who="root@example.com")
    with django_assert_num_queries(6):  # and the newest number: words are looked for in a range
        shown(admin, who="Root")
    with django_assert_num_queries(7):  # and the ends of the days
        shown(admin, since="2020-01-01", until="2100-01-01")


def test_a_search_finds_by_every_field(admin: Client, root: User, ada: User) -> None:
    audit.record("team.added", request=request(root, address="192.0.2.70"), target=Team(name="Sales"))  # 2
    audit.record("person.changed", request=request(ada, address="198.51.100.1"), target=ada)  # 3
    audit.record("person.deleted", actor=root, target=ada)  # 4
    of = audit_search.Search
    assert numbers(of(who="root@example.com")) == [4, 2, 1]
    assert numbers(of(who="ADA")) == [3]
    assert numbers(of(who="Root <root@example.com>")) == [4, 2, 1]
    assert numbers(of(whom="ada@example.com")) == [4, 3]
    assert numbers(of(whom="sal")) == [2]
    assert numbers(of(what="person")) == [4, 3]
    assert numbers(of(what="person.deleted")) == [4]
    assert numbers(of(what="person", who="root@example.com")) == [4]
    assert numbers(of(address="192.0.2.7")) == [2]
    assert numbers(of(address="%")) == []
    assert numbers(of(whom="_____")) == []


def test_days_are_the_readers_days(ada: User) -> None:
    seed(1)
    now = timezone.now()
    with timezone.override(dt.timezone(dt.timedelta(hours=14))):
        today = timezone.localdate(now)
        of = audit_search.Search
        assert numbers(of(since=today, until=today)) == [1]
        assert numbers(of(until=today - dt.timedelta(days=1))) == []
        assert numbers(of(since=today + dt.timedelta(days=1))) == []
        assert numbers(of(since=today, who="nobody")) == []


def test_words_are_looked_for_a_bounded_way_back_and_the_page_says_how_far(
    admin: Client, root: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(audit_search, "SPAN", 20)
    seed(1, name="Rare")
    seed(57)
    search = audit_search.Search(whom="rare")
    with django_assert_num_queries(3):  # the newest number, the events, the day of the end of the look
        page = audit_search.find(search)
    assert (page.events, page.after) == ([], 40)
    assert page.looked_back_to is not None
    assert "Nothing found back to" in shown(admin, whom="rare")
    assert "Look further back" in shown(admin, whom="rare")
    second = audit_search.find(search, before=40)
    assert (second.events, second.after) == ([], 20)
    assert numbers(search, before=20) == [2]
    assert [event.number for event in audit_search.walk(search)] == [2]
    # One person or one action is found by index, however far back.
    assert numbers(audit_search.Search(what="sign_in.succeeded")) == [1]


def test_no_search_ever_walks_the_table_or_skips_rows(root: User) -> None:
    """What the database does for each kind of search, on a trail that is longer than it would like."""
    seed(300, actor=root)
    if connection.vendor != "sqlite":
        pytest.skip("the planner of a small PostgreSQL table says nothing")
    of = audit_search.Search
    searches = [of(), of(what="team.added"), of(who="root@example.com"), of(whom="root@example.com"), of(who="Root")]
    for search in searches:
        rows, _scans = audit_search._matching(search)
        top, bottom = audit_search._range(search, before=0, head=True)
        plan = rows.filter(number__lt=top, number__gte=bottom).order_by("-number")[:51].explain()
        assert "USING INDEX" in plan, (search, plan)
        assert "TEMP B-TREE" not in plan, (search, plan)
        assert "OFFSET" not in str(rows.query)


def test_a_broken_trail_is_said_on_its_page(admin: Client) -> None:
    assert "Not checked yet" in shown(admin)
    audit.record("audit.verified", changes={"events": [None, 1]})
    assert "1 event, unbroken." in shown(admin)
    audit.record("audit.broken", changes={"events": [None, 1], "fault": [None, "event 2 was changed"]})
    page = shown(admin)
    assert 'role="alert"' in page
    assert "event 2 was changed" in page


def test_every_action_and_every_kind_of_actor_has_words_in_both_languages(ada: User) -> None:
    erased = AuditEvent(action="person.changed", actor=uuid.uuid4(), target_kind="person", target_personal="x")
    for language, somebody in (("en", "Somebody whose name was erased"), ("zh-hans", "已抹去姓名的人")):
        with translation.override(language):
            assert audit_words.plain_sentence(erased).startswith(somebody)
            for kind in ("person", "command", "system", "anonymous"):
                event = AuditEvent(action="team.added", actor_kind=kind, target_name="50 % {x} <i>")
                assert "50 % {x} &lt;i&gt;" in audit_words.sentence(event)
            assert all(items for _group, items in audit_words.choices())
    with translation.override("zh-hans"):
        assert all(any("\u4e00" <= char <= "\u9fff" for char in group) for group, _ in audit_words.choices())


# --- files ---


def test_the_csv_escapes_what_a_spreadsheet_would_run(admin: Client, root: User) -> None:
    evil = User.objects.create_user("evil@example.com", name='=HYPERLINK("http://evil")')
    audit.record("person.changed", request=request(evil, agent="@SUM(1)"), target=evil, changes={"role": ["-1", "+1"]})
    answer = admin.post(EXPORT, {"format": "csv", "who": "evil@example.com"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == f'attachment; filename="audit-{timezone.localdate()}-2-2.csv"'
    text = answer.content.decode()
    assert text.startswith("\ufeffnumber,at,action")
    rows = list(csv.DictReader(io.StringIO(text[1:])))
    assert [row["number"] for row in rows] == ["2"]
    assert rows[0]["who"] == '\'=HYPERLINK("http://evil") <evil@example.com>'
    assert rows[0]["event"].startswith("'=HYPERLINK")
    assert rows[0]["device"] == "'@SUM(1)"
    cells = [cell for row in csv.reader(io.StringIO(text[1:])) for cell in row]
    assert not [cell for cell in cells if cell.startswith(csv_file.FORMULA)]


def test_exporting_is_an_event_with_what_was_taken(admin: Client, root: User) -> None:
    seed(3, actor=root)
    admin.post(EXPORT, {"format": "jsonl", "who": "root@example.com", "before": "4"})
    event = AuditEvent.objects.get(action="audit.exported")
    assert event.changes == {"format": [None, "jsonl"], "events": [None, 3], "numbers": [None, "3-1"]}
    assert event.private == {"filter": [None, {"who": "root@example.com"}]}
    assert admin.post(EXPORT, {"format": "xlsx"}).status_code == 404
    assert AuditEvent.objects.filter(action="audit.exported").count() == 1


def test_the_json_lines_hold_all_it_takes_to_prove_the_chain_elsewhere(admin: Client, root: User, ada: User) -> None:
    audit.record("person.changed", actor=root, target=ada, changes={"name": ["A", "阿达"], "role": [None, "staff"]})
    seed(2, actor=root)
    text = admin.post(EXPORT, {"format": "jsonl"}).content.decode()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["number"] for row in rows] == [4, 3, 2, 1]
    for row, older in zip(rows, [*rows[1:], {"hash": audit_chain.GENESIS}], strict=True):
        row["at"] = dt.datetime.fromisoformat(row["at"])
        event = AuditEvent(**row)
        assert audit_chain.event_hash(event) == event.hash
        assert event.previous == older["hash"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_full_file_says_so_and_the_next_one_goes_on(
    admin: Client, root: User, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(99, actor=root)
    monkeypatch.setattr(audit_export, "MOST_BYTES", 20_000)
    before, seen, files = "", [], 0
    while True:
        answer = admin.post(EXPORT, {"format": kind, "what": "team.added", "before": before})
        assert len(answer.content) < 20_500
        files += 1
        *lines, last = answer.content.decode().splitlines()
        cells = [line.lstrip("\ufeff").split(",")[0] for line in lines if not line.startswith("\ufeff")]
        seen += [int(cell.removeprefix('{"number":')) for cell in cells]
        if '"cut": true' not in last and "The file is full" not in last:
            seen.append(int(last.split(",")[0].removeprefix('{"number":')))
            break
        before = str(seen[-1])
        assert before in last
    assert files > 1
    assert seen == list(range(100, 1, -1))


def test_one_event_larger_than_a_file_is_still_exported(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(2)
    monkeypatch.setattr(audit_export, "MOST_BYTES", 10)
    file = audit_export.as_json_lines(audit_search.Search())
    assert (file.count, file.more_below) == (1, 3)


# --- one's own ---


def test_the_own_list_shows_the_owner_everything_and_nobody_else_anything(ada: User, root: User) -> None:
    teammate, stranger = (User.objects.create_user(f"{name}@example.com") for name in ("mate", "stranger"))
    audit.record(
        "person.changed",
        request=request(root, agent="Firefox/1 Windows"),
        target=ada,
        changes={"name": ["Ada", "A. L."]},
    )
    audit.record("sign_in.failed", request=request(address="203.0.113.9"), target=ada, actor_kind="anonymous")
    page = signed_in(ada).get(MINE).content.decode()
    assert "A. L." in page
    assert "Root &lt;root@example.com&gt;" in page
    assert "203.0.113.9" in page  # who tried to be her
    assert "192.0.2.7" not in page  # where a colleague sits is not hers to know
    assert "No. " not in page
    for other in (teammate, stranger):
        page = signed_in(other).get(MINE).content.decode()
        assert "A. L." not in page
        assert "203.0.113.9" not in page
        assert "signed in" in page
    assert Client().get(MINE)["Location"] == f"/accounts/login/?next={MINE}"
    settings_page = signed_in(ada).get("/me/").content.decode()
    assert "A. L." in settings_page
    assert f'href="{MINE}"' in settings_page


@pytest.mark.parametrize("rows", [1, 3])
def test_the_own_list_is_one_query(ada: User, rows: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = signed_in(ada)
    for _ in range(rows * 30):
        audit.record("person.changed", actor=ada, target=ada)
    client.get(MINE)  # the first one notes that the sign-in is in use
    with django_assert_num_queries(4):  # session, person, organisation, events
        page = client.get(MINE).content.decode()
    assert ("Older" in page) == (rows == 3)
    with django_assert_num_queries(1):
        assert len(audit_search.about(ada, before=10).events) == 9
