"""House rules: each version is shown once, and who agreed to which one, when, is kept and shown to the administrator."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts import house_rules
from accounts.models import Organisation, RulesAgreement, RulesVersion, User

pytestmark = pytest.mark.django_db
PAGE = reverse("setup_accounts:agreements")


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("root@example.com", name="Root")


def of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def write(boss: User, text: str) -> str:
    given = {"name": "Chat", "house_rules": text}
    assert of(boss).post(reverse("setup_accounts:organisation"), given).status_code == 302
    return hashlib.sha256(text.encode()).hexdigest()


def agree(user: User, digest: str) -> None:
    of(user).post(reverse("accounts:house_rules"), {"rules": digest, "next": "/"})


def test_each_version_has_its_own_agreements_and_none_is_lost(boss: User) -> None:
    mate = User.objects.create_user("mate@example.com", name="Mate")
    first = write(boss, "Be kind.")
    agree(mate, first)
    agree(mate, first)
    second = write(boss, "Be kind, and brief.")
    assert house_rules.to_read(User.objects.get(pk=mate.pk), organisation=Organisation.get()) is not None
    agree(mate, "f" * 64)  # no text that stands here
    agree(mate, second)
    kept = RulesAgreement.objects.order_by("pk").values_list("user__name", "digest")
    assert list(kept) == [("Mate", first), ("Mate", second)]
    assert list(RulesVersion.objects.order_by("pk").values_list("text", flat=True)) == [
        "Be kind.",
        "Be kind, and brief.",
    ]
    shown = of(boss).get(PAGE).content.decode()
    assert "1 of 2 people have agreed." in shown
    assert "Mate" in shown
    missing = of(boss).get(PAGE, {"show": "missing"}).content.decode()
    assert "<b>Root</b>" in missing
    assert "<b>Mate</b>" not in missing
    assert "Be kind." in missing


def test_whoever_agreed_before_moments_were_kept_is_shown_as_such(boss: User) -> None:
    digest = write(boss, "Be kind.")
    User.objects.filter(pk=boss.pk).update(house_rules_read=digest)
    assert "before this was kept" in of(boss).get(PAGE).content.decode()


def test_without_rules_the_page_says_so(boss: User) -> None:
    assert "There are none: nobody is asked anything." in of(boss).get(PAGE).content.decode()


def test_colleagues_do_not_see_who_agreed(boss: User) -> None:
    assert of(User.objects.create_user("mate@example.com")).get(PAGE).status_code == 403


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_as_often_for_three_as_for_one(
    boss: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    digest = write(boss, "Be kind.")
    for number in range(count):
        agree(User.objects.create_user(f"mate{number}@example.com"), digest)
    client = of(boss)
    client.get(PAGE)
    with django_assert_num_queries(10):
        assert f"{count} of {count + 1} people" in client.get(PAGE).content.decode()


def test_starters_are_four_lines_with_titles(boss: User) -> None:
    where = reverse("setup_accounts:organisation")
    good = "Sum up | Sum this up:\n\nTranslate"
    assert of(boss).post(where, {"name": "Chat", "starters": good}).status_code == 302
    assert Organisation.get().starters == "Sum up | Sum this up:\nTranslate"
    for bad, says in (("a\nb\nc\nd\ne", "At most four lines."), ("| x", "begins with a title")):
        answer = of(boss).post(where, {"name": "Chat", "starters": bad})
        assert says in answer.content.decode()
