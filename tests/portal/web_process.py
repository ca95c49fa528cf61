"""`python -m tests.portal.web_process`: the real server, guard and dispatch around a WSGI application of our own.

It prints its address and serves until SIGTERM. Refuses to touch a database: nothing here does.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tests.portal.live_double as live

# isort: split
# After the double: importing the server imports the live application.
from portal import asgi, server
from portal.admission import Limits
from portal.guard import Guard
from portal.protocol import BoundedProtocol

SEEN: list[str] = []
CLOSED: list[str] = []


class Chunks:
    """An iterable answer that notes when it was closed."""

    def __init__(self, name: str, chunks: list[bytes]) -> None:
        self.name = name
        self.chunks = chunks

    def __iter__(self) -> Iterable[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        CLOSED.append(self.name)


def answer(environ: dict[str, Any], start_response: Any) -> Any:
    """Says what it was given, or misbehaves, by path."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
    status, seen = "200 OK", {}
    if path == "/state":
        seen = state()
    else:
        SEEN.append(path)
        seen = {"path": path, "size": len(body), "sha": hashlib.sha256(body).hexdigest()}
        seen["environ"] = {key: value for key, value in environ.items() if isinstance(value, str)}
    if path == "/fail":
        raise ValueError("planted")
    if path == "/exit":
        sys.exit(3)
    if path == "/sleep":
        time.sleep(float(query))
    if path == "/large":
        start_response(status, [("Content-Type", "text/plain")])
        return Chunks(path, [b"x" * int(query)])
    if path == "/nothing":
        start_response("304 Not Modified", [("Content-Length", "12"), ("ETag", '"a"')])
        return Chunks(path, [])
    start_response(status, [("Content-Type", "application/json"), ("Connection", "close")])
    return Chunks(path, [json.dumps(seen).encode()])


def state() -> dict[str, Any]:
    """What this process holds, seen from inside."""
    text = Path("/proc/self/status").read_text()
    rss = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS"))
    return {
        "rss_kb": rss,
        "threads": threading.active_count(),
        "seen": list(SEEN),
        "closed": list(CLOSED),
        "calls": list(live.CALLS),
        "bodies": [asgi.guard.bodies.count, asgi.guard.bodies.memory, asgi.guard.bodies.disk],
        "cpu_s": time.process_time(),
        "open_files": len(list(Path("/proc/self/fd").iterdir())),
    }


def main() -> int:
    """Serve `answer`; WEB_TEST holds limits as JSON, among them `head_s` and `stall_s` of the protocol."""
    wanted: dict[str, Any] = json.loads(os.environ.get("WEB_TEST") or "{}")
    BoundedProtocol.head_s = wanted.pop("head_s", BoundedProtocol.head_s)
    BoundedProtocol.stall_s = wanted.pop("stall_s", BoundedProtocol.stall_s)
    asgi.limits = Limits(**wanted)
    asgi.guard = Guard(answer, limits=asgi.limits)
    return server.main()


if __name__ == "__main__":
    sys.exit(main())
