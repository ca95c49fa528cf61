"""The web process under many readers and clients that dawdle: polls carry text at once, cost no thread and no query; pages go on."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from providers.simulator import journal as bills
from tests.chaos.conftest import MakeSite, end
from tests.chaos.journals import OVER
from tests.chaos.scene import QUICK
from tests.processes import Caller, Site

pytestmark = pytest.mark.chaos
MANY = 200
ROUNDS = 30
ASK_MANY = """
from accounts.models import User
from chat import live, messages
person = User.objects.get(email=given["person"])
sent = [
    messages.send(person, text=f"[[sim seed=many{n} n=3 ttft=90000]]", client_id=f"many-{n:08d}") for n in range(given["many"])
]
answer = [live.poll_url(each.generation, session_key=given["session"], user=person) for each in sent]
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two web processes and two workers."""
    site = Site(tmp_path_factory.mktemp("web") / "site", settings=QUICK, webs=2, workers=2)
    try:
        yield site.start()
    finally:
        end(site)


def test_a_poll_at_one_process_follows_a_send_at_the_other_as_it_is_written(pair: Site) -> None:
    site = pair
    person = site.people(1)[0]
    here = site.caller(person, web=0)
    there = Caller(site.url(1))
    there.jar, there.opener = here.jar, here.opener  # the same browser, led elsewhere by a load balancer
    here.until_ended(here.send("[[sim seed=warm n=3 gap=0]]"))
    sent = here.send("[[sim seed=ten n=200 gap=50 ttft=1000]]")
    url, seen, carried, first_at = sent["poll_url"], 0, 0, 0.0
    known = ""
    while True:
        told = there.poll(url, seen=seen, wait=10)
        seen, url = told["seq"], told.get("poll_url") or url
        text = json.dumps(told["blocks"]) + told["tail"]
        if (told["blocks"] or told["tail"]) and text != known:
            carried, known = carried + 1, text
            first_at = first_at or time.time()
        if told["state"] in OVER:
            break
    accepted = next(entry.at for entry in bills.read(site.journal) if entry.seed == "ten")
    assert told["state"] == "done"
    assert carried >= 20
    assert first_at - (accepted + 1.0) < 0.3  # the simulator's first byte comes 1 s after it has accepted


# --- held polls ----------------------------------------------------------------------------------------------------------


def threads_of(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def poll_all(site: Site, paths: list[str], *, cookie: str, wait: int) -> list[tuple[Any, Any]]:
    """Asks all of these on connections of their own; returns the open (reader, writer) pairs."""
    port = urlsplit(site.url()).port

    async def ask(path: str) -> tuple[Any, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET {path}&wait={wait} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        return reader, writer

    return await asyncio.gather(*(ask(path) for path in paths))


async def answers(pairs: list[tuple[Any, Any]], *, within: float) -> list[dict[str, Any]]:
    """Their bodies; the connections are closed."""

    async def body(reader: Any, writer: Any) -> dict[str, Any]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200"), head
        length = int(head.split("content-length:")[1].split()[0])
        found: dict[str, Any] = json.loads(await reader.readexactly(length))
        writer.close()
        return found

    return await asyncio.wait_for(asyncio.gather(*(body(*pair) for pair in pairs)), within)


def commits(url: str) -> int:
    """How many transactions this database has seen (each query outside of one counts); busy connections report once a second."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.services("postgres")
def test_two_hundred_held_polls_add_no_thread_and_no_query_each(fresh_postgres: str, make_site: MakeSite) -> None:
    site = make_site({"DATABASE_URL": fresh_postgres, "PERSON_CONCURRENCY": str(MANY // 2)}).start()
    caller = site.caller(site.people(1)[0])
    session = caller.cookies["sessionid"]
    given = {"person": "person0@example.com", "many": MANY + 20, "session": session}
    paths: list[str] = site.django(ASK_MANY, given)
    paths, fresh = paths[:MANY], paths[MANY:]
    web = site.parts["web0"].pid

    async def watch() -> dict[str, Any]:
        found: dict[str, Any] = {}
        cookie = f"sessionid={session}"
        first = await answers(await poll_all(site, [f"{p}&seen=0" for p in paths], cookie=cookie, wait=0), within=20)
        await asyncio.sleep(2.5)  # the notes of those that wait settle
        first = await answers(await poll_all(site, [f"{p}&seen=0" for p in paths], cookie=cookie, wait=0), within=20)
        found["states"] = sorted({told["state"] for told in first})
        # A connection that rests keeps its count to itself for 10 s; a first poll of new answers makes each report.
        await answers(await poll_all(site, [f"{p}&seen=0" for p in fresh], cookie=cookie, wait=0), within=20)
        found["threads before"] = threads_of(web)
        before, began = await asyncio.to_thread(commits, fresh_postgres), time.monotonic()
        await asyncio.sleep(4)
        middle, half = await asyncio.to_thread(commits, fresh_postgres), time.monotonic()
        for _round in range(ROUNDS):
            newest = [f"{p}&seen={told['seq']}" for p, told in zip(paths, first, strict=True)]
            await answers(await poll_all(site, newest, cookie=cookie, wait=0), within=20)
        held = await poll_all(site, newest, cookie=cookie, wait=20)
        await asyncio.sleep(2)
        found["threads"] = threads_of(web)
        after, end = await asyncio.to_thread(commits, fresh_postgres), time.monotonic()
        found["held"] = sum(not reader._buffer for reader, _writer in held)
        for _reader, writer in held:
            writer.close()
        found["idle a second"] = (middle - before) / (half - began)
        found["more"] = after - middle - found["idle a second"] * (end - half)
        return found

    found = asyncio.run(watch())
    assert found["states"] == ["queued", "running"]
    assert found["held"] == MANY
    assert found["threads"] <= found["threads before"]
    # What the engine itself asks varies by some hundreds in this time; one query for each poll would be 6,200 more.
    assert found["more"] < MANY * ROUNDS / 2, found


# --- clients that dawdle -------------------------------------------------------------------------------------------------


def memory_mb(pid: int, *, name: str) -> float:
    """VmRSS (now) or VmHWM (at most so far) of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1024


def dawdle(port: int, *, head: bytes, body: bytes, stop: threading.Event, sends: bool) -> None:
    """Sends its body, or reads its answer, a byte at a time."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.settimeout(5)
        client.connect(("127.0.0.1", port))
        client.sendall(head)
        place = 0
        while not stop.wait(0.2):
            try:
                if sends:
                    client.sendall(body[place : place + 1])
                else:
                    client.recv(1)
            except OSError:
                return
            place += 1


def test_slow_senders_slow_readers_and_sign_ins_leave_pages_quick(pair: Site) -> None:
    site = pair
    people = site.people(21)
    caller = site.caller(people[0])
    caller.get("/chat/", headers={"Accept": "text/html"})
    cookie = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    port = site.parts["web0"].port
    pid = site.parts["web0"].pid
    start = f"Host: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nX-CSRFToken: {caller.cookies['csrftoken']}\r\n"
    body = json.dumps({"text": "x" * 2000, "client_id": "dawdling-1"}).encode()
    post = (
        f"POST /chat/messages/ HTTP/1.1\r\n{start}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    gets = f"GET /chat/ HTTP/1.1\r\n{start}\r\n" * 40  # 40 pages each, of which hardly one is read
    before = memory_mb(pid, name="VmRSS")
    stop, took = threading.Event(), list[float]()
    with ThreadPoolExecutor(60) as pool:
        for _ in range(20):
            pool.submit(dawdle, port, head=post.encode(), body=body, stop=stop, sends=True)
            pool.submit(dawdle, port, head=gets.encode(), body=b"", stop=stop, sends=False)
        time.sleep(0.5)
        signed = [pool.submit(site.caller, person) for person in people[1:]]
        try:
            until = time.monotonic() + 5
            while time.monotonic() < until or not all(each.done() for each in signed):
                began = time.monotonic()
                reply = caller.get("/chat/", headers={"Accept": "text/html"})
                took.append(time.monotonic() - began)
                assert reply.status == 200
                time.sleep(0.05)
        finally:
            stop.set()
    assert [len(each.result().cookies["sessionid"]) > 10 for each in signed] == [True] * 20
    assert max(took) < 1, sorted(took)[-5:]
    assert memory_mb(pid, name="VmHWM") - before < 100


def test_a_body_cut_short_stores_nothing(pair: Site) -> None:
    site = pair
    caller = site.caller(site.people(1)[0])
    caller.get("/chat/", headers={"Accept": "text/html"})
    cookie = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    port = site.parts["web0"].port
    start = f"POST /chat/messages/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n"
    start += f"X-CSRFToken: {caller.cookies['csrftoken']}\r\n"
    # Each is whole in itself, so that only its length says that more was meant.
    bodies = {
        "application/json": b'{"text": "Please delete", "client_id": "cut-short-1"}',
        "application/x-www-form-urlencoded": b"text=Please+delete&client_id=cut-short-2",
    }
    for kind, body in bodies.items():
        for more in (20, 0):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                head = f"{start}Content-Type: {kind}\r\nContent-Length: {len(body) + more}\r\n\r\n"
                client.sendall(head.encode() + body)
                if more:
                    client.shutdown(socket.SHUT_WR)
                answered = client.recv(100)
            time.sleep(0.3)
            assert answered.startswith((b"HTTP/1.1 202", b"HTTP/1.1 303")) == (more == 0), (kind, answered)
        stored = "from chat.models import Message\nanswer = Message.objects.filter(text='Please delete').count()"
        expected = list(bodies).index(kind) + 1  # the whole one, which proves that this would have been stored
        assert site.django(stored) == expected
