"""The side list: days in the person's own clock, the same cost with 10,000 conversations, what it says when it is empty."""

from __future__ import annotations

import datetime as dt
import re
import time
import zoneinfo
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, User
from chat import page as chat_page
from chat import picker, queries
from chat.models import Conversation
from providers.models import LanguageModel, Price, Provider
from tests.chat.asking import of

pytestmark = pytest.mark.django_db
MANY = 10_000


def many(user: User, count: int, *, deleted: int = 0) -> None:
    now = timezone.now()
    Conversation.objects.bulk_create(
        (Conversation(user=user, title=f"Talk {n}", updated_at=now - dt.timedelta(minutes=n)) for n in range(count)),
        batch_size=1_000,
    )
    Conversation.objects.bulk_create(
        Conversation(user=user, title=f"Gone {n}", updated_at=now, deleted_at=now) for n in range(deleted)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chat_conversation")


def walk(user: User, *, pages: int) -> list[str]:
    """The titles of so many pages, read one after the other."""
    found, cursor = [], ""
    for _ in range(pages):
        listing = queries.conversation_list(user, cursor=cursor)
        found += [row.title for row in listing.conversations]
        cursor = listing.next_cursor
        if not cursor:
            break
    return found


# --- days ---


def test_days_are_the_days_of_the_persons_own_clock_and_language() -> None:
    moments = ["2026-05-20 23:30", "2026-05-20 15:30", "2026-05-14 12:00", "2026-04-25 12:00", "2026-01-05 12:00"]
    rows = [Conversation(updated_at=dt.datetime.fromisoformat(each).replace(tzinfo=dt.UTC)) for each in moments]

    def titles(zone: str, language: str) -> list[str]:
        now = dt.datetime(2026, 5, 21, 0, 30, tzinfo=dt.UTC)
        with (
            timezone.override(zoneinfo.ZoneInfo(zone)),
            translation.override(language),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(timezone, "localdate", lambda: timezone.localtime(now).date())
            return [day.title for day in chat_page.days(rows)]

    assert titles("UTC", "en") == ["Yesterday", "Last 7 days", "Last 30 days", "January 2026"]
    # In Shanghai it is the morning of the 21st, and the last row changed that morning.
    shanghai = ["今天", "昨天", "过去 7 天", "过去 30 天", "2026年1月"]
    assert titles("Asia/Shanghai", "zh-hans") == shanghai
    assert titles("America/Los_Angeles", "en")[0] == "Today"


def test_a_row_tells_its_date_in_the_persons_zone_and_language(owner: User) -> None:
    moment = dt.datetime(2026, 1, 5, 20, 30, tzinfo=dt.UTC)
    Conversation.objects.create(user=owner, title="Trees", updated_at=moment)
    for zone, language, words in (
        ("UTC", "en", "Trees · 5 Jan 2026, 20:30"),
        ("Asia/Shanghai", "zh-hans", "Trees · 2026年1月6日 04:30"),
    ):
        User.objects.update(time_zone=zone, language=language)
        assert f'title="{words}"' in of(owner).get("/chat/list/").content.decode()


def test_an_empty_list_offers_the_first_step(page: Client) -> None:
    assert "Write a question to begin one." in page.get("/chat/list/").content.decode()


# --- constant cost ---


def test_every_page_of_10_000_conversations_costs_the_same_one_query(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many(owner, MANY, deleted=500)
    cursor, slowest = "", 0.0
    for number in range(MANY // 40):
        began = time.perf_counter()
        with django_assert_num_queries(1):
            listing = queries.conversation_list(owner, cursor=cursor)
        slowest = max(slowest, time.perf_counter() - began)
        assert [row.title for row in listing.conversations] == [
            f"Talk {n}" for n in range(number * 40, number * 40 + 40)
        ]
        cursor = listing.next_cursor
    assert cursor == ""
    assert slowest < 0.25


@pytest.mark.parametrize("place", [0, 200])
def test_the_database_walks_the_index_and_sorts_nothing(owner: User, place: int) -> None:
    many(owner, MANY, deleted=500)
    cursor = ""
    for _ in range(place):
        cursor = queries.conversation_list(owner, cursor=cursor).next_cursor
    with CaptureQueriesContext(connection) as caught:
        queries.conversation_list(owner, cursor=cursor)
    plan = explained(caught.captured_queries[0]["sql"])
    assert "conversation_list" in plan, plan
    assert not re.search(r"USE TEMP B-TREE FOR ORDER|Sort|SCAN chat_conversation(?! USING INDEX)", plan), plan
    if place:
        assert re.search(r"user_id=\? AND updated_at<\?|Index Cond: .*updated_at", plan), plan


def explained(sql: str) -> str:
    word = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{word} {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_rows_of_the_very_same_moment_are_listed_once_each(owner: User) -> None:
    now = timezone.now()
    Conversation.objects.bulk_create(Conversation(user=owner, title=str(n), updated_at=now) for n in range(100))
    assert sorted(walk(owner, pages=5), key=int) == [str(n) for n in range(100)]


# --- the model picker ---


@pytest.mark.parametrize(
    ("currency", "given", "taken", "wanted"),
    [
        ("USD", 100_000, 400_000, ("$", "low price")),
        ("USD", 2_500_000, 10_000_000, ("$$", "medium price")),
        ("USD", 15_000_000, 75_000_000, ("$$$", "high price")),
        ("CNY", 2_000_000, 8_000_000, ("¥", "low price")),
        ("CNY", 60_000_000, 300_000_000, ("¥¥¥", "high price")),
        ("USD", 0, 0, ("", "")),
        ("XXX", 9_000_000, 9_000_000, ("", "")),
    ],
)
def test_a_price_mark_says_how_dear_a_model_is(
    model: LanguageModel, currency: str, given: int, taken: int, wanted: tuple[str, str]
) -> None:
    provider = Provider.objects.get()
    Price.objects.create(
        model=model, provider=provider, currency=currency, input_micro=given, output_micro=taken,
        effective_from=timezone.now() - dt.timedelta(days=1),
    )  # fmt: skip
    later = timezone.now() + dt.timedelta(days=1)
    Price.objects.create(model=model, provider=provider, input_micro=1, output_micro=1, effective_from=later)
    (choice,) = picker.choices([model], chosen=model)
    assert (choice.price, choice.price_words) == wanted


def test_the_picker_names_default_description_and_what_it_reads(
    page: Client, model: LanguageModel, django_assert_num_queries: Any
) -> None:
    LanguageModel.objects.update(description="For <everyday> questions")
    shown = page.get("/chat/").content.decode()
    label = shown[shown.index('<label class="model">') : shown.index("</label>")]
    assert "For &lt;everyday&gt; questions · reads text" in label
    assert "Default" in label
    assert 'type="radio" name="model" form="composer" value="demo"' in label
    assert "price" not in label, "nothing is said where no price is known"
    with django_assert_num_queries(1):
        picker.choices([model], chosen=None)


# --- starters ---


def test_the_organisations_own_starters_take_the_place_of_the_general_ones(page: Client) -> None:
    general = page.get("/chat/").content.decode()
    assert general.count('class="start"') == 4
    row = Organisation.get()
    row.starters = (
        "Write to a client | Write a letter to a client about:\n\n  \n| no title\nHolidays\n" + "More|x\n" * 9
    )
    row.save()
    shown = page.get("/chat/").content.decode()
    assert "Summarise meeting notes" not in shown
    assert 'data-words="Write a letter to a client about: "' in shown
    assert 'data-words="Holidays "' in shown
    assert shown.count('class="start"') == 4


def test_an_administrator_edits_the_starters(owner: User) -> None:
    User.objects.update(is_staff=True, is_superuser=True)
    assert 'name="starters"' in of(User.objects.get()).get("/admin/accounts/organisation/1/change/").content.decode()
