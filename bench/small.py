"""`python -m bench.small`: what single things cost on SQLite, one at a time: the start, idle memory, a held poll, ordinary pages.

Starts an installation of its own (web, worker, simulator) in a temporary folder and ends it. Prints one line a figure, as JSON with
`--json`. Milliseconds, megabytes, bytes. The machine should be quiet; Linux only.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.trial_soak import pss_mb
from tests.processes import Caller, Site

PAGES = {
    "health": "/health/live",
    "new chat": "/chat/",
    "a chat of 40 turns": "",  # its address is known once it is there
    "the list": "/chat/list/",
    "my usage": "/me/usage/",
    "sign-in": "/accounts/login/",
}
# An answer that is being written for as long as this takes; nobody writes it: its worker is this script.
RUNNING = """
import datetime as dt, uuid
from django.utils import timezone
from chat.models import Generation
until = timezone.now() + dt.timedelta(seconds=19)
answer = Generation.objects.filter(state="queued").update(
    state="running", attempt=1, revision=2, lease_owner=uuid.uuid4(), lease_expires_at=until)
"""


def cpu_ms(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10.0


def start_s(site: Site) -> float:
    """From the web process's exec to the first answered page, the database being there."""
    began = time.monotonic()
    site.start_web()
    while site.caller().get("/accounts/login/").status != 200:
        time.sleep(0.01)
    return time.monotonic() - began


def held_poll_bytes(site: Site, caller: Caller, *, polls: int) -> float:
    """Proportional memory of the web process for each of many polls that it holds."""
    sent = caller.send("Hold the line")
    site.django(RUNNING)
    caller.poll(sent["poll_url"])
    web = site.parts["web0"]
    cookie = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    head = f"GET {sent['poll_url']}&seen=99&wait=25 HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nCookie: {cookie}\r\n\r\n"
    before = pss_mb(web.pid)
    held = []
    for _poll in range(polls):
        connection = socket.create_connection(("127.0.0.1", web.port))
        connection.sendall(head.encode())
        held.append(connection)
    time.sleep(2)
    grown = pss_mb(web.pid) - before
    for connection in held:
        connection.close()
    return grown * 1024 * 1024 / polls


def page_figures(site: Site, caller: Caller, path: str, *, times: int) -> dict[str, float]:
    """One after the other over one connection: latency, CPU of the web process and size."""
    web = site.parts["web0"]
    connection = http.client.HTTPConnection("127.0.0.1", web.port)
    headers = {"Accept": "text/html"}
    if not path.startswith("/accounts/"):
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in caller.cookies.items())
    took, size = [], 0
    before = 0.0
    for number in range(times + 20):
        if number == 20:  # the first ones fill caches
            before = cpu_ms(web.pid)
        began = time.monotonic()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        size = len(answer.read())
        assert answer.status == 200, (path, answer.status)
        if number >= 20:
            took.append((time.monotonic() - began) * 1000)
    connection.close()
    took.sort()
    return {
        "p50 ms": round(statistics.median(took), 1),
        "p99 ms": round(took[int(len(took) * 0.99) - 1], 1),
        "a second": round(1000 / statistics.mean(took)),
        "cpu ms": round((cpu_ms(web.pid) - before) / times, 2),
        "bytes": size,
    }


def measure(folder: Path, *, polls: int, times: int) -> dict[str, Any]:
    """Everything, in one installation."""
    site = Site(folder, settings={"FIRST_LIMITS": "none"})
    found: dict[str, Any] = {}
    try:
        site.start_simulator()
        site.manage("setup")
        found["web, start to first page, s"] = round(start_s(site), 2)
        site.start_worker()
        time.sleep(8)
        found["idle, web and worker, MB"] = round(sum(pss_mb(site.parts[name].pid) for name in ("web0", "worker0")))
        caller = site.caller(site.people(1)[0])
        first = caller.send("[[sim seed=a n=50 gap=0 ttft=0]] one")
        caller.until_ended(first)
        for number in range(19):
            sent = caller.send(
                f"[[sim seed={number} n=50 gap=0 ttft=0]] more", conversation_id=first["conversation_id"]
            )
            caller.until_ended(sent)
        pages = PAGES | {"a chat of 40 turns": first["conversation_url"]}
        for name, path in pages.items():
            found[name] = page_figures(site, caller, path, times=times)
        site.parts["worker0"].end()
        found["a held poll, bytes"] = round(held_poll_bytes(site, caller, polls=polls))
    finally:
        site.stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polls", type=int, default=1000)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portal-small-") as folder:
        found = measure(Path(folder), polls=options.polls, times=options.times)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for name, value in found.items():
        print(f"{name:32} {value}")


if __name__ == "__main__":
    main()
