"""Health and metrics: ready, degraded and down are told apart; figures come from rows, counters only rise; nobody else sees them."""

from __future__ import annotations

import datetime as dt
import re
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from chat.models import WorkerHeartbeat
from portal import health, metrics, samples, tally, vitals
from portal.models import Alert, WebProcess
from providers.models import Provider, ProviderState
from tests.accounts.crowd import person, root, signed_in
from tests.chat import scene
from usage.models import Invocation

pytestmark = pytest.mark.django_db
RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus-rules.yml"
SHOWN = {"Authorization": "Bearer a-token-for-monitors"}


@pytest.fixture(autouse=True)
def a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vitals, "broker", vitals.BrokerLook())
    monkeypatch.setattr(vitals, "_ask_broker", lambda: True)


def worker(*, seconds: float = 0, **fields: Any) -> WorkerHeartbeat:
    now = timezone.now()
    given = {"places": 10, "started_at": now, "beat_at": now - dt.timedelta(seconds=seconds), "host": "h", "pid": 1}
    return WorkerHeartbeat.objects.create(**given | fields)


def broken() -> Provider:
    provider = Provider.objects.create(name="P", base_url="http://127.0.0.1:9/v1")
    ProviderState.objects.create(provider=provider, circuit="open", reason="bad_key")
    return provider


def call(outcome: str = "done", *, ago_s: float = 60, **fields: Any) -> Invocation:
    at = timezone.now() - dt.timedelta(seconds=ago_s)
    given = {"request_id": uuid.uuid4(), "source": "page", "created_at": at, "finished_at": at, "input_tokens": 7}
    return Invocation.objects.create(outcome=outcome, **given | fields)


# --- health ---------------------------------------------------------------------------------------------------------------


def ready() -> tuple[int, str]:
    answer = Client().get("/health/ready")
    return answer.status_code, answer.content.decode()


def test_ready_and_degraded_are_both_served_and_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ready() == (200, "degraded: workers\n")
    worker()
    assert ready() == (200, "ready\n")
    broken()
    assert ready() == (200, "degraded: providers\n")
    monkeypatch.setattr(vitals, "_ask_broker", lambda: False)
    monkeypatch.setattr(vitals, "broker", vitals.BrokerLook())
    assert ready() == (200, "degraded: broker, providers\n")


def test_a_worker_that_fell_silent_or_stops_is_none() -> None:
    worker(seconds=3600)
    worker(stopping=True)
    assert ready() == (200, "degraded: workers\n")


def test_down_is_503_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> str:
        raise DatabaseError

    monkeypatch.setattr(health, "_down", away)
    assert ready() == (503, "database\n")
    monkeypatch.setattr(health, "_down", lambda: "migrating")
    assert ready() == (503, "migrating\n")


def test_the_broker_is_asked_by_one_thread_at_a_time_and_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    go_on = threading.Event()

    def slow() -> bool:
        asked.append(1)
        go_on.wait(5)
        return False

    monkeypatch.setattr(vitals, "_ask_broker", slow)
    look = vitals.BrokerLook()
    first = threading.Thread(target=look.there)
    first.start()
    while not asked:
        pass
    assert look.there()  # the last that is known, without waiting
    go_on.set()
    first.join()
    assert [look.there() for _ in range(3)] == [False] * 3
    assert len(asked) == 1


# --- who sees the metrics --------------------------------------------------------------------------------------------------


def test_without_a_setting_there_is_no_such_page(settings: Any) -> None:
    for who in (Client(), signed_in(person("ada")), signed_in(root())):
        assert who.get("/metrics").status_code == 404
        assert who.get("/metrics", headers=SHOWN).status_code == 404


@pytest.mark.parametrize(
    ("token", "networks", "shown", "status"),
    [
        ("a-token-for-monitors", [], SHOWN, 200),
        ("a-token-for-monitors", [], {}, 404),
        ("a-token-for-monitors", [], {"Authorization": "Bearer another"}, 404),
        ("", ["127.0.0.0/8"], {}, 200),
        ("", ["10.0.0.0/8"], {}, 404),
        ("a-token-for-monitors", ["10.0.0.0/8"], SHOWN, 404),
        ("a-token-for-monitors", ["127.0.0.1"], {}, 404),
        ("a-token-for-monitors", ["127.0.0.1"], SHOWN, 200),
        ("", ["nonsense"], {}, 404),
    ],
)
def test_who_sees_them(settings: Any, token: str, networks: list[str], shown: dict[str, str], status: int) -> None:
    settings.METRICS_TOKEN, settings.METRICS_ADDRESSES = token, networks
    assert Client().get("/metrics", headers=shown).status_code == status


# --- what they say -----------------------------------------------------------------------------------------------------------


def figures() -> dict[str, float]:
    lines = [line for line in metrics.text(now=timezone.now()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _blank, value in (line.rpartition(" ") for line in lines)}


def test_figures_of_the_moment_come_from_rows() -> None:
    scene.model()
    scene.queue(scene.person(), 3)
    worker()
    worker(seconds=3600)
    broken()
    now = timezone.now()
    Alert.objects.create(kind="ledger", opened_at=now, seen_at=now, told_at=now)
    found = figures()
    assert found['portal_answers{state="queued"}'] == 3
    assert found['portal_answers{state="streaming"}'] == 0
    assert (found["portal_workers"], found["portal_worker_places"], found["portal_broker_up"]) == (1, 10, 1)
    assert (found["portal_providers_broken"], found['portal_alerts_open{kind="ledger"}']) == (1, 1)
    assert 0 <= found["portal_queue_oldest_seconds"] < 60


def test_counters_begin_at_nothing_and_count_each_call_once() -> None:
    call()
    assert tally.bring_up(now=timezone.now()) == {}
    call(source="api")
    call("failed", error_kind="bad_key")
    call("refused", error_kind="limit_reached")
    late = call(ago_s=1)  # a neighbour of it may not be committed yet
    expected = {
        "calls|done|api": 1, "calls|failed|page": 1, "errors|bad_key": 1, "refusals|limit_reached": 1, "tokens|input": 14,
    }  # fmt: skip
    for _round in range(2):
        told = tally.bring_up(now=timezone.now())
        assert {name: n for name, n in told.items() if n} == expected
    Invocation.objects.filter(pk=late.pk).update(finished_at=timezone.now() - tally.LAG)
    assert tally.bring_up(now=timezone.now())["calls|done|page"] == 1
    found = figures()
    assert found['portal_calls_total{outcome="done",source="api"}'] == 1
    assert found['portal_errors_total{kind="bad_key"}'] == 1
    assert found['portal_refusals_total{reason="limit_reached"}'] == 1
    assert found['portal_tokens_total{kind="input"}'] == 21


def test_a_call_behind_one_that_is_too_young_waits_with_it() -> None:
    tally.bring_up(now=timezone.now())
    call(ago_s=1)
    call(ago_s=60)
    assert tally.bring_up(now=timezone.now()) == {}


def test_each_web_process_tells_its_own_requests_whoever_is_asked() -> None:
    first, second, gone = samples.Sampler(), samples.Sampler(), samples.Sampler()
    for seconds in (0.004, 0.3, 60.0):
        first.requests.add(200, seconds)
    second.requests.add(503, 0.02)
    for each in (first, second, gone):
        each.write()
    first.write()
    WebProcess.objects.filter(pk=gone.uuid).update(beat_at=timezone.now() - 2 * samples.GONE)
    found = figures()
    mine = f'process="{first.uuid}",status="2xx"'
    assert found[f'portal_request_seconds_bucket{{{mine},le="0.01"}}'] == 1
    assert found[f'portal_request_seconds_bucket{{{mine},le="0.5"}}'] == 2
    assert found[f'portal_request_seconds_bucket{{{mine},le="10"}}'] == 2
    assert found[f'portal_request_seconds_bucket{{{mine},le="+Inf"}}'] == 3
    assert found[f"portal_request_seconds_count{{{mine}}}"] == 3
    assert round(found[f"portal_request_seconds_sum{{{mine}}}"], 3) == 60.304
    assert found[f'portal_request_seconds_count{{process="{second.uuid}",status="5xx"}}'] == 1
    assert str(gone.uuid) not in metrics.text(now=timezone.now())
    samples.Sampler().write()
    assert not WebProcess.objects.filter(pk=gone.uuid).exists()


def test_requests_are_counted_where_they_are_answered() -> None:
    before = samples.sampler.requests.told().get("4xx", {"counts": [0]})["counts"]
    Client().get("/nothing/")
    after = samples.sampler.requests.told()["4xx"]["counts"]
    assert sum(after) == sum(before) + 1  # type: ignore[call-overload]  # lists of counts


def test_a_look_costs_the_same_with_one_and_three(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    scene.model()
    ada = scene.person()
    for _round in range(2):
        scene.queue(ada, 1)
        worker()
        Provider.objects.create(name=str(uuid.uuid4()), base_url="http://127.0.0.1:9/v1")
        with django_assert_num_queries(4):
            vitals.look(now=timezone.now())


def test_names_are_written_as_prometheus_reads_them() -> None:
    lines = metrics.text(now=timezone.now()).splitlines()
    sample = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+')
    assert [line for line in lines if not line.startswith("# ") and not sample.fullmatch(line)] == []
    assert metrics._told({"kind": 'a"b\\c\nd'}) == '{kind="a\\"b\\\\c\\nd"}'


def test_every_metric_that_the_rules_name_is_exported() -> None:
    named = set(re.findall(r"\bportal_[a-z_]+", RULES.read_text()))
    known = set(metrics.METRICS) | {f"portal_request_seconds_{part}" for part in ("bucket", "sum", "count")}
    assert named <= known, named - known
    assert set(metrics.METRICS) - {name.removesuffix("_bucket").removesuffix("_count") for name in named} == {
        "portal_providers"
    }
