"""The guard that keeps tests on this machine: each door out is tried, and a test that swallows the refusal fails all the same."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import uvloop

from tests import egress

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = "192.0.2.1"  # an address that documents use: nothing answers there


def on(loop: asyncio.AbstractEventLoop, work: Callable[[asyncio.AbstractEventLoop], object]) -> None:
    async def run() -> None:
        made = await work(loop)  # type: ignore[misc]  # each of them is awaitable
        made[0].close()  # no test gets here but the one that stays on this machine
        await asyncio.sleep(0)

    try:
        loop.run_until_complete(run())
    finally:
        loop.close()


def udp(send: Callable[[socket.socket], object]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as outside:
        send(outside)


def tcp(address: tuple[str, int], family: socket.AddressFamily = socket.AF_INET) -> None:
    with socket.socket(family) as outside:
        outside.connect(address)


DOORS: dict[str, Callable[[], object]] = {
    "a connection": lambda: tcp((OUTSIDE, 443)),
    "a connection over IPv6": lambda: tcp(("2001:db8::1", 443), socket.AF_INET6),
    "an outside address in IPv6 clothes": lambda: tcp((f"::ffff:{OUTSIDE}", 443), socket.AF_INET6),
    "a connection of the own network": lambda: tcp(("10.0.0.1", 80)),
    "the cloud's metadata": lambda: tcp(("169.254.169.254", 80)),
    "a connection to a name": lambda: tcp(("example.com", 443)),
    "a datagram": lambda: udp(lambda out: out.sendto(b"?", (OUTSIDE, 53))),
    "a datagram with its parts": lambda: udp(lambda out: out.sendmsg([b"?"], [], 0, (OUTSIDE, 53))),
    "a name": lambda: socket.getaddrinfo("example.com", 443),
    "a name, the old way": lambda: socket.gethostbyname("example.com"),
    "an address, backwards": lambda: socket.gethostbyaddr(OUTSIDE),
    "an address and port, backwards": lambda: socket.getnameinfo((OUTSIDE, 53), 0),
    "PostgreSQL's library": lambda: psycopg.connect(f"postgres://x@{OUTSIDE}/x", connect_timeout=2),
    "a second host of PostgreSQL's library": lambda: psycopg.connect(f"host=/nowhere,{OUTSIDE}", connect_timeout=2),
    "asyncio": lambda: on(asyncio.new_event_loop(), lambda loop: loop.create_connection(asyncio.Protocol, OUTSIDE, 9)),
    "uvloop": lambda: on(uvloop.new_event_loop(), lambda loop: loop.create_connection(asyncio.Protocol, OUTSIDE, 9)),
    "a name in uvloop": lambda: on(uvloop.new_event_loop(), lambda loop: loop.getaddrinfo("example.com", 443)),
    "a datagram of uvloop": lambda: on(
        uvloop.new_event_loop(),
        lambda loop: loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(OUTSIDE, 9)),
    ),
    "a socket of uvloop": lambda: on(uvloop.new_event_loop(), lambda loop: loop.sock_connect(sock(), (OUTSIDE, 9))),
}


def sock() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    return made


@pytest.fixture
def attempts() -> Iterator[list[egress.Attempt]]:
    """What the guard has seen; forgotten afterwards, as these attempts are meant."""
    yield egress.attempts
    egress.attempts.clear()


@pytest.mark.parametrize("name", DOORS)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_door_out_is_shut_and_who_tried_it_is_told(name: str, attempts: list[egress.Attempt]) -> None:
    with pytest.raises(egress.WayOut):
        DOORS[name]()
    assert [name in attempt.test for attempt in attempts] == [True]
    outside = {OUTSIDE, "example.com", "2001:db8::1", "10.0.0.1", "169.254.169.254"}
    assert any(address in attempts[0].address for address in outside), attempts[0]


def test_this_machine_stays_within_reach(tmp_path: Path, attempts: list[egress.Attempt]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        socket.create_connection(address).close()
        socket.create_connection(("localhost", address[1])).close()
        on(uvloop.new_event_loop(), lambda loop: loop.create_connection(asyncio.Protocol, *address))
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))
    socket.getaddrinfo(OUTSIDE, 443)  # an address is not looked up
    socket.getfqdn()
    assert attempts == []


PLANTED = '''
import contextlib, socket, threading
import pytest

def leave():
    with contextlib.suppress(BaseException):
        socket.create_connection(("192.0.2.1", 443), timeout=1)

@pytest.fixture(scope="module")
def at_the_end():
    yield
    leave()

def test_swallowed():
    leave()

def test_in_a_thread():
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()

def test_that_stays(at_the_end):
    socket.create_server(("127.0.0.1", 0)).close()
'''  # fmt: skip


def test_a_planted_connection_fails_the_test_that_made_it_though_it_was_swallowed(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_planted.py").write_text(PLANTED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "COLUMNS": "250"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    for name in ("test_swallowed", "test_in_a_thread"):
        assert (
            f"ERROR test_planted.py::{name} - Failed: a way out of this machine was tried: 192.0.2.1:443" in done.stdout
        )
    assert "test_that_stays" not in done.stdout
    assert "after the last test a way out of this machine was tried: 192.0.2.1:443" in done.stderr
