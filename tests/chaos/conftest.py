"""Sites for the chaos tests: whole installations that end with their test. Starts nothing by itself."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.chaos import brokers
from tests.conftest import SERVICES
from tests.processes import Site

MakeSite = Callable[..., Site]
# A fifteenth of the real leases: a worker that is gone is noticed within about 3 s.
QUICK = {
    "LEASE_S": "1.5",
    "RENEW_S": "0.3",
    "REAP_S": "0.3",
    "LEASE_GRACE_S": "0.5",
    "LOOK_S": "0.3",
    "RETRY_SCALE": "0.1",
    "DRAIN_S": "2",
    "TITLES": "0",
    "PERSON_CONCURRENCY": "50",
    "LOG_LEVEL": "INFO",
}


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
    brokers.forget(name)
