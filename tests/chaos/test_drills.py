"""The drills of bench/drills.py at a size for every commit, on three installations: nothing is lost, doubled, wrong or stuck.

With a guard taken away the same drill fails: a checker that cannot fail shows nothing.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.conftest import MakeSite
from tests.chaos.drill import Report, run
from tests.chaos.scene import QUICK, Size
from tests.chaos.servers import missing
from tests.processes import free_port

pytestmark = pytest.mark.chaos
# A fifteenth of the real leases, on a machine that may have other work.
SMALL = Size(
    generations=30, kills=4, seed=1, people=10, stop_s=4, away_s=2.5, database_away_s=1, pause_s=0.3, tokens=(20, 120),
    gap_ms=25, rest_s=0.2, stuck_s=15, send_s=5, engine=QUICK,
)  # fmt: skip


def drill(size: Size, folder: Path) -> Report:
    if lacks := missing(*{"redis": ("postgres", "redis"), "rabbitmq": ("postgres", "amqp")}.get(size.setting, ())):
        pytest.skip(f"not installed here: {lacks}")
    return run(size, folder=folder, say=print)


def broken(report: Report) -> dict[str, list[str]]:
    """What was not kept. Of four kills at least half must hit somebody at work; the share of 80 % is judged at full size."""
    assert report.kills["share"] is None or report.kills["share"] >= 0.5, report.kills
    kept = {kind: [each for each in said if "of the kills hit" not in each] for kind, said in report.faults.items()}
    return {kind: sentences for kind, sentences in kept.items() if sentences}


def test_sqlite_and_files_lose_nothing_under_fire(tmp_path: Path) -> None:
    report = drill(replace(SMALL, setting="sqlite"), tmp_path)
    assert broken(report) == {}
    assert report.kinds.keys() == {"worker", "web", "stop", "broker-empty", "broker-double", "database"}
    assert report.states["done"] >= 15, report.states


def test_postgresql_and_redis_lose_nothing_under_fire(tmp_path: Path) -> None:
    report = drill(replace(SMALL, setting="redis"), tmp_path)
    assert broken(report) == {}
    kinds = {"worker", "web", "stop", "broker-empty", "broker-stop", "broker-double", "database"}
    assert report.kinds.keys() == kinds
    assert report.states["done"] >= 15, report.states


def test_postgresql_and_rabbitmq_lose_nothing_under_fire(tmp_path: Path) -> None:
    faults = ("worker", "stop", "broker-empty", "broker-stop")
    report = drill(replace(SMALL, setting="rabbitmq", faults=faults, kills=2), tmp_path)
    assert broken(report) == {}
    assert report.kinds.keys() == set(faults)


# --- negative controls ----------------------------------------------------------------------------------------------------


def test_without_the_fence_the_drill_finds_a_worker_that_wakes_late(tmp_path: Path) -> None:
    size = replace(
        SMALL, faults=("stop",), kills=1, generations=16, people=16, tokens=(150, 200), webs=1, without="fence"
    )
    report = drill(size, tmp_path)
    assert not report.passed
    assert re.search("was shown as interrupted, is (done|streaming)", "\n".join(report.faults["changed"]))


def test_without_the_own_look_the_drill_finds_lost_bells(tmp_path: Path) -> None:
    size = replace(
        SMALL, faults=("worker", "broker-empty"), kills=0, generations=6, people=6, stuck_s=6, without="looks"
    )
    report = drill(size, tmp_path)
    assert not report.passed
    assert "not over" in "\n".join(report.faults["stuck"])


# --- no broker at all -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["redis://127.0.0.1:{}/0", "amqp://guest:guest@127.0.0.1:{}//"])
def test_without_a_broker_from_the_start_answers_come_at_most_a_second_later(make_site: MakeSite, scheme: str) -> None:
    site = make_site({"CELERY_BROKER_URL": scheme.format(free_port()), "LOOK_S": "1"}).start()
    caller = site.caller(site.people(1)[0])
    caller.until_ended(caller.send("[[sim seed=warm n=3 gap=0]]"))  # the worker is up
    for number in range(3):
        began = time.monotonic()
        sent = caller.send(f"[[sim seed=late{number} n=3 gap=0]]")
        assert time.monotonic() - began < 0.7  # the send itself never waits for the broker
        assert caller.until_ended(sent)["state"] == "done"
        assert time.monotonic() - began < 2.0
    waits = site.django(
        "from usage.models import Invocation\nanswer = list(Invocation.objects.values_list('queue_ms', flat=True))"
    )
    assert max(waits[1:]) < 1_500, waits
