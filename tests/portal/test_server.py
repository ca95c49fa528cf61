"""The web process over real sockets: broken, slow and hostile clients, and how it starts and stops."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portal.web_client import ROOT, Web, body_of, environment, read_all, status_of, web

POST = b"POST /submit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One process with short times, for clients that only misbehave."""
    with web(tmp_path_factory.mktemp("web"), idle_s=1, grace_s=3, linger_s=0.5, head_s=1, stall_s=1) as process:
        yield process


REFUSED = {
    "both content-length and transfer-encoding": (
        400,
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "two content-lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"),
    "the same content-length twice": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "a signed content-length": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "another transfer coding": (400, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "a transfer coding in HTTP/1.0": (
        400,
        b"POST /submit HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    "a bad chunk size": (400, CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
    "a chunk longer than it says": (400, CHUNKED + b"2\r\nabcdef\r\n0\r\n\r\n"),
    "two hosts": (400, b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
    "no host": (400, b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n"),
    "a NUL in the path": (400, b"GET /a%00b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    "a space before the colon": (400, b"GET /x HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n"),
    "a folded header": (400, b"GET /x HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    "not HTTP at all": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a header of 64 kB": (431, b"GET /x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 65_536 + b"\r\n\r\n"),
    "a header without end": (431, b"GET /x HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000),
    "many headers": (431, b"GET /x HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n"),
    "a long address": (414, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a content-length beyond the cap": (413, POST + b"Content-Length: 1000000000\r\n\r\n"),
    "chunks beyond the cap": (413, CHUNKED + (b"10000\r\n" + b"a" * 65_536 + b"\r\n") * 20),
    "trailers without end": (431, CHUNKED + b"3\r\nabc\r\n0\r\n" + b"X-A: b\r\n" * 30_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_request_that_is_not_sound_is_refused_and_never_reaches_the_application(served: Web, name: str) -> None:
    status, request = REFUSED[name]
    seen = served.state()["seen"]
    answer = served.raw(request)
    assert status_of(answer) == status
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer
    assert b"\r\ncontent-security-policy: default-src 'none'" in answer
    assert b"\r\ncache-control: no-store\r\n" in answer
    assert b"\r\nconnection: close\r\n" in answer
    assert served.state()["seen"] == seen


def test_a_body_cut_short_never_reaches_the_application(served: Web) -> None:
    seen = served.state()["seen"]
    for request in (POST + b"Content-Length: 20\r\n\r\nPlease delete", CHUNKED + b"d\r\nPlease delete\r\n"):
        with served.connect() as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            read_all(client)
        with served.connect() as client:
            client.sendall(request)
    time.sleep(0.2)
    state = served.state()
    assert (state["seen"], state["bodies"]) == (seen, [1, 0, 0])


@pytest.mark.parametrize("request_so_far", [POST + b"Content-Length: 20\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n"])
def test_a_sender_that_falls_silent_is_told_408(served: Web, request_so_far: bytes) -> None:
    start = time.monotonic()
    assert status_of(served.raw(request_so_far)) == 408
    assert 0.9 < time.monotonic() - start < 3


@pytest.mark.parametrize("start", [b"", b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: b"])
def test_a_connection_without_a_complete_head_is_closed(served: Web, start: bytes) -> None:
    assert status_of(served.raw(start)) == 408


def test_a_sender_of_one_byte_at_a_time_is_told_408_after_the_grace(served: Web) -> None:
    with served.connect() as client:
        client.sendall(POST + b"Content-Length: 500000\r\n\r\n")
        start, answered = time.monotonic(), False
        while time.monotonic() - start < 8 and not answered:
            client.sendall(b"a")
            client.settimeout(0.2)
            try:
                answered = status_of(client.recv(4096)) == 408
            except TimeoutError:
                continue
    assert answered
    assert time.monotonic() - start > 2.5


def test_bodies_arrive_whole_in_memory_and_through_a_file(served: Web) -> None:
    for size in (0, 1, 70_000, 300_000, 1_000_000):
        answer = body_of(served.raw(POST + b"Content-Length: %d\r\n\r\n" % size, b"a" * size))
        assert (answer["size"], answer["environ"]["CONTENT_LENGTH"]) == (size, str(size))
    chunks = [b"%x\r\n%s\r\n" % (n, b"b" * n) for n in (1, 5, 100_000, 200_000)]
    answer = body_of(served.raw(CHUNKED, *chunks, b"0\r\n\r\n"))
    assert (answer["size"], answer["environ"]["CONTENT_LENGTH"]) == (300_006, "300006")
    assert "HTTP_TRANSFER_ENCODING" not in answer["environ"]
    assert served.state()["bodies"] == [1, 0, 0]


def test_headers_that_a_client_must_not_choose_are_dropped(served: Web) -> None:
    request = (
        POST + b"X_Request_Id: evil\r\nX-Request-ID: good\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 9.9.9.9\r\n"
    )
    trailer = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: evil\r\nCookie: late=1\r\n\r\n"
    environ = body_of(served.raw(request + trailer))["environ"]
    assert environ["HTTP_X_REQUEST_ID"] == "good"
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    assert {"HTTP_X_LATE", "HTTP_COOKIE", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_FOR"}.isdisjoint(environ)


def test_expect_100_continue_is_answered_before_the_body_or_refused_without_it(served: Web) -> None:
    with served.connect() as client:
        client.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert body_of(read_all(client))["size"] == 3
    refused = served.raw(POST + b"Expect: 100-continue\r\nContent-Length: 9000000\r\n\r\n")
    assert status_of(refused) == 413


def test_a_sender_that_reads_only_at_the_end_still_reads_why_it_was_refused(served: Web) -> None:
    for _ in range(5):
        assert status_of(served.raw(POST + b"Content-Length: 4000000\r\n\r\n", b"a" * 4_000_000)) == 413


def test_http_1_0_is_answered_with_a_length_and_closed(served: Web) -> None:
    answer = served.raw(b"GET /old HTTP/1.0\r\n\r\n")
    assert status_of(answer) == 200
    assert b"\r\ncontent-length: " in answer
    assert body_of(answer)["environ"]["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_pipelined_requests_are_answered_in_order(served: Web) -> None:
    post = b"POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    answer = served.raw(post + b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n" + LAST)
    paths = [json.loads(part.split(b"\r\n\r\n", 1)[1])["path"] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert paths == ["/first", "/second", "/last"]


def test_an_upgrade_is_answered_in_http_1_1_and_the_connection_ends(served: Web) -> None:
    answer = served.raw(b"GET /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert status_of(answer) == 200
    with_body = b"POST /up HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    assert status_of(served.raw(with_body)) == 400


def test_an_answer_that_has_no_body_says_no_length_and_head_says_the_length_of_get(served: Web) -> None:
    with served.connect() as client:
        client.sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + LAST.replace(b"GET", b"HEAD"))
        nothing, head = read_all(client).split(b"HTTP/1.1 200 OK")
    assert nothing.startswith(b"HTTP/1.1 304") and b"content-length" not in nothing
    assert b"\r\ncontent-length: " in head and head.endswith(b"\r\n\r\n")
    assert b"server:" not in head


def test_20_slow_senders_hold_no_thread_little_memory_and_delay_nobody(served: Web) -> None:
    before, clients = served.state(), [served.connect() for _ in range(20)]
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(POST + b"Content-Length: 1000000\r\n\r\n")
        for _ in range(40):
            if over.wait(0.05):
                return
            client.sendall(b"a" * 20_000)

    senders = [threading.Thread(target=drip, args=(client,)) for client in clients]
    for sender in senders:
        sender.start()
    worst = served.slowest(seconds=2.5)
    during = served.state()
    over.set()
    for sender, client in zip(senders, clients, strict=True):
        sender.join()
        client.close()
    assert worst < 1
    assert during["bodies"][0] == 21
    assert during["bodies"][2] > 10_000_000  # they went to files
    assert during["threads"] == before["threads"]
    assert during["rss_kb"] - before["rss_kb"] < 50_000
    assert "/submit" not in during["seen"][len(before["seen"]) :]
    time.sleep(0.2)
    assert served.state()["bodies"] == [1, 0, 0]


def test_20_slow_readers_hold_no_thread_little_memory_and_delay_nobody(served: Web) -> None:
    before, clients = served.state(), [served.connect(receive_buffer=4096) for _ in range(20)]
    for client in clients:
        client.sendall(b"GET /large?1000000 HTTP/1.1\r\nHost: a\r\n\r\n")
    worst = served.slowest(seconds=0.7)
    during = served.state()
    assert worst < 1
    assert during["threads"] == before["threads"]
    assert during["closed"].count("/large") == 20  # every answer is complete, no thread waits for a reader
    assert during["rss_kb"] - before["rss_kb"] < 60_000
    for client in clients:
        client.close()


def test_a_reader_that_stands_still_is_dropped_with_its_answer(served: Web) -> None:
    before = served.state()["open_files"]
    with served.connect(receive_buffer=4096) as client:
        client.sendall(b"GET /large?8000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.5)
        assert served.state()["open_files"] == before + 1
        time.sleep(2.5)
        assert served.state()["open_files"] == before


def test_a_slow_reader_that_keeps_reading_gets_everything(served: Web) -> None:
    with served.connect(receive_buffer=4096) as client:
        client.sendall(b"GET /large?700000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = 0
        while piece := client.recv(2048):
            received += len(piece)
            time.sleep(0.005)
    assert received > 700_000


def test_an_application_that_fails_costs_one_request_and_no_thread(served: Web) -> None:
    before = served.state()["threads"]
    for path in ("/fail", "/exit"):
        answer = served.raw(
            LAST.replace(b"/last", path.encode()).replace(b"\r\n\r\n", b"\r\nAccept: application/json\r\n\r\n")
        )
        assert status_of(answer) == 500
        assert body_of(answer) == {"error": {"code": "server_error", "message": "Something went wrong on the server."}}
    assert served.state()["threads"] == before


def test_health_is_answered_while_every_thread_is_busy(served: Web) -> None:
    clients = [served.connect() for _ in range(8)]
    for client in clients:
        client.sendall(b"GET /sleep?1 HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.1)
    start = time.monotonic()
    assert served.get("/health/live") == (200, b"ok\n")
    assert time.monotonic() - start < 0.5
    for client in clients:
        assert status_of(client.recv(4096)) == 200
        client.close()


def test_sigterm_answers_held_requests_finishes_others_and_leaves_with_0(tmp_path: Path) -> None:
    with web(tmp_path) as process:
        held, working, idle = process.connect(), process.connect(), process.connect()
        held.sendall(b"GET /live/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        working.sendall(b"GET /sleep?1 HTTP/1.1\r\nHost: a\r\n\r\n")
        idle.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        assert status_of(idle.recv(65_536)) == 200
        start = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        assert read_all(held).endswith(b"held")
        assert time.monotonic() - start < 0.8
        assert status_of(read_all(working)) == 200
        assert read_all(idle) == b""
        assert process.process.wait(3) == 0
        for client in (held, working, idle):
            client.close()


def test_a_view_that_hangs_does_not_keep_the_process_from_leaving(tmp_path: Path) -> None:
    with web(tmp_path, extra={"WEB_DRAIN_S": "1"}) as process, process.connect() as client:
        client.sendall(b"GET /sleep?60 HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        process.process.send_signal(signal.SIGTERM)
        assert status_of(read_all(client)) == 503
        assert process.process.wait(3) == 0


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.portal.web_process"],
            cwd=ROOT,
            env=environment(tmp_path, limits={}, extra={"PORT": str(port)}),
            capture_output=True,
            text=True,
            timeout=20,
        )
    expected = f"web: port {port} on 127.0.0.1: Address already in use. Choose another, e.g. PORT={port + 1}\n"
    assert (ended.returncode, ended.stderr) == (1, expected)


def test_a_socket_that_is_handed_over_outlives_the_process_that_serves_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kept:
        port, extra = kept.getsockname()[1], {"LISTEN_FD": str(kept.fileno())}
        with web(tmp_path, extra=extra, pass_fds=(kept.fileno(),)) as first:
            assert (first.port, first.get("/hello")[0]) == (port, 200)
        with socket.create_connection(("127.0.0.1", port)) as early:  # nobody serves now: it waits
            early.sendall(LAST)
            with web(tmp_path, extra=extra, pass_fds=(kept.fileno(),)):
                assert status_of(read_all(early)) == 200


def test_a_client_address_is_taken_from_a_trusted_proxy_only(tmp_path: Path) -> None:
    with web(tmp_path, extra={"TRUSTED_PROXIES": "127.0.0.1"}) as process:
        forwarded = b"\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n"
        environ = body_of(process.raw(LAST.replace(b"\r\n\r\n", forwarded)))["environ"]
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.7", "https")


def test_start_hooks_run_once_also_without_lifespan(tmp_path: Path) -> None:
    script = (
        "import tests.portal.live_double as live, asyncio\n"
        "from portal import asgi\n"
        "async def ask():\n"
        "    sent = []\n"
        "    async def send(m): sent.append(m)\n"
        "    async def receive(): return {'type': 'http.request', 'body': b''}\n"
        "    scope = {'type': 'http', 'method': 'GET', 'path': '', 'raw_path': b'/%00', 'headers': [(b'host', b'a')]}\n"
        "    await asyncio.gather(*(asgi.application(scope, receive, send) for _ in range(3)))\n"
        "    print(live.CALLS, [m['status'] for m in sent if 'status' in m])\n"
        "asyncio.run(ask())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        cwd=ROOT,
        env=environment(tmp_path, limits={}, extra={}),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.stdout == "['start'] [400, 400, 400]\n"
