"""Asks a company's sign-in server: one request, one answer, bounded in time and size, only at addresses that are allowed.

Follows no redirect, keeps no connection, no cookie and no proxy from the environment; understands no answer. The name is looked
up once, and the connection goes to the very addresses that were judged. Light: the standard library only.
"""

from __future__ import annotations

import base64
import functools
import http.client
import json
import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from django.conf import settings

from accounts import addresses

LIMIT_S = 10.0
"""Looking up, connecting, asking and reading; of everything that one page asks together (`within`)."""
MOST = 512 * 1024
"""Bytes of an answer; a directory of keys is a few kilobytes."""
AT_ONCE = 4
"""Requests under way in one process: a slow issuer never takes every thread of the web."""
QUEUE_S = 2.0

_places = threading.BoundedSemaphore(AT_ONCE)
_until: ContextVar[float] = ContextVar("sso_until", default=math.inf)


class Fault(StrEnum):
    """Why there is no answer."""

    ADDRESS = "address"
    INSECURE = "insecure"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    SLOW = "slow"
    BUSY = "busy"
    TOO_LARGE = "too_large"
    NOT_HTTP = "not_http"
    NOT_JSON = "not_json"


class Unanswered(Exception):
    """`fault` says what went wrong, `detail` in the words of the machine; neither holds a secret."""

    def __init__(self, fault: Fault, detail: str = "") -> None:
        self.fault, self.detail = fault, one_line(detail)
        super().__init__(f"{fault}: {self.detail}" if detail else str(fault))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object in it. Raises Unanswered(NOT_JSON) for anything else."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise Unanswered(Fault.NOT_JSON) from None
        if not isinstance(found, dict):
            raise Unanswered(Fault.NOT_JSON)
        return found


def check(url: str) -> SplitResult:
    """The parts of an address that may be asked. Raises Unanswered: refused, or neither https nor this machine."""
    parts = urlsplit(url)
    try:
        addresses.check_url(parts._replace(query="").geturl(), allow_private=settings.SSO_ALLOW_PRIVATE)
    except (addresses.RefusedAddress, ValueError) as error:
        raise Unanswered(Fault.ADDRESS, str(error)) from None
    if any(char.isspace() or not char.isprintable() for char in parts.query):
        raise Unanswered(Fault.ADDRESS, "a blank in it")
    if parts.scheme != "https" and not _this_machine(parts.hostname or ""):
        raise Unanswered(Fault.INSECURE)
    return parts


def fetch(
    url: str,
    *,
    form: dict[str, str] | None = None,
    payload: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """GET, or POST with a form or a JSON payload. Any status is an answer, a redirect too. Raises Unanswered."""
    parts = check(url)
    now = time.monotonic()
    deadline = min(now + LIMIT_S, _until.get())
    if not _places.acquire(timeout=max(0.0, min(QUEUE_S, deadline - now))):
        raise Unanswered(Fault.BUSY)
    try:
        return _ask(parts, deadline=deadline, body=_body(form, payload), headers=headers or {})
    except TimeoutError:
        raise Unanswered(Fault.SLOW) from None
    except ssl.SSLCertVerificationError as error:
        raise Unanswered(Fault.TLS, error.verify_message) from None
    except ssl.SSLError as error:
        raise Unanswered(Fault.TLS, error.reason or type(error).__name__) from None
    except (http.client.HTTPException, UnicodeError, ValueError) as error:
        raise Unanswered(Fault.NOT_HTTP, type(error).__name__) from None
    except OSError as error:
        raise Unanswered(Fault.CONNECT, error.strerror or type(error).__name__) from None
    finally:
        _places.release()


@contextmanager
def within(seconds: float = LIMIT_S) -> Iterator[None]:
    """Everything asked inside takes so long together at most: a page never waits for one issuer several times over."""
    token = _until.set(min(time.monotonic() + seconds, _until.get()))
    try:
        yield
    finally:
        _until.reset(token)


def one_line(said: str) -> str:
    """What somebody else said, fit for a line of the log: printable and short."""
    return "".join(char if char.isprintable() else " " for char in said[:300])


def basic(user: str, password: str) -> str:
    """The value of `Authorization` for a client id and its secret, encoded as OAuth wants it."""
    pair = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


class _Watched(socket.socket):
    """A socket whose every read waits until one deadline: an answer that drips in does not buy time."""

    deadline = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


class _WatchedTls(ssl.SSLSocket):
    """The same, encrypted."""

    deadline = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


def _ask(parts: SplitResult, *, deadline: float, body: tuple[str, bytes] | None, headers: dict[str, str]) -> Answer:
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(parts.netloc)
    target = (quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "chat-portal"} | headers
    if body is not None:
        sent["Content-Type"] = body[0]
    try:
        connection.sock = _connect(host, port, deadline=deadline, secure=secure)
        connection.request("GET" if body is None else "POST", target, body=body and body[1], headers=sent)
        return _read(connection.getresponse())
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Unanswered(Fault.NOT_HTTP, "a packed answer that was not asked for")
    if (response.length or 0) > MOST:
        raise Unanswered(Fault.TOO_LARGE)
    body = bytearray()
    while chunk := response.read(64 * 1024):
        body += chunk
        if len(body) > MOST:
            raise Unanswered(Fault.TOO_LARGE)
    return Answer(response.status, headers, bytes(body))


def _connect(host: str, port: int, *, deadline: float, secure: bool) -> socket.socket:
    """A connection to the first of the host's addresses that takes it. Raises Unanswered, OSError."""
    failed: OSError | None = None
    for family, kind, protocol, _name, address in _look_up(host, port, deadline=deadline):
        plain = _Watched(family, kind, protocol)
        try:
            plain.settimeout(min(5.0, _left(deadline)))
            plain.connect(address)
        except OSError as error:
            plain.close()
            failed = error
            continue
        plain.deadline = deadline
        plain.settimeout(_left(deadline))
        return _encrypt(plain, host=host, deadline=deadline) if secure else plain
    raise failed or OSError("no address")


def _encrypt(plain: socket.socket, *, host: str, deadline: float) -> socket.socket:
    try:
        encrypted = _context(settings.CA_BUNDLE).wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    assert isinstance(encrypted, _WatchedTls)
    encrypted.deadline = deadline
    return encrypted


def _look_up(host: str, port: int, *, deadline: float) -> list[Any]:
    """The host's addresses, every one of them allowed. The system's own lookup has no limit: it is left behind."""
    found: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=ask, name="look up", daemon=True).start()
    try:
        answer = found.get(timeout=_left(deadline))
    except queue.Empty:
        raise Unanswered(Fault.DNS, "no answer in time") from None
    if isinstance(answer, Exception):
        raise Unanswered(Fault.DNS, getattr(answer, "strerror", "") or type(answer).__name__)
    for each in answer:
        if addresses.refused(str(each[4][0]), allow_private=settings.SSO_ALLOW_PRIVATE):
            raise Unanswered(Fault.ADDRESS, "the name leads to a refused address")
    return answer


@functools.lru_cache(maxsize=2)
def _context(bundle: str) -> ssl.SSLContext:
    """The system's certificates, and those of CA_BUNDLE beside them."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _WatchedTls
    if bundle:
        context.load_verify_locations(bundle)
    return context


def _body(form: dict[str, str] | None, payload: dict[str, Any] | None) -> tuple[str, bytes] | None:
    if form is not None:
        return "application/x-www-form-urlencoded", urlencode(form).encode()
    if payload is not None:
        return "application/json; charset=utf-8", json.dumps(payload).encode()
    return None


def _left(deadline: float) -> float:
    """Seconds until then. Raises TimeoutError when it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _this_machine(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
