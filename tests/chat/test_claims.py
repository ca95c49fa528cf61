"""Who is next: fairness, limits, circuits, and that no question is taken twice however many take at once."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from chat import claims
from chat.models import Generation
from providers.models import LanguageModel, ModelRoute, Provider, ProviderState
from tests.chat import scene
from tests.chat.scene import Hands, State, ask, queue

pytestmark = pytest.mark.django_db
Circuit = ProviderState.Circuit


def test_a_claim_takes_the_row_with_a_lease_and_a_new_attempt(ada: User, gpt: LanguageModel) -> None:
    sent = ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    assert taken == sent.generation
    assert (taken.state, taken.attempt, taken.lease_owner, taken.revision) == (State.RUNNING, 1, hands.owner, 2)
    assert taken.provider == gpt.routes.get().provider
    assert taken.lease_expires_at is not None
    assert 18 < (taken.lease_expires_at - timezone.now()).total_seconds() < 21
    assert Hands().take() == []


def test_nothing_waiting_costs_one_query(gpt: LanguageModel, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert claims.claim(uuid.uuid4(), places=10) == []
    with django_assert_num_queries(0):
        assert claims.claim(uuid.uuid4(), places=0) == []


def test_a_claim_of_ten_costs_as_much_as_a_claim_of_one(
    ada: User, settings: LazySettings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.PERSON_CONCURRENCY = 100
    server = 3 * int(connection.vendor == "postgresql")  # the lock, the time, NOTIFY
    for count in (1, 10):
        queue(ada, count)
        with django_assert_num_queries(8 + server):
            assert len(claims.claim(uuid.uuid4(), places=count)) == count


def test_with_five_hundred_queued_of_one_person_anothers_question_is_next(ada: User, bob: User) -> None:
    queue(ada, 500)
    mine = ask(bob).generation
    assert mine in Hands().take(places=2)


def test_the_person_with_fewest_running_answers_goes_first(ada: User, bob: User) -> None:
    queue(ada, 10)
    assert [g.user for g in Hands().take(places=1)] == [ada]
    late = queue(bob, 3)
    assert Hands().take(places=1) == [late[0]]
    assert Counter(g.user.name for g in Hands().take(places=4)) == {"Ada": 2, "Bob": 2}


def test_one_person_has_at_most_so_many_answers_at_once(ada: User, settings: LazySettings) -> None:
    settings.PERSON_CONCURRENCY = 3
    queue(ada, 10)
    hands = Hands()
    first = hands.take(places=100)
    assert len(first) == 3
    assert hands.take(places=100) == []
    hands.end(first[0])
    assert len(hands.take(places=100)) == 1


def test_a_full_provider_lets_its_questions_wait_and_others_pass(ada: User, bob: User) -> None:
    narrow, wide = scene.model("narrow", places=1), scene.model("wide")
    (first, second), (third,) = queue(ada, 2, model=narrow), queue(bob, 1, model=wide)
    assert set(Hands().take(places=10)) == {first, third}
    assert scene.states([second]) == [State.QUEUED]


def test_a_second_provider_serves_when_the_first_is_full_or_closed(ada: User) -> None:
    both = scene.model("both", places=1)
    first = both.routes.get().provider
    second = Provider.objects.create(name="second", base_url="http://127.0.0.1:9/v1")
    ModelRoute.objects.create(model=both, provider=second, upstream_name="both", position=1)
    queue(ada, 2, model=both)
    assert {g.provider for g in Hands().take(places=10)} == {first, second}
    Generation.objects.all().delete()
    ProviderState.objects.create(
        provider=first, circuit=Circuit.OPEN, reason="bad_key", retry_at=timezone.now() + dt.timedelta(minutes=5)
    )
    queue(ada, 2, model=both)
    assert {g.provider for g in Hands().take(places=10)} == {second}


@pytest.mark.parametrize(
    ("circuit", "reason", "opens_in", "closed"),
    [
        (Circuit.OPEN, "unreachable", 10, None),  # worth waiting for
        (Circuit.OPEN, "unreachable", 60, "unreachable"),
        (Circuit.OPEN, "bad_key", 10, "bad_key"),
        (Circuit.OPEN, "no_credit", 300, "no_credit"),
        (Circuit.HALF_OPEN, "unreachable", 110, None),  # one is out to try
        (Circuit.OPEN, "unreachable", -1, ""),  # the pause is over: this one tries
    ],
)
def test_an_open_circuit_is_waited_for_only_while_that_is_of_use(
    ada: User, gpt: LanguageModel, circuit: str, reason: str, opens_in: int, closed: str | None
) -> None:
    provider = gpt.routes.get().provider
    ask(ada)
    retry_at = timezone.now() + dt.timedelta(seconds=opens_in)
    ProviderState.objects.create(provider=provider, circuit=circuit, reason=reason, retry_at=retry_at)
    taken = claims.claim(uuid.uuid4(), places=5)
    assert [c.closed for c in taken] == ([] if closed is None else [closed])
    assert [c.route is None for c in taken] == ([] if closed is None else [bool(closed)])


def test_after_a_pause_one_question_tries_and_the_others_wait_for_its_outcome(ada: User, gpt: LanguageModel) -> None:
    provider = gpt.routes.get().provider
    queue(ada, 3)
    past = timezone.now() - dt.timedelta(seconds=1)
    ProviderState.objects.create(provider=provider, circuit=Circuit.OPEN, reason="unreachable", retry_at=past)
    assert len(Hands().take(places=5)) == 1
    assert Hands().take(places=5) == []
    assert ProviderState.objects.get().circuit == Circuit.HALF_OPEN


def test_a_question_of_a_model_that_nobody_serves_is_taken_to_be_refused(ada: User, gpt: LanguageModel) -> None:
    ask(ada)
    gpt.routes.update(enabled=False)
    (claimed,) = claims.claim(uuid.uuid4(), places=1)
    assert (claimed.route, claimed.closed) == (None, "model_gone")


def test_a_later_try_waits_for_its_time_and_counts_a_handed_back_one_does_not(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    assert claims.try_later(taken, owner=hands.owner, kind="rate_limit", delay=dt.timedelta(seconds=60), billed=False)
    row = Generation.objects.get()
    assert (row.state, row.tries, row.error_kind, row.attempt) == (State.QUEUED, 1, "rate_limit", 1)
    assert hands.take() == []
    Generation.objects.update(next_attempt_at=timezone.now() - dt.timedelta(seconds=1))
    (taken,) = hands.take()
    assert claims.hand_back(taken, owner=hands.owner, billed=False)
    row = Generation.objects.get()
    assert (row.state, row.tries, row.crashes, row.attempt, row.lease_owner) == (State.QUEUED, 1, 0, 2, None)
    assert hands.take() == [row]


def test_nobody_gives_back_what_is_another_workers_or_shown_or_cancelled(ada: User) -> None:
    ask(ada)
    hands = Hands()
    (taken,) = hands.take()
    later = dt.timedelta(seconds=1)
    assert not claims.hand_back(taken, owner=uuid.uuid4(), billed=True)
    assert not claims.try_later(taken, owner=uuid.uuid4(), kind="rate_limit", delay=later, billed=True)
    Generation.objects.update(cancel_requested_at=timezone.now())
    assert not claims.hand_back(taken, owner=hands.owner, billed=False)
    assert not claims.try_later(taken, owner=hands.owner, kind="rate_limit", delay=later, billed=True)
    Generation.objects.update(cancel_requested_at=None)
    hands.show(taken, "Be")
    assert not claims.hand_back(taken, owner=hands.owner, billed=False)
    assert scene.states([taken]) == [State.STREAMING]


@pytest.mark.django_db(transaction=True)
def test_three_claimers_at_once_take_each_question_once_and_keep_the_limits(settings: LazySettings) -> None:
    settings.PERSON_CONCURRENCY = 2
    model = scene.model(places=7)
    rows = [g for n in range(8) for g in queue(scene.person(f"p{n}"), 4)]
    taken: Counter[int] = Counter()
    while True:
        workers = [Hands() for _ in range(3)]
        results = scene.at_once(*[partial(w.take, 5) for w in workers])
        assert not [r for r in results if isinstance(r, Exception)], results
        held = Generation.objects.filter(state__in=Generation.HELD)
        assert held.count() <= 7
        assert max(Counter(held.values_list("user", flat=True)).values(), default=0) <= 2
        if not any(results):
            break
        for worker, got in zip(workers, results, strict=True):
            assert isinstance(got, list)
            taken.update(g.pk for g in got)
            for generation in got:
                assert worker.end(generation)
    assert taken == {g.pk: 1 for g in rows}
    assert model.routes.get().provider.max_concurrency == 7


def _two_claims_that_meet(ada: User, monkeypatch: pytest.MonkeyPatch) -> int:
    """The first has chosen and not yet taken when an older question falls due and the second looks. How many run then."""
    older, newer = queue(ada, 2)
    Generation.objects.filter(pk=older.pk).update(next_attempt_at=timezone.now() + dt.timedelta(seconds=0.2))
    real, chosen = claims.choose, threading.Event()

    def slow(*, places: int, now: dt.datetime) -> object:
        found = real(places=places, now=now)
        if not chosen.is_set():
            assert list(found) == [newer.pk]
            chosen.set()
            time.sleep(0.8)
        return found

    def second() -> int:
        chosen.wait(timeout=5)
        time.sleep(0.3)
        return len(Hands().take(places=5))

    monkeypatch.setattr(claims, "choose", slow)
    first: Callable[[], int] = lambda: len(Hands().take(places=5))  # noqa: E731 - one of two alike
    assert not [r for r in scene.at_once(first, second) if isinstance(r, Exception)]
    return Generation.objects.filter(state__in=Generation.HELD).count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("guarded", "running"), [(True, 1), (False, 2)])
def test_choosing_and_taking_are_one_step_or_a_limit_would_be_exceeded(
    ada: User, settings: LazySettings, monkeypatch: pytest.MonkeyPatch, guarded: bool, running: int
) -> None:
    settings.PERSON_CONCURRENCY = 1
    if not guarded:

        class Open:
            atomic = staticmethod(contextlib.nullcontext)
            on_commit = staticmethod(transaction.on_commit)

        monkeypatch.setattr(claims, "transaction", Open)
    assert _two_claims_that_meet(ada, monkeypatch) == running


def test_a_question_past_its_deadline_is_left_to_the_reaper(ada: User) -> None:
    late, due = queue(ada, 2)
    Generation.objects.filter(pk=late.pk).update(deadline_at=timezone.now() - dt.timedelta(seconds=1))
    assert Hands().take(places=2) == [due]
