"""No way out of this machine for anything that a test runs in its own process: no connection, no datagram, no look-up of a name.

Every attempt is refused and kept, so that a test fails even when the code under test swallows the refusal, or makes the attempt
in a thread or between two tests. Processes that tests start are not watched here.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import psycopg
import uvloop
from psycopg.conninfo import conninfo_to_dict

OWN_NAMES = frozenset({"localhost", "", socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"})
"""What is looked up in this machine's own files: a letter's Message-ID and a server's name ask for it."""
PLACES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getnameinfo": 0}
"""Audit events whose argument of that number is a socket's address."""
NAMES = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})


class WayOut(RuntimeError):
    """Something that is not on this machine was to be reached. No OSError: code that expects those does not swallow it."""


@dataclass(frozen=True)
class Attempt:
    """One try to leave: what by, where to, and in which test and thread."""

    event: str
    address: str
    test: str
    thread: str

    def __str__(self) -> str:
        return f"{self.address} ({self.event} in thread {self.thread}, during {self.test})"


attempts: list[Attempt] = []
"""Those that nobody has been told of yet."""


def told() -> list[str]:
    """What was tried since this was asked last, in words."""
    found = list(map(str, attempts))
    attempts.clear()
    return found


def local(host: str) -> bool:
    """Whether this names this machine itself."""
    if host.lower().rstrip(".") in OWN_NAMES:
        return True
    address = literal(host)
    return address is not None and address.is_loopback


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, if it is one already; an IPv4 address in IPv6 clothes as what it is."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def install() -> None:
    """From now on and for good. What looks up a name or connects without an audit event is watched in Python as well:
    a socket that is given a name looks it up before the event, libpq and uvloop make no events at all.
    """
    sys.addaudithook(_judge_event)
    plain: Any = socket.socket
    plain.connect = _watched(plain.connect, lambda _sock, address: _reach("socket.connect", address))
    plain.connect_ex = _watched(plain.connect_ex, lambda _sock, address: _reach("socket.connect", address))
    plain.sendto = _watched(plain.sendto, lambda _sock, _data, *rest: _reach("socket.sendto", rest[-1]))
    base: Any = psycopg.Connection.__mro__[1]
    base._connect_gen = classmethod(_watched(base._connect_gen.__func__, _of_libpq))
    loop: Any = uvloop.Loop
    loop.create_connection = _watched(loop.create_connection, _of_create_connection)
    loop.create_datagram_endpoint = _watched(loop.create_datagram_endpoint, _of_datagram)
    loop.sock_connect = _watched(loop.sock_connect, lambda _loop, _sock, address: _reach("uvloop", address))
    loop.getaddrinfo = _watched(loop.getaddrinfo, lambda _loop, host, *_rest, **_more: _look_up("uvloop", host))


def _judge_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event in PLACES:
        _reach(event, arguments[PLACES[event]])
    elif event in NAMES:
        _look_up(event, arguments[0])


def _reach(event: str, address: Any) -> None:
    """Unix sockets have a path and no tuple; a datagram on a connected socket has no address."""
    if isinstance(address, tuple) and not local(_text(address[0])):
        _refuse(event, ":".join(map(_text, address[:2])))


def _look_up(event: str, host: Any) -> None:
    """An address needs no looking up, except backwards."""
    name = _text(host)
    if not local(name) and (literal(name) is None or event == "socket.gethostbyaddr"):
        _refuse(event, name)


def _refuse(event: str, address: str) -> None:
    test = os.environ.get("PYTEST_CURRENT_TEST", "no test")
    attempt = Attempt(event, address, test=test, thread=threading.current_thread().name)
    attempts.append(attempt)
    raise WayOut(f"tests stay on this machine: {attempt}")


def _watched(work: Callable[..., Any], judge: Callable[..., None]) -> Callable[..., Any]:
    @wraps(work)
    def watched(*args: Any, **words: Any) -> Any:
        judge(*args, **words)
        return work(*args, **words)

    return watched


def _of_libpq(_cls: Any, conninfo: str = "", **_words: Any) -> None:
    parts = conninfo_to_dict(conninfo)
    hosts = str(parts.get("hostaddr") or parts.get("host") or "").split(",")
    for host in hosts:
        if not host.startswith(("/", "@")) and not local(host):
            _refuse("libpq", host)


def _of_create_connection(_loop: Any, _factory: Any, host: Any = None, port: Any = None, **words: Any) -> None:
    if words.get("sock") is None:
        _reach("uvloop", (host, port))


def _of_datagram(_loop: Any, _factory: Any, _local: Any = None, remote_addr: Any = None, **_words: Any) -> None:
    _reach("uvloop", remote_addr)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str("" if value is None else value)
