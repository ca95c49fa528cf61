"""API keys in use: the last use is noted and never in the way; lists, sweeping, and what the audit trail says."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from accounts import api_keys, last_used
from accounts.models import ApiKey, AuditEvent, User
from tests.accounts.programs import ADDRESS, ago, asked

pytestmark = pytest.mark.django_db


def make(user: User, **words: Any) -> tuple[ApiKey, str]:
    return api_keys.make(user, **{"name": "editor", "scopes": ["chat", "models"]} | words)


@pytest.fixture
def program(ada: User) -> User:
    return User.objects.create(email="report@programs.invalid", name="Report", is_service=True, owner=ada)


def test_the_last_use_is_written_at_most_once_a_minute(ada: User) -> None:
    key = api_keys.find(make(ada)[1], address=ADDRESS)
    assert key is not None
    with CaptureQueriesContext(connection) as made:
        last_used.note(key, address=ADDRESS)
    assert len([q for q in made if q["sql"].startswith("UPDATE")]) == 1
    key.refresh_from_db()
    first = key.last_used_at
    assert (first is not None, key.last_address) == (True, ADDRESS)
    with CaptureQueriesContext(connection) as made:
        last_used.note(key, address="192.0.2.99")
    assert len(made) == 0
    stale = ApiKey.objects.get(pk=key.pk)
    stale.last_used_at = None  # read before another process wrote
    last_used.note(stale, address="192.0.2.99")
    key.refresh_from_db()
    assert (key.last_used_at, key.last_address) == (first, ADDRESS)
    ApiKey.objects.update(last_used_at=ago(seconds=61))
    key.refresh_from_db()
    last_used.note(key, address="192.0.2.99")
    key.refresh_from_db()
    assert key.last_address == "192.0.2.99"


def test_a_last_use_that_cannot_be_written_refuses_nobody(ada: User, caplog: pytest.LogCaptureFixture) -> None:
    key, _secret = make(ada)

    def broken(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise DatabaseError("disk full")
        return execute(sql, *rest)

    with connection.execute_wrapper(broken):
        last_used.note(key, address=ADDRESS)
    assert "was not noted" in caplog.text
    assert ApiKey.objects.get().last_used_at is None  # the connection is usable


@pytest.mark.parametrize("count", [1, 3])
def test_a_list_holds_own_keys_and_those_of_own_programs_in_one_query(ada: User, program: User, count: int) -> None:
    bob = User.objects.create_user("bob@example.com")
    make(bob)
    own = [make(ada)[0] for _ in range(count)] + [make(program, by=ada)[0] for _ in range(count)]
    with CaptureQueriesContext(connection) as made:
        found = list(api_keys.listed(ada))
        assert {str(key.user) for key in found} == {"Ada", "Report"}
        assert all(key.successor is None for key in found)
    assert len(made) == 1
    assert {key.pk for key in found} == {key.pk for key in own}


def test_what_is_over_for_long_is_swept_away(ada: User) -> None:
    revoked, expired, rolled, living = (make(ada)[0] for _ in range(4))
    new, _secret = api_keys.roll(rolled, keep_hours=0, by=ada)
    ApiKey.objects.filter(pk=revoked.pk).update(revoked_at=ago(days=91))
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=ago(days=91))
    ApiKey.objects.filter(pk=rolled.pk).update(expires_at=ago(days=91))
    assert api_keys.sweep(now=ago()) == 3
    assert {key.pk for key in ApiKey.objects.all()} == {living.pk, new.pk}


def test_making_is_written_down_with_what_it_may_do_and_without_the_secret(ada: User) -> None:
    key, secret = make(ada, allowed_ips=["192.0.2.7"], request=asked())
    (event,) = AuditEvent.objects.filter(action="key.made")
    assert (event.target, event.target_name, event.actor, event.address) == (key.uuid, "editor", ada.uuid, ADDRESS)
    assert event.changes == {"scopes": [None, ["chat", "models"]]}
    assert event.private == {"allowed_ips": [None, ["192.0.2.7/32"]]}
    assert secret not in str(AuditEvent.objects.values())
