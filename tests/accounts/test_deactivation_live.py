"""A colleague is switched off at one of two web processes, without Redis: sessions, tokens, keys, held polls and answers end on both.

The cut is due within 2 s. The machine of the tests is shared, so the fastest of three people counts: noise only adds.
"""

from __future__ import annotations

import re
import signal
import sqlite3
import threading
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conftest import SERVICES
from tests.processes import PASSWORD, Caller, Person, Site

pytestmark = pytest.mark.chaos
DUE_S = 2.0
ADMIN = Person("admin@example.com", "", PASSWORD)
FORM = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
LONG = "Tell me [[sim seed=cut n=1000 gap=50]]"
RUNNING = ("running", "streaming")


@dataclass
class Held:
    """A poll that waits in a thread of its own: what it was answered, and when."""

    caller: Caller
    url: str
    status: int = 0
    at: float = 0.0
    state: str = ""
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        """Polls as the page does, and goes on after the answer's end, until it is refused."""
        seen = 0
        while True:
            reply = self.caller.get(f"{self.url}&seen={seen}&wait=25")
            self.status, self.at = reply.status, time.monotonic()
            if reply.status != 200:
                return
            body = reply.json()
            self.state, seen = body["state"], body["seq"]
            if self.state not in ("queued", *RUNNING):
                time.sleep(0.02)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services("postgres"))])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Two web processes and a worker with the embedded broker; one answer of a person is written at a time."""
    settings = {"PERSON_CONCURRENCY": "1", "TITLES": "0", "DRAIN_S": "1"}
    name = f"cut_{uuid.uuid4().hex[:12]}"
    if request.param == "postgres":
        with psycopg.connect(SERVICES["postgres"], autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        settings["DATABASE_URL"] = urlsplit(SERVICES["postgres"])._replace(path=f"/{name}").geturl()
    made = Site(tmp_path / "site", settings=settings, webs=2)
    try:
        yield made.start()
    finally:
        for part in made.parts.values():
            part.end(signal.SIGKILL)
        if request.param == "postgres":
            with psycopg.connect(SERVICES["postgres"], autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def states(site: Site, *, of: Person) -> list[str]:
    """The states of the person's answers, as they stand in the database."""
    sql = "SELECT g.state FROM chat_generation g JOIN accounts_user u ON u.id = g.user_id WHERE u.email = {} ORDER BY g.id"
    url = site.environment.get("DATABASE_URL")
    if url:
        with psycopg.connect(url, autocommit=True) as connection:
            return [row[0] for row in connection.execute(sql.format("%s"), [of.email])]
    file = Path(site.environment["DATA_DIR"]) / "portal.sqlite3"
    rows = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)
    try:
        return [row[0] for row in rows.execute(sql.format("?"), [of.email])]
    finally:
        rows.close()


def until(true: Callable[[], bool], *, within: float = 20) -> float:
    """When it became true."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if true():
            return time.monotonic()
        time.sleep(0.02)
    raise AssertionError("it never became so")


@dataclass
class Ways:
    """Everything by which one person asks, at both web processes."""

    person: Person
    browsers: list[Caller]
    access: str
    key: str
    polls: list[Held]

    def answers(self, site: Site) -> list[int]:
        """The status of each way in, session, token and key, at each process."""
        found = []
        for number in range(2):
            found.append(self.browsers[number].get("/chat/list/").status)
            for secret in (self.access, self.key):
                program = Caller(site.url(number))
                found.append(program.get("/api/v1/me/", headers={"Authorization": f"Bearer {secret}"}).status)
        return found


def at_work(site: Site, person: Person) -> Ways:
    """Signed in everywhere, with one answer being written, one queued, and a held poll at each process."""
    browsers = [site.caller(person, web=0), Caller(site.url(1))]
    for cookie in browsers[0].jar:
        browsers[1].jar.set_cookie(cookie)
    program = Caller(site.url(0))
    pair = program.post("/api/v1/auth/token/", {"email": person.email, "password": PASSWORD}).json()
    bearer = {"Authorization": f"Bearer {pair['access']}"}
    made = program.post("/api/v1/keys/", {"name": "k"}, headers=bearer)
    assert made.status == 201, made.text
    sent = browsers[0].send(LONG)
    browsers[0].send(LONG)
    until(lambda: states(site, of=person)[0] == "streaming")
    polls = [Held(browser, sent["poll_url"]) for browser in browsers]
    until(lambda: all(poll.state == "streaming" for poll in polls))
    return Ways(person, browsers, pair["access"], made.json()["key"], polls)


def switch_off(admin: Caller, person: Person) -> float:
    """By the administration's own page, at the first process; when it was answered."""
    path = f"/setup/people/{person.uuid}/deactivate/"
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', admin.get(path, headers=FORM).text)
    assert token is not None
    body = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1]}).encode()
    assert admin.post(path, body, headers=FORM).status == 302
    return time.monotonic()


def cut(site: Site, admin: Caller, person: Person) -> dict[str, float]:
    """Switches the person off while she is at work: what had ended how long after the answer (seconds)."""
    ways = at_work(site, person)
    assert ways.answers(site) == [200] * 6
    began = switch_off(admin, person)
    assert ways.answers(site) == [401] * 6
    refused = time.monotonic() - began
    stopped = until(lambda: not {"queued", *RUNNING} & set(states(site, of=person))) - began
    for poll in ways.polls:
        poll.thread.join(20)
    assert [poll.status for poll in ways.polls] == [404, 404]
    assert states(site, of=person) == ["cancelled", "cancelled"]
    return {
        "credentials": refused,
        "answers": stopped,
        "polls": max(poll.at for poll in ways.polls) - began,
    }


def test_everything_of_a_person_ends_within_two_seconds_on_every_process(site: Site) -> None:
    admin = site.caller(ADMIN)
    bystander = site.caller(site.people(1)[0], web=1)
    took = [cut(site, admin, person) for person in site.people(3)]
    for what in ("credentials", "answers", "polls"):
        assert min(each[what] for each in took) < DUE_S, took
    assert bystander.get("/chat/list/").status == 200
    accepted = [row for row in site.bill() if row["event"] == "accepted"]
    assert len(accepted) == 3  # what was queued was never asked
