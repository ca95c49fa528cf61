"""Announcements: shown from their moment to their end, put away by each person for herself, never anything but text."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import announcements
from accounts.models import Announcement, AnnouncementRead, AuditEvent, Organisation, User
from tests.chat import scene

pytestmark = pytest.mark.django_db
LIST = reverse("setup_accounts:announcements")


@pytest.fixture
def boss() -> User:
    scene.model()
    return User.objects.create_superuser("root@example.com")


def of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def moment(minutes: int) -> str:
    return (timezone.localtime() + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M")


def announce(boss: User, text: str = "Lunch is late.", *, start: str = "", end: str = "", level: str = "info") -> int:
    given = {"text": text, "level": level, "starts_at": start, "ends_at": end or moment(60)}
    return of(boss).post(LIST, given).status_code


def sees(user: User, text: str = "Lunch is late.") -> bool:
    return text in of(user).get("/chat/").content.decode()


def test_everybody_sees_it_until_she_puts_it_away_for_herself(boss: User) -> None:
    one, other = (User.objects.create_user(f"{name}@example.com") for name in ("one", "other"))
    assert announce(boss) == 302
    found = Announcement.objects.get()
    assert (sees(one), sees(other)) == (True, True)
    where = reverse("accounts:announcement_read", args=[found.uuid])
    answer = of(one).post(where, {"next": "/chat/"})
    assert (answer.status_code, answer["Location"]) == (302, "/chat/")
    of(one).post(where, {"next": "https://elsewhere.example/"})  # repeated, and led nowhere else
    assert AnnouncementRead.objects.count() == 1
    assert (sees(one), sees(other)) == (False, True)


def test_it_has_a_beginning_and_an_end(boss: User) -> None:
    announce(boss, start=moment(10))
    assert not sees(boss)
    Announcement.objects.update(starts_at=timezone.now() - dt.timedelta(hours=2))
    assert sees(boss)
    Announcement.objects.update(ends_at=timezone.now() - dt.timedelta(hours=1))
    assert not sees(boss)


def test_other_words_are_shown_again_and_taken_away_it_is_gone(boss: User) -> None:
    announce(boss)
    found = Announcement.objects.get()
    announcements.put_away(found, user=boss)
    where = reverse("setup_accounts:announcement", args=[found.uuid])
    given = {"text": "Lunch is early.", "level": "warn", "starts_at": moment(-5), "ends_at": moment(60)}
    assert of(boss).post(where, given).status_code == 302
    assert sees(boss, "Lunch is early.")
    assert of(boss).post(where, {"do": "remove"}).status_code == 302
    assert not Announcement.objects.exists()
    assert Organisation.get().announced_until is None
    actions = AuditEvent.objects.filter(action__startswith="announcement.").order_by("number")
    assert [each.action for each in actions] == ["announcement.made", "announcement.changed", "announcement.removed"]
    assert actions[0].changes["words"] == [None, "Lunch is late."]


@pytest.mark.parametrize(
    ("start", "end"),
    [("", ""), ("2030-01-02T00:00", "2030-01-01T00:00"), ("x", "2030-01-01T00:00"), ("", "2020-01-01T00:00")],
)
def test_a_senseless_time_is_refused(boss: User, start: str, end: str) -> None:
    given = {"text": "x", "level": "info", "starts_at": start, "ends_at": end}
    answer = of(boss).post(LIST, given)
    assert answer.status_code == 422
    assert not Announcement.objects.exists()


def test_an_attack_in_it_is_inert(boss: User) -> None:
    attack = "<script>alert(1)</script>\n\n[x](javascript:alert(1)) <b onclick=x>"
    announce(boss, attack)
    for path in ("/chat/", LIST):
        shown = of(boss).get(path).content.decode()
        assert "<script>alert" not in shown
        assert "<b onclick" not in shown
        assert "&lt;script&gt;alert(1)" in shown
        assert 'href="javascript' not in shown


def test_a_chat_without_announcements_asks_for_none(
    boss: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert announcements.shown_to(boss, organisation=Organisation(announced_until=None)) == []
    announce(boss)
    organisation = Organisation.get()
    with django_assert_num_queries(1):
        assert len(announcements.shown_to(boss, organisation=organisation)) == 1


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_often_for_three_as_for_one(
    boss: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _each in range(count):
        announce(boss)
    client = of(boss)
    client.get(LIST)
    with django_assert_num_queries(5):
        assert client.get(LIST).content.decode().count("shown now") == count


def test_colleagues_do_not_announce(boss: User) -> None:
    client = of(User.objects.create_user("mate@example.com"))
    assert client.post(LIST, {"text": "x", "level": "info", "ends_at": moment(5)}).status_code == 403
    assert not Announcement.objects.exists()
