"""Stopping on purpose: a worker that drains, web processes that are replaced one after the other. Nobody's answer suffers for it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import journal as bills
from providers.simulator.answers import text_for
from tests.chaos.conftest import MakeSite, end
from tests.chaos.crowd import Crowd
from tests.chaos.journals import READ, ClientJournal, compare, wait_until_over
from tests.chaos.scene import QUICK
from tests.processes import Caller, Site

pytestmark = pytest.mark.chaos
DRAIN_S = 4.0


@pytest.fixture(scope="module")
def two_webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two web processes and a worker, for tests that put back what they end."""
    site = Site(tmp_path_factory.mktemp("stop") / "site", settings=QUICK | {"DRAIN_S": "30"}, webs=2)
    try:
        yield site.start()
    finally:
        end(site)


def rows_by_seed(site: Site) -> dict[str, dict[str, Any]]:
    return {row["question"].split("seed=")[1].split()[0]: row for row in site.django(READ)}


def until(caller: Caller, sent: dict[str, Any], state: str, *, within: float = 20) -> None:
    """Waits until an answer is in this state."""
    end = time.monotonic() + within
    while (now := caller.poll(sent["poll_url"])["state"]) != state:
        assert time.monotonic() < end, f"{now} instead of {state}"
        time.sleep(0.05)


def test_a_worker_that_is_told_to_stop_finishes_hands_back_and_leaves_in_time(make_site: MakeSite) -> None:
    site = make_site({"DRAIN_S": str(DRAIN_S)}).start()
    caller = site.caller(site.people(1)[0])
    sent = {
        "short": caller.send("[[sim seed=short n=60 gap=50]]"),  # 3 s: ends while the worker drains
        "long": caller.send("[[sim seed=long n=400 gap=100]]"),  # 40 s: does not
        "mute": caller.send("[[sim seed=mute n=10 gap=10 ttft=9000]]"),  # no text yet
    }
    for seed, state in (("short", "streaming"), ("long", "streaming"), ("mute", "running")):
        until(caller, sent[seed], state)
    worker = site.parts["worker0"]
    began = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    sent |= {f"new{n}": caller.send(f"[[sim seed=new{n} n=10 gap=10 ttft=5000]]") for n in range(4)}
    site.start_worker(1)
    assert worker.process is not None
    status = worker.process.wait(timeout=30)
    took = time.monotonic() - began
    ends = {seed: caller.until_ended(one, within=30) for seed, one in sent.items()}
    assert took <= DRAIN_S + 2, took
    assert status == 0
    rows = rows_by_seed(site)
    assert (rows["short"]["state"], rows["short"]["text"]) == ("done", text_for("short", tokens=60))
    assert (rows["long"]["state"], rows["long"]["error_kind"]) == ("interrupted", "hand_back")
    assert len(rows["long"]["text"]) > 100 and text_for("long", tokens=400).startswith(rows["long"]["text"])
    assert ends["long"]["note"]["text"].startswith("The answer is not finished: the service restarted.")
    mute = rows["mute"]
    assert (mute["state"], mute["attempt"], mute["crashes"], mute["tries"]) == ("done", 2, 0, 0)
    new = [rows[f"new{n}"] for n in range(4)]
    assert [(row["state"], row["attempt"]) for row in new] == [("done", 1)] * 4  # never taken by the one that leaves


def test_an_idle_worker_is_gone_at_once(two_webs: Site) -> None:
    site = two_webs
    caller = site.caller(site.people(1)[0])
    caller.until_ended(caller.send("[[sim seed=a n=3 gap=0]]"))
    began = time.monotonic()
    assert site.parts["worker0"].end(within=30) == 0
    assert time.monotonic() - began < 4  # nothing waits for the broker's next word
    assert site.django("from chat.models import WorkerHeartbeat\nanswer = WorkerHeartbeat.objects.count()") == 0
    site.start_worker(0)


def test_a_web_process_that_stops_answers_the_polls_it_holds(two_webs: Site) -> None:
    site = two_webs
    person = site.people(1)[0]
    caller = site.caller(person)
    sent = caller.send("[[sim seed=slow n=10 gap=10 ttft=6000]]")
    caller.poll(sent["poll_url"])
    held: list[tuple[float, int, str]] = []

    def hold(own: Caller) -> None:
        seen = own.poll(sent["poll_url"])["seq"]
        while True:  # the step from queued to running also answers
            reply = own.get(f"{sent['poll_url']}&seen={seen}&wait=25")
            if reply.status != 200 or stopped.is_set():
                held.append((time.monotonic(), reply.status, reply.json()["state"]))
                return
            seen = reply.json()["seq"]

    stopped = threading.Event()
    readers = [site.caller(person) for _ in range(5)]
    # The ticket is bound to the session that asked: all of these readers are tabs of one browser.
    for reader in readers:
        reader.jar = caller.jar
        reader.opener = caller.opener
    threads = [threading.Thread(target=hold, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    stopped.set()
    began = time.monotonic()
    assert site.parts["web0"].end(within=15) == 0
    for thread in threads:
        thread.join(timeout=10)
    assert [status for _at, status, _state in held] == [200] * 5
    assert max(at for at, _status, _state in held) - began < 2
    other = Caller(site.url(1))  # the page goes on at the other process, with the same cookie and ticket
    other.jar = caller.jar
    other.opener = caller.opener
    assert other.until_ended(sent)["state"] == "done"
    site.start_web(0)


def test_web_processes_replaced_one_by_one_never_answer_with_an_error(two_webs: Site, tmp_path: Path) -> None:
    site = two_webs
    journal = ClientJournal(tmp_path / "clients.jsonl")
    crowd = Crowd(site, journal, site.people(6), each=4, cancels=0, name="rolling").start()
    for _round in range(2):
        for number in range(2):
            time.sleep(0.7)
            assert site.parts[f"web{number}"].end(within=15) == 0
            site.start_web(number)
    crowd.wait(within=60)
    assert crowd.refusals == []  # nothing but 2xx and refused connections
    mine = [row for row in wait_until_over(site, within=20) if "seed=rolling" in row["question"]]
    verdict = compare(journal.lines(), rows=mine, bill=bills.read(site.journal), slowest_s=20)
    assert (verdict.faults, verdict.states) == ({}, {"done": 24})
