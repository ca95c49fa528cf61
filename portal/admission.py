"""Which requests are let in, by their head alone, and how a refusal looks.

Refuses to read a body, to authenticate, and to say more than one line about why it refused.
"""

import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import orjson

from api import problem
from api.gateway import envelope
from portal.threads import HeaderList

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

KB, MB = 1024, 1024 * 1024
# Headers that mean one thing; two of them mean that two programs would read two different requests.
SINGLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization"))

STRICT_HEADERS: HeaderList = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the guard allows; sizes in bytes, times in seconds."""

    threads: int = 8
    queue: int = 200  # requests that may wait for a thread
    header: int = 32 * KB
    target: int = 8 * KB  # path and query
    answer: int = 8 * MB
    bodies: int = 2000  # bodies being received or held at once
    body_memory: int = 256 * KB  # one body, before it goes to a file
    memory: int = 32 * MB  # all bodies together, before the next goes to a file at once
    disk: int = 1024 * MB  # all bodies together, in files
    idle_s: float = 15.0
    grace_s: float = 60.0  # from here on a sender must have managed `rate` on average
    rate: float = 8 * KB
    patience_s: float = 15.0  # an answer of the application, from the whole body on
    linger_s: float = 2.0  # how long a refused sender is still listened to, so that it reads the refusal


def body_limit(path: str) -> int:
    """The largest body in bytes that a path accepts: a question of 1 MB with what a form wraps around it."""
    return MB + 64 * KB


class Refused(Exception):
    """The request is answered by the guard. `close`: the connection cannot be used for another one."""

    def __init__(self, status: int, code: str, message: str, *, close: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.close = close


class Gone(Exception):
    """The client has left: there is nobody to answer."""


def refusal(refused: Refused, *, accept: bytes, path: str = "") -> tuple[HeaderList, bytes]:
    """Headers and body of a refusal: OpenAI's envelope under /v1/, problem details for the API, JSON where it is asked for, else a line."""
    if path.startswith(envelope.PREFIX):
        kind, body = envelope.CONTENT_TYPE, envelope.envelope(refused.status, refused.code, refused.message)
    elif path.startswith("/api/"):
        kind = problem.CONTENT_TYPE.encode()
        details = problem.details(
            refused.status, code=refused.code, detail=refused.message, request_id=uuid.uuid4().hex
        )
        body = orjson.dumps(details)
    elif b"json" in accept.lower():
        kind = b"application/json"
        body = orjson.dumps({"error": {"code": refused.code, "message": refused.message}})
    else:
        kind, body = b"text/plain; charset=utf-8", refused.message.encode() + b"\n"
    headers = [*STRICT_HEADERS, (b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"2"))
    if refused.close:
        headers.append((b"connection", b"close"))
    return headers, body


def header(scope: Scope, name: bytes) -> bytes:
    """The last value of a header, or nothing."""
    for found, value in reversed(scope["headers"]):
        if found == name:
            return cast(bytes, value)
    return b""


def check(scope: Scope, *, limits: Limits) -> None:
    """Raise Refused when the head of a request is too large or can be read in two ways."""
    seen: set[bytes] = set()
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if name in SINGLE:
            if name in seen:
                raise Refused(400, "bad_request", f"The header {name.decode()} is given twice.")
            seen.add(name)
    if size > limits.header:
        raise Refused(431, "header_too_large", "The headers are too large.")
    if len(raw_path(scope)) + len(scope.get("query_string", b"")) > limits.target:
        raise Refused(414, "address_too_long", "The address is too long.")
    if b"host" not in seen and scope.get("http_version") == "1.1":
        raise Refused(400, "bad_request", "The header host is missing.")
    if b"transfer-encoding" in seen and (
        b"content-length" in seen
        or header(scope, b"transfer-encoding").strip().lower() != b"chunked"
        or scope.get("http_version") == "1.0"
    ):
        raise Refused(400, "bad_request", "The length of the body is not clear.")
    if b"content-length" in seen and not header(scope, b"content-length").isdigit():
        raise Refused(400, "bad_request", "The content-length is not a number.")


def raw_path(scope: Scope) -> bytes:
    """The path as it was sent, still percent-encoded."""
    raw = scope.get("raw_path")
    return raw if isinstance(raw, bytes) else scope["path"].encode("utf-8")


def wsgi_path(scope: Scope) -> str:
    """PATH_INFO: the bytes of the path read as Latin-1. A NUL is refused: no address of ours has one."""
    path = unquote_to_bytes(raw_path(scope)).decode("latin-1")
    if "\x00" in path:
        raise Refused(400, "bad_request", "The address holds a NUL.")
    root = scope.get("root_path", "")
    if root and path.startswith(root):
        path = path[len(root) :]
    return path
