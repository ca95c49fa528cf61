"""Alerts: each thing that is not well is noticed once, told once in a quiet time and once when it is well again; sending survives."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.utils import timezone

from chat.models import WorkerHeartbeat
from portal import alerts, tasks, watchman
from portal.celery import PERIODS
from portal.models import Alert, AlertMessage, AlertSettings, PeriodicJob
from providers.models import LanguageModel, ModelRoute, Provider, ProviderState
from tests.chat import scene
from usage import proof
from usage.models import Invocation, Quota, QuotaPeriod

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
Found = alerts.Found


@pytest.fixture(autouse=True)
def with_mail(settings: Any) -> None:
    settings.EMAIL_URL = "locmem://"


def tells(**fields: Any) -> AlertSettings:
    return AlertSettings.objects.create(pk=1, **({"emails": "ops@example.com", "quiet_minutes": 60} | fields))


def settle(*found: Found, at: dt.datetime = NOW) -> None:
    alerts.settle(found, kinds=frozenset({"provider"}), wanted=alerts.settings_row(), now=at)


def told() -> list[tuple[str, str]]:
    return list(AlertMessage.objects.order_by("pk").values_list("what", "to"))


def opened() -> list[tuple[str, str]]:
    return list(Alert.objects.filter(closed_at=None).order_by("kind", "subject").values_list("kind", "subject"))


BAD = Found("provider", "p1", "OpenAI", {"reason": "bad_key"})


# --- once in a quiet time, and once that all is well ------------------------------------------------------------------------


def test_it_is_told_once_and_again_after_the_quiet_time() -> None:
    tells()
    for minutes in range(0, 59, 5):
        settle(BAD, at=NOW + minutes * MINUTE)
    assert told() == [("raised", "ops@example.com")]
    settle(BAD, at=NOW + 60 * MINUTE)
    settle(BAD, at=NOW + 61 * MINUTE)
    assert told() == [("raised", "ops@example.com"), ("still", "ops@example.com")]


def test_that_all_is_well_is_told_once_and_only_when_it_stayed_well() -> None:
    tells()
    settle(BAD)
    settle(at=NOW + 4 * MINUTE)
    assert opened() == [("provider", "p1")]
    settle(at=NOW + 6 * MINUTE)
    settle(at=NOW + 7 * MINUTE)
    assert opened() == []
    assert [what for what, _to in told()] == ["raised", "well"]


def test_what_comes_and_goes_within_the_quiet_time_is_one_alert() -> None:
    tells()
    settle(BAD)
    for minutes in (10, 20, 30, 40):
        settle(at=NOW + minutes * MINUTE)
        settle(BAD, at=NOW + (minutes + 3) * MINUTE)
    assert Alert.objects.count() == 1
    assert [what for what, _to in told()] == ["raised", "well"]
    settle(BAD, at=NOW + 61 * MINUTE)
    assert [what for what, _to in told()] == ["raised", "well", "still"]
    settle(at=NOW + 70 * MINUTE)
    assert [what for what, _to in told()] == ["raised", "well", "still", "well"]


def test_each_subject_and_each_address_has_its_own_and_other_kinds_stay() -> None:
    tells(emails="a@example.com b@example.com", webhook_url="https://x.example.com/")
    Alert.objects.create(kind="ledger", opened_at=NOW, seen_at=NOW, told_at=NOW)
    settle(BAD, Found("provider", "p2"))
    assert len(told()) == 6
    assert opened() == [("ledger", ""), ("provider", "p1"), ("provider", "p2")]


def test_nobody_is_told_where_nobody_is_named_and_the_alert_stands_all_the_same() -> None:
    settle(BAD)
    assert (told(), opened()) == ([], [("provider", "p1")])


def test_two_who_notice_at_once_write_one() -> None:
    tells()
    settle(BAD)
    alerts._open(BAD, quiet=dt.timedelta(0), wanted=alerts.settings_row(), now=NOW)
    assert Alert.objects.count() == 1
    assert len(told()) == 1


# --- what is noticed -----------------------------------------------------------------------------------------------------------


def worker(**fields: Any) -> WorkerHeartbeat:
    now = timezone.now()
    return WorkerHeartbeat.objects.create(**({"host": "h", "pid": 1, "started_at": now, "beat_at": now} | fields))


def kinds() -> set[str]:
    alerts.watch(now=timezone.now())
    return set(Alert.objects.filter(closed_at=None).values_list("kind", flat=True))


def test_a_quiet_installation_with_a_worker_has_none() -> None:
    worker()
    assert kinds() == set()


def test_no_worker_at_all_and_one_that_fell_silent() -> None:
    assert kinds() == {"workers"}
    long_ago = timezone.now() - dt.timedelta(minutes=5)
    worker(beat_at=long_ago, started_at=long_ago, pid=7)
    assert kinds() == {"workers", "worker_lost"}
    assert Alert.objects.get(kind="worker_lost").subject_name == "h:7"
    Alert.objects.all().delete()
    worker(pid=8)  # its successor
    assert kinds() == set()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"circuit": "open", "openings": 1, "reason": "unreachable"}, False),
        ({"circuit": "open", "openings": 2, "reason": "unreachable"}, True),
        ({"circuit": "open", "openings": 1, "reason": "bad_key"}, True),
        ({"circuit": "closed", "openings": 3, "reason": "unreachable"}, False),
    ],
)
def test_a_provider_that_stays_away(fields: dict[str, Any], expected: bool) -> None:
    worker()
    provider = Provider.objects.create(name="P", base_url="http://127.0.0.1:9/v1")
    ProviderState.objects.create(provider=provider, **fields)
    assert kinds() == ({"provider"} if expected else set())
    Alert.objects.all().delete()
    Provider.objects.update(enabled=False)
    assert kinds() == set()


def test_many_failed_answers() -> None:
    worker()
    now = timezone.now()
    rows = [("done", 10), ("failed", 1), ("interrupted", 1), ("refused", 9), ("cancelled", 9)]
    for outcome, count in rows:
        for _number in range(count):
            Invocation.objects.create(
                request_id=uuid.uuid4(), source="page", created_at=now, finished_at=now, outcome=outcome
            )
    assert kinds() == set()  # 2 of 12
    Invocation.objects.filter(outcome="done").order_by("pk").first().delete()  # type: ignore[union-attr]  # there are ten
    tells(error_percent=18)
    assert kinds() == {"errors"}  # 2 of 11
    assert Alert.objects.get().facts == {"failed": 2, "answers": 11, "percent": 18}


def test_a_question_that_waits_for_long() -> None:
    worker()
    scene.model()
    (row,) = scene.queue(scene.person(), 1)
    assert kinds() == set()
    type(row).objects.update(created_at=timezone.now() - dt.timedelta(seconds=90))
    assert kinds() == {"queue"}


@pytest.mark.parametrize(("used", "expected"), [(79, set()), (80, {"budget_80"}), (100, {"budget_80", "budget_100"})])
def test_a_budget_at_80_and_at_100(used: int, expected: set[str]) -> None:
    worker()
    now = timezone.now()
    budget = Quota.objects.create(scope="organisation", unit="cost", period="month", amount=100_000_000)
    own = Quota.objects.create(scope="each", unit="cost", period="month", amount=1)
    for quota, taken in ((budget, used * 1_000_000), (own, 1)):
        QuotaPeriod.objects.create(
            quota=quota, starts_at=now - MINUTE, ends_at=now + MINUTE, used=taken, cap=quota.amount
        )
    assert kinds() == expected


def test_a_model_that_was_asked_and_has_no_price() -> None:
    worker()
    provider = Provider.objects.create(name="P", base_url="https://api.example.com/v1")
    model = LanguageModel.objects.create(slug="m", name="M", enabled=True)
    ModelRoute.objects.create(model=model, provider=provider, upstream_name="m")
    assert kinds() == set()
    now = timezone.now()
    Invocation.objects.create(
        request_id=uuid.uuid4(),
        source="page",
        created_at=now,
        finished_at=now,
        model=model.uuid,
        input_tokens=1,
        outcome="done",
    )
    assert kinds() == {"price"}


def test_a_ledger_that_does_not_agree_and_that_it_agrees_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tells()
    monkeypatch.setattr(proof, "drifts", lambda: iter(["counter 1: …"]))
    tasks.check_ledger()
    assert opened() == [("ledger", "")]
    monkeypatch.setattr(proof, "drifts", lambda: iter(()))
    PeriodicJob.objects.all().delete()
    tasks.check_ledger()
    assert opened() == []
    assert [what for what, _to in told()] == ["raised", "well"]


def test_a_round_is_done_once_a_period_whoever_comes() -> None:
    assert watchman.round_if_due()
    assert not watchman.round_if_due()
    assert opened() == [("workers", "")]
    assert PERIODS[watchman.NAME] == 30.0
