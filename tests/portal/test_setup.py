"""`manage.py setup`: the first administrator, a repeat, and what a newer database gets to hear."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from accounts.models import AuditEvent, User
from providers import environment
from usage.models import Quota

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "sync", list)


def run(**options: object) -> str:
    said = io.StringIO()
    call_command("setup", stdout=said, address="http://chat.test", **options)
    return said.getvalue()


def test_without_settings_the_first_administrator_gets_a_one_time_password() -> None:
    found = re.fullmatch(r"Sign in at http://chat\.test/ as admin@example\.com, one-time password (\S{16})\n", run())
    assert found
    person = User.objects.get()
    assert (person.email, person.is_superuser, person.is_staff, person.password_expired) == (
        "admin@example.com",
        True,
        True,
        True,
    )
    assert person.check_password(found[1])


def test_a_fresh_portal_begins_with_limits_and_only_a_fresh_one(settings: Settings) -> None:
    settings.FIRST_LIMITS = ""
    line = "It begins with limits: 1,000 questions a day for all together, 200 questions a day for each person"
    assert run().splitlines()[1:] == [line]
    found = Quota.objects.order_by("pk").values_list("scope", "unit", "period", "amount", "at_limit")
    assert list(found) == [
        ("organisation", "requests", "day", 1_000, "block"),
        ("each", "requests", "day", 200, "block"),
    ]
    assert list(AuditEvent.objects.filter(action="limit.added").values_list("actor_kind", flat=True)) == ["command"] * 2
    Quota.objects.update(removed_at=datetime.now(UTC))
    User.objects.all().delete()
    assert run().splitlines()[1:] == []


def test_a_given_password_is_kept_and_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_EMAIL", "Chief@Example.com")
    monkeypatch.setenv("ADMIN_PASSWORD", "correct-horse-battery")
    said = run()
    assert said == "Sign in at http://chat.test/ as Chief@Example.com, with the password from ADMIN_PASSWORD\n"
    person = User.objects.get(email="chief@example.com")
    assert (person.check_password("correct-horse-battery"), person.password_expired) == (True, False)


def test_a_repeat_says_nothing_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    before = list(User.objects.values())
    monkeypatch.setenv("ADMIN_EMAIL", "second@example.com")
    assert run() == ""
    assert list(User.objects.values()) == before


def test_a_database_with_an_unknown_migration_is_refused_before_anything_changes() -> None:
    recorded(app="chat", name="9999_from_the_future")
    with pytest.raises(CommandError, match=r"newer than this code \(it has chat\.9999_from_the_future\)"):
        run()
    assert not User.objects.exists()


def test_migrations_of_an_app_that_is_gone_do_not_stop_the_start() -> None:
    recorded(app="left_long_ago", name="0001_initial")
    assert "Sign in" in run()


def recorded(*, app: str, name: str) -> None:
    with connection.cursor() as cursor:
        query = "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, %s)"
        cursor.execute(query, [app, name, datetime.now(UTC)])
