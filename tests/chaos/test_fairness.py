"""One person's flood is not another's wait; a site without a worker keeps what it was given, and says so."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.chaos.conftest import MakeSite
from tests.chaos.journals import READ
from tests.processes import Caller, Site

pytestmark = pytest.mark.chaos
FLOOD = """
from accounts.models import User
from chat import messages
person = User.objects.get(email=given[0])
for number in range(given[1]):
    messages.send(person, text=f"[[sim seed=flood{number} n=100 gap=100]]", client_id=f"flood-{number:08d}")
"""
QUEUED = "from chat.models import Generation\nanswer = Generation.objects.filter(state='queued').count()"


def first_token_s(caller: Caller, *, seed: str) -> float:
    """Seconds from the send to the first words in a reader's poll."""
    began = time.monotonic()
    sent = caller.send(f"[[sim seed={seed} n=3 gap=0]]")
    url, seen = sent["poll_url"], 0
    while time.monotonic() - began < 30:
        told = caller.poll(url, seen=seen, wait=5)
        seen = told["seq"]
        if told["blocks"] or told["tail"]:
            took = time.monotonic() - began
            caller.until_ended(sent)
            return took
    raise AssertionError(f"{seed}: no word within 30 s")


def median(site: Site, caller: Caller, *, name: str) -> float:
    return sorted(first_token_s(caller, seed=f"{name}{n}") for n in range(5))[2]


def test_five_hundred_questions_of_one_person_do_not_delay_another(make_site: MakeSite) -> None:
    site = make_site({"PERSON_CONCURRENCY": "4", "DRAIN_S": "0", "LOOK_S": "1"}).start()
    hog, other = site.people(2)
    caller = site.caller(other)
    first_token_s(caller, seed="warm")
    idle = median(site, caller, name="idle")
    site.django(FLOOD, [hog.email, 500])
    assert site.django(QUEUED) > 490
    one = median(site, caller, name="one")
    site.start_worker(1)
    site.start_worker(2)
    workers = "from chat.models import WorkerHeartbeat\nanswer = WorkerHeartbeat.objects.count()"
    until = time.monotonic() + 20
    while site.django(workers) < 3 and time.monotonic() < until:
        time.sleep(0.2)
    three = median(site, caller, name="three")
    assert site.django(QUEUED) > 450  # the flood was there all the time
    assert (one < idle + 1, three < idle + 1) == (True, True), (idle, one, three)


def test_without_any_worker_a_question_is_kept_can_be_stopped_and_ends_at_its_deadline(make_site: MakeSite) -> None:
    site = make_site({"WORKER_SILENT_S": "2", "DEADLINE_S": "8"}, workers=0).start()
    caller = site.caller(site.people(1)[0])
    began = time.monotonic()
    kept, stopped = caller.send("[[sim seed=kept n=3]]"), caller.send("[[sim seed=stopped n=3]]")
    words = note_of(caller, kept, until=began + 6)
    assert words == "The service is restarting. Your question is safe and will be answered."
    assert caller.post(f"/chat/generations/{stopped['generation_id']}/cancel/").status == 202
    assert caller.until_ended(stopped, within=2)["state"] == "cancelled"
    end = caller.until_ended(kept, within=20)
    assert (end["state"], end["note"]["kind"]) == ("failed", "deadline")
    assert end["note"]["text"] == "The question could not be answered in time. Your question is saved and not counted."
    rows = {row["question"]: row for row in site.django(READ)}
    assert 8 <= rows["[[sim seed=kept n=3]]"]["seconds"] < 8 + 5
    assert [row["hold"] for row in rows.values()] == ["released", "released"]
    assert site.bill() == []


def note_of(caller: Caller, sent: dict[str, Any], *, until: float) -> str:
    """The first note that an answer's reader is shown which is more than "Waiting."."""
    url, seen = sent["poll_url"], 0
    while time.monotonic() < until:
        told = caller.poll(url, seen=seen, wait=1)
        seen = told["seq"]
        if told["note"] and not told["note"]["text"].startswith("Waiting"):
            return str(told["note"]["text"])
    raise AssertionError("nothing was said")
