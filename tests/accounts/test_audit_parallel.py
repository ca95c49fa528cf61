"""One chain, however many processes write: on SQLite, on PostgreSQL, and first without the lock, to see that there is a race.

Runs the rest of the trail's tests against PostgreSQL too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, EVENTS = 6, 30
WRITE = """
import json, pathlib, sys, time, django
django.setup()
from django.db import DatabaseError, transaction
from accounts import audit
from accounts.models import Team, User
number, count, lock, gate = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], pathlib.Path(sys.argv[4])
if lock == "off":
    audit.hold = lambda: None
person = User.objects.create_user(f"p{number}@example.com")
(gate / f"ready{number}").touch()
while not (gate / "go").exists():
    time.sleep(0.002)
failed = 0
for each in range(count):
    try:
        with transaction.atomic():
            team = Team.objects.create(name=f"{number} {each}")
            audit.record("team.added", actor=person, target=team, changes={"size": [0, each]})
            if each % 5 == 4:
                raise RuntimeError("taken back")
    except RuntimeError:
        pass
    except DatabaseError as error:
        failed += 1
print(json.dumps(failed))
"""
KEPT = EVENTS - EVENTS // 5


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trail.sqlite3'}"


@pytest.fixture
def own_postgres_url(postgres_url: str) -> Iterator[str]:
    name = f"audit_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Trail:
    """An installation's database that several processes write to."""

    def __init__(self, folder: Path, *, url: str) -> None:
        self.folder = folder
        names = ("PATH", "HOME", "LANG", "TMPDIR")
        inherited = {name: os.environ[name] for name in names if name in os.environ}
        own = {"DATABASE_URL": url, "DATA_DIR": str(folder / "data"), "IGNORE_DOTENV": "1"}
        self.environment = inherited | own | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
        self.manage("migrate", "--verbosity=0")

    def manage(self, *words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def write(self, *, lock: str = "on") -> int:
        """Lets all processes begin at the same moment; how many events could not be written."""
        words = [str(EVENTS), lock, str(self.folder)]
        started = [
            subprocess.Popen(
                [sys.executable, "-c", WRITE, str(number), *words],
                cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for number in range(PROCESSES)
        ]  # fmt: skip
        while len(list(self.folder.glob("ready*"))) < PROCESSES and all(each.poll() is None for each in started):
            time.sleep(0.02)
        (self.folder / "go").touch()
        ends = [process.communicate(timeout=120) for process in started]
        assert [process.returncode for process in started] == [0] * PROCESSES, [err for _, err in ends]
        return sum(json.loads(out.splitlines()[-1]) for out, _ in ends)


def test_processes_write_one_gapless_chain_on_sqlite(tmp_path: Path, sqlite_url: str) -> None:
    trail = Trail(tmp_path, url=sqlite_url)
    assert trail.write() == 0
    assert trail.manage("verify_audit").startswith(f"{PROCESSES * KEPT} events, unbroken.")


@pytest.mark.services("postgres")
def test_processes_write_one_gapless_chain_on_postgresql(tmp_path: Path, own_postgres_url: str) -> None:
    trail = Trail(tmp_path, url=own_postgres_url)
    assert trail.write() == 0
    assert trail.manage("verify_audit").startswith(f"{PROCESSES * KEPT} events, unbroken.")


@pytest.mark.services("postgres")
def test_without_the_lock_writers_collide(tmp_path: Path, own_postgres_url: str) -> None:
    """The negative control: there is a race, and the unique columns keep even then the chain from forking."""
    trail = Trail(tmp_path, url=own_postgres_url)
    failed = trail.write(lock="off")
    assert failed > 0
    trail.manage("verify_audit")


@pytest.mark.services("postgres")
def test_the_trail_keeps_its_promises_on_postgresql(postgres_url: str) -> None:
    environment = {**os.environ, "TEST_DATABASE_URL": postgres_url, "NO_SKIPS": "1"}
    environment.pop("DATA_DIR", None)
    environment.pop("PYTEST_XDIST_WORKER", None)
    files = [f"tests/accounts/test_audit{name}.py" for name in ("", "_proof")]
    command = [sys.executable, "-m", "pytest", *files, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
