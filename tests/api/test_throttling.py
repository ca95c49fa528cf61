"""A61: how often somebody may ask is counted per person and per key, in the database, and by nothing that a client says."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import Tries, User
from accounts.tries import Limit
from api import throttling
from api.errors import Problem
from tests.api.conftest import Call, key_of, problem, token_of


@pytest.mark.django_db
def test_a_person_has_one_limit_over_all_her_keys_and_tokens(call: Call, ada: User, settings: Any) -> None:
    settings.API_PER_MINUTE = 6
    credentials = [key_of(ada), key_of(ada, name="other"), token_of(ada)]
    for _ in range(2):
        for credential in credentials:
            assert call("GET", "me/", credential=credential).status_code == 200
    for credential in (*credentials, key_of(ada, name="new"), token_of(ada)):
        answer = call("GET", "me/", credential=credential)
        problem(answer, 429, "too_many_requests")
        assert 0 < int(answer["Retry-After"]) <= 60


@pytest.mark.django_db
def test_a_key_has_a_limit_of_its_own_that_leaves_room_for_the_others(call: Call, ada: User, settings: Any) -> None:
    settings.API_PER_MINUTE, settings.API_KEY_PER_MINUTE = 10, 2
    runaway, other = key_of(ada), key_of(ada, name="other")
    assert [call("GET", "me/", credential=runaway).status_code for _ in range(12)] == [200] * 2 + [429] * 10
    assert call("GET", "me/", credential=other).status_code == 200


@pytest.mark.django_db
def test_one_persons_limit_is_not_anothers(call: Call, ada: User, settings: Any) -> None:
    settings.API_PER_MINUTE = 1
    bob = User.objects.create_user("bob@example.com")
    token, other = token_of(ada), token_of(bob)
    assert [call("GET", "me/", credential=token).status_code for _ in range(2)] == [200, 429]
    assert call("GET", "me/", credential=other).status_code == 200


@pytest.mark.django_db
def test_nothing_that_a_client_says_buys_another_request(call: Call, ada: User, settings: Any) -> None:
    settings.API_PER_MINUTE = 1
    token = token_of(ada)
    auth = {"authorization": f"Bearer {token}"}
    assert call("GET", "me/", credential=token).status_code == 200
    for more in (
        {"x-forwarded-for": "198.51.100.1"},
        {"x-real-ip": "198.51.100.1"},
        {"user-agent": "other"},
        {"accept": "text/html"},
    ):
        problem(call("GET", "me/", headers=auth | more), 429, "too_many_requests")
    for method, path in (("HEAD", "me/"), ("GET", "me/?x=1"), ("GET", "keys/"), ("POST", "keys/"), ("PATCH", "me/")):
        assert call(method, path, credential=token, address="198.51.100.7").status_code == 429, (method, path)


@pytest.mark.django_db
def test_what_is_refused_before_costs_the_person_nothing(call: Call, ada: User, settings: Any) -> None:
    settings.API_PER_MINUTE = 1
    narrow = key_of(ada, scopes=["chat"])
    for _ in range(3):
        problem(call("GET", "keys/", credential=narrow), 403, "forbidden")
        problem(call("GET", "me/", credential="sk-" + "a" * 48), 401, "invalid_key")
    assert call("GET", "me/", credential=narrow).status_code == 200


@pytest.mark.django_db
def test_nobody_can_read_from_the_counts_who_asked(call: Call, ada: User) -> None:
    call("GET", "me/", credential=key_of(ada))
    assert Tries.objects.count() == 2
    assert all(len(row.key) == 64 and str(ada.uuid) not in row.key for row in Tries.objects.all())


@pytest.mark.django_db(transaction=True)
def test_of_forty_requests_at_once_exactly_the_allowed_ones_pass() -> None:
    outcome: list[bool] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait(30)
        for _ in range(5):
            try:
                throttling.count(Limit("api:test", 13, 60))
                outcome.append(True)
            except Problem:
                outcome.append(False)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (outcome.count(True), outcome.count(False)) == (13, 27)


@pytest.mark.django_db(transaction=True)
def test_looking_first_and_writing_then_lets_more_pass_than_may() -> None:
    """The control: what REST framework's own throttles do."""
    row = Tries.objects.create(key="control", count=0, ends=2**40)
    passed: list[bool] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        seen = Tries.objects.get(pk=row.pk).count
        barrier.wait(30)
        if seen < 1:
            passed.append(True)
            Tries.objects.filter(pk=row.pk).update(count=seen + 1)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(passed) > 1


@pytest.mark.django_db(transaction=True)
def test_what_the_thread_commits_next_waits_for_the_disk_again() -> None:
    statement = "PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit"
    with connection.cursor() as cursor:
        before = cursor.execute(statement).fetchone()
        throttling.count(Limit("api:test", 5, 60))
        assert cursor.execute(statement).fetchone() == before
    assert connection.vendor != "sqlite" or before == (2,)  # FULL
