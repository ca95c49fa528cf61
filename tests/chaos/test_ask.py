"""POST ask/ over a socket: the answer in one request, held without a thread, and let go when there is a reason."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from providers.simulator.answers import text_for
from tests.chaos.conftest import MakeSite
from tests.processes import Caller, Reply, Site

pytestmark = pytest.mark.chaos
MAKE_KEYS = """
from accounts import api_keys
from accounts.models import User
answer = [api_keys.make(u, name="k", scopes=["chat"], by=None)[1] for u in User.objects.filter(email__startswith="person")]
"""


def keys_of(site: Site, count: int) -> list[str]:
    site.people(count)
    found: list[str] = site.django(MAKE_KEYS)
    return found


def ask(site: Site, key: str, text: str, **body: Any) -> Reply:
    headers = {"Authorization": f"Bearer {key}"}
    return Caller(site.url()).call("POST", "/api/v1/ask/", body={"text": text, **body}, headers=headers, timeout=70)


def test_the_answer_comes_with_the_question_and_forty_that_wait_hold_no_thread(make_site: MakeSite) -> None:
    site = make_site({"WEB_THREADS": "2"}).start()
    keys = keys_of(site, 40)
    replies: list[Reply] = []

    def one(number: int) -> None:
        replies.append(ask(site, keys[number], f"[[sim seed=a{number} n=20 gap=150]]"))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    look = time.monotonic()
    assert Caller(site.url()).get("/accounts/login/", headers={"Accept": "text/html"}).status == 200
    looked = time.monotonic() - look
    for thread in threads:
        thread.join(60)
    took = time.monotonic() - began
    assert [reply.status for reply in replies] == [200] * 40
    texts = sorted(reply.json()["text"] for reply in replies)
    assert texts == sorted(text_for(f"a{number}", tokens=20) for number in range(40))
    assert all("x-await" not in {name.lower() for name in reply.headers} for reply in replies)
    assert took < 25 and looked < 2, (
        took,
        looked,
    )  # by two threads that waited, 40 answers of 3 s each would take a minute


def test_a_wait_that_is_over_and_a_process_that_stops_tell_where_the_answer_will_be(make_site: MakeSite) -> None:
    site = make_site().start()
    (key,) = keys_of(site, 1)
    reply = ask(site, key, "[[sim seed=slow n=40 gap=150]]", wait=1)
    address = f"/api/v1/generations/{reply.json()['id']}/"
    assert (reply.status, reply.json()["ended"], reply.headers["location"]) == (202, False, address), reply.text
    headers = {"Authorization": f"Bearer {key}"}
    text, after, looks = "", 0, 0
    while True:
        found = Caller(site.url()).get(f"{address}?after={after}&wait=20", headers=headers).json()
        text, after, looks = text + found["text"], found["next_after"], looks + 1
        if found["ended"]:
            break
    assert text == text_for("slow", tokens=40)
    assert 2 <= looks < 80
    replies: list[Reply] = []
    waits = threading.Thread(
        target=lambda: replies.append(ask(site, key, "[[sim seed=late n=10 gap=10 ttft=9000]]", wait=50))
    )
    waits.start()
    time.sleep(1.5)
    site.parts["web0"].send_signal(signal.SIGTERM)
    waits.join(15)
    assert [reply.status for reply in replies] == [202]
    assert not replies[0].json()["ended"]


def events(site: Site, address: str, key: str, *, last: int | None = None) -> Iterator[tuple[str, Any]]:
    """The server-sent events of an answer as they come, by name."""
    connection = http.client.HTTPConnection(urlsplit(site.url()).netloc, timeout=30)
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
    connection.request("GET", address, headers=headers | ({} if last is None else {"Last-Event-ID": str(last)}))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    name = ""
    for line in answer:
        kind, _, said = line.decode().rstrip("\n").partition(": ")
        name = said if kind == "event" else name
        if kind == "data":
            yield name, json.loads(said)
    connection.close()


def test_a_stream_comes_in_pieces_and_goes_on_at_another_process_when_its_own_stops(make_site: MakeSite) -> None:
    site = make_site().start()
    (key,) = keys_of(site, 1)
    reply = ask(site, key, "[[sim seed=stream n=60 gap=100]]", wait=0)
    address = f"/api/v1/generations/{reply.json()['id']}/"
    text, names, known = "", [], 0
    for name, data in events(site, address, key):
        names.append(name)
        if name in ("answer", "text"):
            text, known = text + data["text"], data["next_after"]
        if names.count("text") == 5:
            site.parts["web0"].send_signal(signal.SIGTERM)
    assert names[0] == "answer" and names[-1] == "stopping" and names.count("text") >= 5
    site.parts["web0"].end()
    site.start_web()
    rest = list(events(site, address, key, last=known))
    text += "".join(data["text"] for name, data in rest if name in ("answer", "text"))
    assert rest[-1][0] == "end" and rest[-1][1]["state"] == "done"
    assert text == text_for("stream", tokens=60)
