"""Runs a WSGI callable in a fixed number of persistent threads and hands back whole answers.

Refuses to stream: a request comes in complete, an answer leaves complete, so no thread ever waits for a socket.
"""

import asyncio
import contextvars
import itertools
import logging
import math
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

logger = logging.getLogger("portal.web")

Environ = dict[str, Any]
HeaderList = list[tuple[bytes, bytes]]
WSGIApplication = Callable[..., Iterable[bytes]]

NO_BODY_STATUSES = (204, 304)
# So long (seconds) a request that only looks lets those pass that do something: a question, a stop.
LOOKS, PATIENT_S = frozenset(("GET", "HEAD", "OPTIONS")), 1.0
# The server speaks for its own connection; an application has no say in these.
HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"content-length"))


class AnswerTooLarge(Exception):
    """The application produced more bytes than an answer may have."""


@dataclass(slots=True)
class Answer:
    """One complete HTTP answer; `length` is what Content-Length says (None: the header is left out)."""

    status: int
    headers: HeaderList
    body: bytes
    length: int | None


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through a thread.

    `abandoned` is set when nobody waits for the answer any more; `done` is called on the loop once no thread uses it.
    """

    environ: Environ
    done: Callable[[], None]
    context: contextvars.Context
    future: asyncio.Future[Answer | None]
    abandoned: bool = False


class _Collector:
    """The `start_response` side of one WSGI call."""

    def __init__(self, *, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., None]:
        # Nothing has left for the client yet, so a second call (with exc_info) may simply replace the first.
        if self.status and exc_info is None:
            raise AssertionError("start_response called twice without exc_info")
        if exc_info is not None:
            self.chunks.clear()
            self.size = 0
        self.status = int(status.split(" ", 1)[0])
        self.headers = headers
        return self.write

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self.limit:
            raise AnswerTooLarge(f"an answer passed {self.limit} bytes")
        if chunk:
            self.chunks.append(chunk)

    def answer(self, *, head: bool) -> Answer:
        if not self.status:
            raise AssertionError("the application returned without calling start_response")
        headers: HeaderList = []
        declared: int | None = None
        for name, value in self.headers:
            lowered = name.strip().lower().encode("latin-1")
            if lowered == b"content-length":
                declared = int(value)
            if lowered not in HOP_BY_HOP:
                headers.append((lowered, value.strip().encode("latin-1")))
        if self.status < 200 or self.status in NO_BODY_STATUSES:
            return Answer(self.status, headers, b"", None)
        body = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        # A HEAD answer may be empty and still say how long the GET answer would be.
        length = declared if head and declared is not None and not body else len(body)
        return Answer(self.status, headers, body, length)


def call_wsgi(application: WSGIApplication, environ: Environ, *, limit: int) -> Answer:
    """Call a WSGI application and collect its whole answer, at most `limit` bytes (else AnswerTooLarge).

    `close()` of the returned iterable always runs: Django sends `request_finished` from there.
    """
    collector = _Collector(limit=limit)
    result = application(environ, collector.start_response)
    try:
        for chunk in result:
            collector.write(chunk)
        return collector.answer(head=environ["REQUEST_METHOD"] == "HEAD")
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


class Threads:
    """Persistent daemon threads around one WSGI application, driven from one event loop.

    Daemon, because a view that hangs must not keep the process from ending once its time to drain is over.
    Each thread keeps its own database connection between requests.
    """

    def __init__(self, application: WSGIApplication, *, count: int, answer_limit: int) -> None:
        self.count = count
        self.outstanding = 0
        self._application = application
        self._answer_limit = answer_limit
        # By the moment from which each has waited too long: in a rush what somebody does goes before what somebody looks at.
        self._jobs: queue.PriorityQueue[tuple[float, int, Job | None]] = queue.PriorityQueue()
        self._count = itertools.count()
        self._threads: list[threading.Thread] = []

    @property
    def waiting(self) -> int:
        """How many requests have no thread yet."""
        return max(0, self.outstanding - self.count)

    def start(self) -> None:
        """Start the threads; further calls do nothing."""
        while len(self._threads) < self.count:
            name = f"web-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let every thread end after its present request. Returns at once."""
        for _ in self._threads:
            self._jobs.put((math.inf, next(self._count), None))
        self._threads = []

    def submit(self, environ: Environ, *, done: Callable[[], None]) -> Job:
        """Queue a request; `job.future` gives its answer, or None when the application failed. Loop side only."""
        self.start()
        loop = asyncio.get_running_loop()
        job = Job(environ, done, contextvars.copy_context(), loop.create_future())
        self.outstanding += 1
        patient = PATIENT_S if environ["REQUEST_METHOD"] in LOOKS else 0.0
        self._jobs.put((time.monotonic() + patient, next(self._count), job))
        return job

    def _work(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            answer = None if job.abandoned else self._run(job)
            try:
                job.future.get_loop().call_soon_threadsafe(self._finish, job, answer)
            except RuntimeError:  # the loop is closed: the process is on its way out
                return
            # A parked thread must not keep the last request and its answer alive.
            del job, answer

    def _run(self, job: Job) -> Answer | None:
        try:
            return job.context.run(call_wsgi, self._application, job.environ, limit=self._answer_limit)
        except BaseException:
            logger.exception("the web application failed on %s", job.environ.get("REQUEST_METHOD"))
            return None

    def _finish(self, job: Job, answer: Answer | None) -> None:
        self.outstanding -= 1
        job.done()
        if not job.future.done():
            job.future.set_result(answer)


# Never let a client choose these: the server has already resolved client and scheme (from trusted proxies only).
_DROPPED = frozenset((b"proxy", b"forwarded", b"x-real-ip", b"transfer-encoding", b"expect", b"content-length"))


def make_environ(scope: dict[str, Any], *, path: str, body: Any, size: int) -> Environ:
    """The WSGI environment of an ASGI http scope whose body is complete and `size` bytes long.

    `path` is PATH_INFO: percent-decoded bytes read as Latin-1. Header names with `_` are dropped, because they
    would fold onto the same key as their `-` twin; so are forwarding headers.
    """
    server = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": path,
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "CONTENT_LENGTH": str(size),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in cast(HeaderList, scope["headers"]):
        if b"_" in name or name in _DROPPED or name.startswith(b"x-forwarded-"):
            continue
        text = value.decode("latin-1")
        key = name.decode("latin-1").upper().replace("-", "_")
        if key != "CONTENT_TYPE":
            key = "HTTP_" + key
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ
