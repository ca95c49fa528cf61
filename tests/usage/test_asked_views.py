"""The page of all requests for more: what waits, what was answered, by whom; as many queries for one as for thirty."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.models import Organisation, User
from tests.accounts.test_setup_views import signed_in
from tests.usage.making import limit
from tests.usage.test_limit_views import asked, person, shown
from usage.limit_models import QuotaRequest

pytestmark = pytest.mark.django_db
PAGE = "/setup/limits/requests/"


@pytest.fixture
def admin() -> Client:
    Organisation.get()
    return signed_in(User.objects.create_superuser("root@example.com", name="Root", language="en", time_zone="UTC"))


def test_what_waits_is_granted_here_and_moves_to_what_was_granted(admin: Client) -> None:
    row = asked(person("ada"), limit(10), amount=5)
    assert "Grant Ada 5 questions more" in shown(admin, PAGE)
    answered = admin.post(reverse("limits:answer", args=[row.uuid]), {"do": "grant", "back": "requests"}, follow=True)
    assert answered.redirect_chain == [(PAGE, 302)]
    text = answered.content.decode()
    assert "Ada has 5 questions more until tomorrow at 00:00" in text
    assert "Nothing waits for you." in text
    granted = shown(admin, PAGE, show="granted")
    assert "5 questions · until" in granted
    assert "Answered by Root" in granted
    assert "The report is due" in granted
    assert "The report is due" not in shown(admin, PAGE, show="refused")


def test_a_refusal_stands_with_its_word_and_an_erased_name_is_none(admin: Client) -> None:
    row = asked(person("ada"), limit(10))
    admin.post(reverse("limits:answer", args=[row.uuid]), {"do": "refuse", "answer": "Not this week."})
    assert "Not this week." in shown(admin, PAGE, show="refused")
    QuotaRequest.objects.update(person_name="")
    assert "Somebody whose name was erased" in shown(admin, PAGE, show="refused")


def test_a_name_or_a_reason_finds_it_and_nonsense_finds_nothing(admin: Client) -> None:
    quota = limit(10)
    asked(person("ada"), quota)
    asked(person("grace"), quota)
    assert "Grace" not in shown(admin, PAGE, q="ada")
    assert "Ada" in shown(admin, PAGE, q="REPORT is")
    nothing = shown(admin, PAGE, q="nobody\x00 at all", show="whatever", page="-7")
    assert "Nothing found." in nothing


def test_what_waits_for_a_limit_that_is_removed_is_answered_with_it(admin: Client) -> None:
    quota = limit(10)
    asked(person("ada"), quota)
    admin.post(reverse("limits:remove", args=[quota.uuid]))
    assert "Grant Ada" not in shown(admin, PAGE)
    assert "the limit was removed" in shown(admin, PAGE, show="refused")


@pytest.mark.parametrize("count", [1, 30])
def test_as_many_queries_for_one_as_for_thirty(
    count: int, admin: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    quota, root = limit(10), User.objects.get(email="root@example.com")
    for number in range(count):
        asked(person(f"person{number:02}"), quota)
    QuotaRequest.objects.update(state="refused", decided_at=root.date_joined, decided_by=root.uuid)
    admin.get(PAGE)
    with django_assert_num_queries(6):
        text = shown(admin, PAGE, show="refused")
    assert text.count("Answered by Root") == count
