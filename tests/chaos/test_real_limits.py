"""Once with the time limits that people have: what a killed worker leaves behind is in order within 30 seconds."""

from __future__ import annotations

import time

import pytest

from providers.simulator.answers import text_for
from tests.chaos.conftest import MakeSite
from tests.chaos.journals import READ

pytestmark = pytest.mark.chaos
REAL = {"LEASE_S": "20", "RENEW_S": "5", "REAP_S": "5", "LEASE_GRACE_S": "2", "LOOK_S": "1", "PERSON_CONCURRENCY": "4"}

HOLDERS = """
from chat.models import Generation, WorkerHeartbeat
owners = Generation.objects.filter(state__in=("running", "streaming")).values("lease_owner")
answer = list(WorkerHeartbeat.objects.filter(pk__in=owners).values_list("pid", flat=True))
"""


def test_after_a_killed_worker_the_state_is_right_within_thirty_seconds(make_site: MakeSite) -> None:
    site = make_site(REAL).start()
    caller = site.caller(site.people(1)[0])
    shown = caller.send("[[sim seed=shown n=600 gap=100]]")
    while caller.poll(shown["poll_url"])["state"] != "streaming":
        time.sleep(0.1)
    site.start_worker(1)
    time.sleep(1)
    mute = caller.send("[[sim seed=mute n=5 gap=0 ttft=9000]]")
    while caller.poll(mute["poll_url"])["state"] != "running":
        time.sleep(0.05)
    time.sleep(1)
    holders: list[int] = site.django(HOLDERS)  # perhaps one worker, perhaps both
    assert len(holders) in {1, 2}
    for name in ("worker0", "worker1"):
        if site.parts[name].pid in holders:
            site.kill(name)
    killed = time.monotonic()
    if not any(site.parts[name].running for name in ("worker0", "worker1")):
        site.start_worker(0)
    end = caller.until_ended(shown, within=40)
    assert time.monotonic() - killed < 30
    assert (end["state"], end["note"]["kind"]) == ("interrupted", "worker_lost")
    while caller.poll(mute["poll_url"])["state"] not in {"running", "streaming", "done"}:
        assert time.monotonic() - killed < 30
        time.sleep(0.2)
    assert caller.until_ended(mute, within=30)["state"] == "done"
    rows = {row["question"].split("seed=")[1].split()[0]: row for row in site.django(READ)}
    assert text_for("shown", tokens=600).startswith(rows["shown"]["text"]) and len(rows["shown"]["text"]) > 20
    assert (rows["mute"]["text"], rows["mute"]["attempt"], rows["mute"]["crashes"]) == (
        text_for("mute", tokens=5),
        2,
        1,
    )
