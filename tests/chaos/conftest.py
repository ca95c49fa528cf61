"""Sites for the chaos tests: whole installations that end with their test. Starts nothing by itself."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from kombu import Connection, Queue

from tests.chaos.scene import QUICK
from tests.conftest import SERVICES, why_not
from tests.processes import Site

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Makes sites with quick time limits (`webs`, `workers`: how many); all of them end with the test."""
    made: list[Site] = []

    def make(settings: dict[str, str] | None = None, *, webs: int = 1, workers: int = 1) -> Site:
        site = Site(tmp_path / f"site{len(made)}", settings=QUICK | (settings or {}), webs=webs, workers=workers)
        made.append(site)
        return site

    yield make
    for site in made:
        end(site)


def end(site: Site) -> None:
    """All parts, at once and without a word: how they stop by themselves has tests of its own."""
    for part in site.parts.values():
        part.end(signal.SIGKILL)


@pytest.fixture
def fresh_postgres() -> Iterator[str]:
    """The address of an empty database that is dropped afterwards."""
    url, name = SERVICES["postgres"], f"chaos_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def queue() -> Iterator[str]:
    """A queue of this test's own, gone from every broker afterwards (to be asked for before the site, so that it goes after it)."""
    name = f"chaos-{uuid.uuid4().hex[:12]}"
    yield name
    forget(name)


def forget(queue: str) -> None:
    """Takes a queue out of the brokers that are here."""
    for service in ("redis", "amqp"):
        if why_not(service):
            continue
        with Connection(SERVICES[service], connect_timeout=5) as connection:
            with contextlib.suppress(*connection.channel_errors):
                Queue(queue, channel=connection.channel()).delete()
            if service == "redis":  # kombu's own notes about the queue
                kept = [f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}"]
                redis.Redis.from_url(SERVICES["redis"]).delete(queue, *kept)
