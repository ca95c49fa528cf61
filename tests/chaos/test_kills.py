"""Workers and web processes die, wake late, and brokers lose and double what they carry: nothing is lost, doubled, wrong or stuck.

On three installations, at a size for every commit. The comparison stands in `journals`; its negative controls are here.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from providers.simulator import journal as bills
from tests.chaos import brokers
from tests.chaos.conftest import MakeSite
from tests.chaos.crowd import Crowd
from tests.chaos.journals import ClientJournal, Verdict, compare, wait_until_over
from tests.conftest import SERVICES
from tests.processes import Site, free_port

pytestmark = pytest.mark.chaos
# An answer of 1 s, lost twice (each found after lease, grace and a reaper's round), on a machine with other work.
SLOWEST_S = 25.0
ZOMBIE_S = 3.5  # longer than lease and grace


def verdict_on(site: Site, journal: ClientJournal, *, slowest_s: float = SLOWEST_S, within: float = 20.0) -> Verdict:
    rows = wait_until_over(site, within=within)
    return compare(journal.lines(), rows=rows, bill=bills.read(site.journal), slowest_s=slowest_s)


def under_fire(site: Site) -> None:
    """Six deaths and a late awakening, while questions come in; a dead part is started again at once."""
    site.kill("worker0")
    site.start_worker(0)
    brokers.empty(site)
    time.sleep(1.5)
    site.kill("web0")
    site.start_web(0)
    time.sleep(1)
    site.freeze("worker1")
    brokers.empty(site)
    time.sleep(ZOMBIE_S)
    site.kill("worker0")
    site.thaw("worker1")
    site.start_worker(0)
    time.sleep(2)
    site.kill("web0")
    site.kill("worker0")
    site.kill("worker1")
    brokers.empty(site)
    site.start_worker(0)
    site.start_worker(1)
    site.start_web(0)


def drill(site: Site, folder: Path) -> None:
    """The whole of it on a site that stands; fails with every sentence of the verdict."""
    journal = ClientJournal(folder / "clients.jsonl")
    crowd = Crowd(site, journal, site.people(12), each=6).start()
    ringer = brokers.ringer(site)
    try:
        time.sleep(1)
        under_fire(site)
        crowd.wait(within=60)
    finally:
        ringer.end()
    verdict = verdict_on(site, journal)
    assert crowd.refusals == [] and not crowd.busy
    assert verdict.faults == {}, verdict
    assert verdict.sends == 72
    assert verdict.states["done"] >= 20, verdict.states
    assert verdict.states.keys() <= {"done", "interrupted", "cancelled", "failed"}


def test_sqlite_and_files_lose_nothing_under_fire(make_site: MakeSite, tmp_path: Path) -> None:
    drill(make_site(workers=2).start(), tmp_path)


@pytest.mark.services("postgres", "redis")
def test_postgresql_and_redis_lose_nothing_under_fire(
    queue: str, fresh_postgres: str, make_site: MakeSite, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": fresh_postgres, "CELERY_BROKER_URL": SERVICES["redis"], "CELERY_QUEUE": queue}
    drill(make_site(settings, workers=2).start(), tmp_path)


@pytest.mark.services("postgres", "amqp")
def test_postgresql_and_rabbitmq_lose_nothing_under_fire(
    queue: str, fresh_postgres: str, make_site: MakeSite, tmp_path: Path
) -> None:
    settings = {"DATABASE_URL": fresh_postgres, "CELERY_BROKER_URL": SERVICES["amqp"], "CELERY_QUEUE": queue}
    drill(make_site(settings, workers=2).start(), tmp_path)


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


# --- negative controls: with a guard taken away, the comparison says so --------------------------------------------------


def late_awakening(site: Site, folder: Path) -> Verdict:
    """A worker is frozen in mid-answer until its answers have been given up, and wakes."""
    journal = ClientJournal(folder / "clients.jsonl")
    crowd = Crowd(site, journal, site.people(4), each=1, tokens=160, gap_ms=50, cancels=0).start()
    streaming = "from chat.models import Generation\nanswer = Generation.objects.filter(state='streaming').count()"
    until = time.monotonic() + 20
    while site.django(streaming) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    site.freeze("worker0")
    crowd.wait(within=20)  # their readers see how it ends
    site.thaw("worker0")
    until = time.monotonic() + 20
    while not all(entry.ended for entry in bills.read(site.journal)) and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(2)  # what it has read to the end it now tries to store
    assert not crowd.busy
    return verdict_on(site, journal, slowest_s=40)


def test_a_late_worker_changes_nothing(make_site: MakeSite, tmp_path: Path) -> None:
    verdict = late_awakening(make_site().start(), tmp_path)
    assert verdict.faults == {}
    assert verdict.states == {"interrupted": 4}


def test_without_the_fence_the_comparison_finds_a_late_worker(make_site: MakeSite, tmp_path: Path) -> None:
    verdict = late_awakening(make_site({"ENGINE_FENCE": "0"}).start(), tmp_path)
    assert len(verdict.changed) == 4, verdict  # what readers saw as interrupted became something else


def lost_bells(site: Site, folder: Path, *, within: float) -> Verdict:
    """Every bell of four questions is lost before a worker comes."""
    site.start()
    journal = ClientJournal(folder / "clients.jsonl")
    Crowd(site, journal, site.people(4), each=1, tokens=5, gap_ms=0, follow=False).start().wait(within=20)
    time.sleep(0.5)
    brokers.empty(site)
    site.start_worker(0)
    return verdict_on(site, journal, within=within)


def test_lost_bells_are_answered_all_the_same(make_site: MakeSite, tmp_path: Path) -> None:
    verdict = lost_bells(make_site(workers=0), tmp_path, within=20)
    assert (verdict.faults, verdict.states) == ({}, {"done": 4})


def test_without_the_own_look_the_comparison_finds_lost_bells(make_site: MakeSite, tmp_path: Path) -> None:
    verdict = lost_bells(make_site({"ENGINE_LOOKS": "0"}, workers=0), tmp_path, within=8)
    assert len(verdict.stuck) == 4, verdict
