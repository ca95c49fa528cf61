"""The circuit: when it opens, who may try, and that two processes never do the same thing twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from providers import breaker
from providers.failures import Kind
from providers.models import LanguageModel, ModelRoute, Provider, ProviderState

pytestmark = pytest.mark.django_db
T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Clock:
    def __init__(self) -> None:
        self.time = T0

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(breaker, "database_now", found)
    return found


@pytest.fixture
def provider() -> Provider:
    return Provider.objects.create(name="P", base_url="http://127.0.0.1:1/v1")


def state(provider: Provider) -> ProviderState:
    return ProviderState.objects.get(provider=provider)


def fail(provider: Provider, *, times: int, kind: Kind = Kind.SERVER_ERROR) -> None:
    for _ in range(times):
        breaker.record_failure(provider.pk, kind)


def test_five_failures_in_a_row_open_the_circuit_and_four_do_not(provider: Provider, clock: Clock) -> None:
    fail(provider, times=4)
    assert breaker.allows(provider.pk)
    fail(provider, times=1)
    assert not breaker.allows(provider.pk)
    assert breaker.closed_reasons() == {provider.pk: "server_error"}
    assert state(provider).retry_at == T0 + dt.timedelta(seconds=15)


def test_a_success_between_them_starts_the_count_again(provider: Provider, clock: Clock) -> None:
    fail(provider, times=4)
    breaker.record_success(provider.pk)
    fail(provider, times=4)
    assert breaker.blocked_provider_ids() == set()


@pytest.mark.parametrize("kind", [Kind.BAD_KEY, Kind.NO_CREDIT])
def test_a_refused_key_or_account_opens_at_once_with_that_reason(provider: Provider, clock: Clock, kind: Kind) -> None:
    fail(provider, times=1, kind=kind)
    assert breaker.closed_reasons() == {provider.pk: kind.value}
    assert state(provider).retry_at == T0 + dt.timedelta(minutes=5)


def test_a_403_may_concern_one_model_only(provider: Provider, clock: Clock) -> None:
    breaker.record_failure(provider.pk, Kind.BAD_KEY, status=403)
    assert breaker.allows(provider.pk)


@pytest.mark.parametrize("kind", [Kind.BAD_REQUEST, Kind.CONTENT_FILTER, Kind.RATE_LIMIT, Kind.STALLED, Kind.CUT_OFF])
def test_other_failures_never_open_it(provider: Provider, clock: Clock, kind: Kind) -> None:
    fail(provider, times=10, kind=kind)
    assert not ProviderState.objects.exists()


def test_after_the_pause_exactly_one_call_is_let_through(provider: Provider, clock: Clock) -> None:
    fail(provider, times=5)
    clock.pass_(15)
    assert [breaker.allows(provider.pk) for _ in range(3)] == [True, False, False]
    assert state(provider).circuit == "half_open"
    breaker.record_success(provider.pk)
    assert breaker.allows(provider.pk)
    assert (state(provider).circuit, state(provider).openings) == ("closed", 0)


def test_a_trial_that_fails_doubles_the_pause_up_to_five_minutes(provider: Provider, clock: Clock) -> None:
    fail(provider, times=5)
    pauses = []
    for _ in range(7):
        retry_at = state(provider).retry_at
        assert retry_at is not None
        pauses.append((retry_at - clock.time).total_seconds())
        clock.time = retry_at
        assert breaker.allows(provider.pk)
        fail(provider, times=1)
    assert pauses == [15, 30, 60, 120, 240, 300, 300]


def test_a_trial_that_never_reports_back_is_over_after_its_time(provider: Provider, clock: Clock) -> None:
    fail(provider, times=5)
    clock.pass_(15)
    assert breaker.allows(provider.pk)
    clock.pass_(breaker.TRIAL_S - 1)
    assert not breaker.allows(provider.pk)
    clock.pass_(1)
    assert breaker.allows(provider.pk)


def test_a_refusal_that_proves_life_ends_a_trial_well(provider: Provider, clock: Clock) -> None:
    fail(provider, times=5)
    clock.pass_(15)
    assert breaker.allows(provider.pk)
    fail(provider, times=1, kind=Kind.BAD_REQUEST)
    assert state(provider).circuit == "closed"


def test_an_answer_begun_before_the_circuit_opened_does_not_close_it(provider: Provider, clock: Clock) -> None:
    fail(provider, times=5)
    breaker.record_success(provider.pk)
    assert not breaker.allows(provider.pk)
    breaker.reset(provider.pk)
    assert breaker.allows(provider.pk)


def test_success_on_a_clean_circuit_only_asks(
    provider: Provider, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1) as asked:
        breaker.record_success(provider.pk)
    assert asked.captured_queries[0]["sql"].startswith("SELECT")


def meanwhile(clock: Clock, action: Callable[[], object]) -> Callable[[], dt.datetime]:
    """A clock during whose first reading another process acts: exactly between the look and the write."""
    pending = [action]

    def read() -> dt.datetime:
        if pending:
            pending.pop()()
        return clock.time

    return read


def test_two_processes_never_both_get_the_trial(
    provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(provider, times=5)
    clock.pass_(15)
    others: list[bool] = []
    monkeypatch.setattr(breaker, "database_now", meanwhile(clock, lambda: others.append(breaker.allows(provider.pk))))
    mine = breaker.allows(provider.pk)
    assert (others, mine) == ([True], False)


def test_two_processes_open_it_once_for_one_cause(
    provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(provider, times=4)
    monkeypatch.setattr(breaker, "database_now", meanwhile(clock, lambda: fail(provider, times=1)))
    fail(provider, times=1)
    assert state(provider).openings == 1


def test_routes_come_in_order_and_without_the_shut_ones(provider: Provider) -> None:
    other = Provider.objects.create(name="Q", base_url="http://127.0.0.1:2/v1")
    off = Provider.objects.create(name="R", base_url="http://127.0.0.1:3/v1", enabled=False)
    model = LanguageModel.objects.create(slug="m", name="m")
    for position, each in enumerate((other, provider, off)):
        ModelRoute.objects.create(model=model, provider=each, upstream_name="m", position=position)
    assert [route.provider for route in breaker.route_for(model)] == [other, provider]
    fail(other, times=1, kind=Kind.NO_CREDIT)
    assert [route.provider for route in breaker.route_for(model)] == [provider]
    ProviderState.objects.update(retry_at=timezone.now() - dt.timedelta(seconds=1))
    assert [route.provider for route in breaker.route_for(model)] == [other, provider]
