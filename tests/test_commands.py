"""bin/run for real: the first start, the second, each part killed, how it ends, and what it says when it can't start.

The checkout's `.venv` is used as it is; the data folder and the ports are the test's own.
"""

from __future__ import annotations

import hashlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = {"web": "portal.server", "worker": "portal.worker", "simulator": "providers.simulator"}
SIGN_IN = re.compile(r"^Sign in at (http://127\.0\.0\.1:\d+/) as (\S+), one-time password (\S+)$", re.MULTILINE)
BACK_S = 3.0
STOP_S = 15.0

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a data folder through /proc"),
]


class Run:
    """One bin/run on a data folder."""

    def __init__(self, data: Path, *, port: int | None = None, **extra: str) -> None:
        self.data = data
        self.port = port or free_port()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        kept |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        self.environment = kept | {"IGNORE_DOTENV": "1", "SIMULATOR": "1", "HOST": "127.0.0.1", "DRAIN_S": "3"}
        self.environment |= {"DATA_DIR": str(data), "PORT": str(self.port), **extra}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [ROOT / "bin" / "run"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.out, self.err = "", ""
        self.readers = [threading.Thread(target=self.read, args=(name,), daemon=True) for name in ("out", "err")]
        for reader in self.readers:
            reader.start()

    def read(self, name: str) -> None:
        stream = self.process.stdout if name == "out" else self.process.stderr
        assert stream is not None
        with stream:
            for line in stream:
                setattr(self, name, getattr(self, name) + line)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self, path: str = "/health/live") -> bool:
        return status(self.url + path) == 200

    def ready(self, *, seconds: float = 60) -> float:
        """Waits until the page answers and the address is said; the seconds since the start."""
        soon(
            lambda: self.answers() or self.process.poll() is not None, seconds=seconds, say=lambda: self.out + self.err
        )
        took = time.monotonic() - self.began
        soon(lambda: "Ctrl-C stops it" in self.out, seconds=5, say=lambda: self.out + self.err)
        return took

    def pid(self, part: str) -> int | None:
        return next((pid for pid, command in processes(self.data).items() if PARTS[part] in command), None)

    def stop(self, number: int = signal.SIGINT) -> int:
        """As Ctrl-C does it: the signal goes to the whole foreground group."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(timeout=STOP_S)
        for reader in self.readers:
            reader.join(timeout=5)
        return code


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            code: int = answer.status
            return code
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def processes(data: Path) -> dict[int, str]:
    """Every living process whose environment names this data folder: pid -> command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"DATA_DIR={data}\0".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def soon(condition: Callable[[], object], *, seconds: float, say: Callable[[], str] = str) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"it did not happen within {seconds} s: {say()}"
        time.sleep(0.03)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The first start of an installation, still running."""
    run = Run(tmp_path_factory.mktemp("data"))
    try:
        run.ready()
        yield run
    finally:
        end_all(run.data)
        run.end()


@pytest.fixture(scope="module")
def stopped(first: Run) -> Iterator[Path]:
    """The data folder of an installation that was started once and is stopped now."""
    first.stop()
    yield first.data


@pytest.fixture
def again(stopped: Path) -> Iterator[Callable[..., Run]]:
    """Starts bin/run on the prepared data folder; ended with the test."""
    runs: list[Run] = []

    def start(**extra: Any) -> Run:
        runs.append(Run(stopped, **extra))
        return runs[-1]

    yield start
    end_all(stopped)
    for run in runs:
        run.end()


def end_all(data: Path) -> None:
    for pid in processes(data):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_first_start_prints_where_and_as_whom_to_sign_in_and_it_works(first: Run) -> None:
    assert len(SIGN_IN.findall(first.out)) == 1
    [(address, email, password)] = SIGN_IN.findall(first.out)
    assert (address, email) == (first.url + "/", "admin@example.com")
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    login = first.url + "/accounts/login/"
    page = browser.open(login, timeout=10).read().decode()
    fields = {"login": email, "password": password, "csrfmiddlewaretoken": csrf(page)}
    form = urllib.parse.urlencode(fields).encode()
    with browser.open(urllib.request.Request(login, form, {"Referer": login}), timeout=10) as answer:
        assert not answer.url.startswith(login), "still at the sign-in form"
    assert "sessionid" in {cookie.name for cookie in jar}


def csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "the sign-in form has no CSRF token"
    return found[1]


def test_the_one_time_password_is_nowhere_but_on_the_screen(first: Run) -> None:
    [(_, _, password)] = SIGN_IN.findall(first.out)
    assert password not in first.err
    holding = [file for file in first.data.rglob("*") if file.is_file() and password.encode() in file.read_bytes()]
    assert holding == []


def test_the_data_folder_is_for_its_owner_alone(first: Run) -> None:
    names = ("secret_key", "prepared.json", "portal.sqlite3", "simulator.jsonl", "run.lock")
    assert {name: oct((first.data / name).stat().st_mode & 0o777) for name in names} == dict.fromkeys(names, "0o600")


def test_without_a_provider_the_simulator_is_said_to_answer(first: Run) -> None:
    assert "No model is connected" in first.out
    assert first.pid("simulator")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_killed_is_back_within_three_seconds_and_the_others_answer(first: Run, part: str) -> None:
    took = kill(first, part=part)
    # A second try only because something else on this machine may have had its processors during the first.
    assert took <= BACK_S or kill(first, part=part) <= BACK_S


def kill(run: Run, *, part: str) -> float:
    """Kills one part; the seconds until it works again. The others must be the same processes and answer throughout."""
    before = {name: run.pid(name) for name in PARTS}
    victim = before[part]
    assert victim
    others: list[int] = []
    os.kill(victim, signal.SIGKILL)

    def back() -> bool:
        if part != "web":
            others.append(status(run.url + "/health/live"))
        return run.pid(part) not in {None, victim} and works(run, part=part)

    took = soon(back, seconds=BACK_S + 5, say=lambda: run.out + run.err)
    assert set(others) <= {200}
    assert {name: run.pid(name) for name in PARTS if name != part} == {n: p for n, p in before.items() if n != part}
    return took


def works(run: Run, *, part: str) -> bool:
    """Whether the part does its job, seen from outside."""
    if part == "web":
        return run.answers("/health/ready")
    if part == "simulator":
        command = processes(run.data)[run.pid("simulator") or 0]
        port = re.search(r"--port (\d+)", command)
        return port is not None and status(f"http://127.0.0.1:{port[1]}/v1/models") == 200
    with closing(sqlite3.connect(run.data / "portal.sqlite3", timeout=5)) as database:
        query = "SELECT count(*) FROM chat_workerheartbeat WHERE pid = ?"
        return bool(database.execute(query, [run.pid("worker")]).fetchone()[0])


def test_ctrl_c_ends_with_zero_and_leaves_no_process(first: Run) -> None:
    assert len(processes(first.data)) >= len(PARTS)
    assert first.stop() == 0
    assert processes(first.data) == {}


def test_a_second_start_answers_in_under_three_seconds_and_changes_nothing(
    again: Callable[..., Run], stopped: Path
) -> None:
    before = contents(stopped)
    run = again()
    assert run.ready() < 3
    assert "one-time password" not in run.out
    assert "Applied" not in run.out
    assert run.stop(signal.SIGTERM) == 0
    assert contents(run.data) == before
    assert processes(run.data) == {}


def contents(data: Path) -> dict[str, str]:
    """What a start may not change: people, migrations, what is known of the set-up, backups, collected files."""
    with closing(sqlite3.connect(data / "portal.sqlite3", timeout=5)) as database:
        rows = {
            table: repr(database.execute(f"SELECT * FROM {table} ORDER BY id").fetchall())
            for table in ("accounts_user", "django_migrations", "providers_provider", "providers_languagemodel")
        }
    files = [data / "prepared.json", data / "secret_key", *(data / "static").rglob("*")]
    files += (data / "backups").glob("*")
    hashes = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}
    return rows | hashes


def test_changed_code_backs_the_database_up_and_says_what_was_done(again: Callable[..., Run], stopped: Path) -> None:
    forget_the_code(stopped)
    run = again()
    run.ready()
    assert "The code or the settings have changed" in run.out
    assert "The database needs no migration" in run.out
    [made] = re.findall(r"Backed the database up to (\S+)", run.out)
    with closing(sqlite3.connect(made)) as backup:
        assert backup.execute("SELECT count(*) FROM accounts_user").fetchone() == (1,)
    assert Path(made).stat().st_mode & 0o777 == 0o600
    run.stop()


def forget_the_code(data: Path) -> None:
    known = json.loads((data / "prepared.json").read_text())
    (data / "prepared.json").write_text(json.dumps(known | {"code": "another"}))


def test_a_database_newer_than_the_code_stops_the_start(again: Callable[..., Run], stopped: Path) -> None:
    database = sqlite3.connect(stopped / "portal.sqlite3", isolation_level=None)
    database.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('chat', '9999_later', '2031-01-01')")
    run = again()
    code = run.end()
    database.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    database.close()
    assert code == 1
    [line] = run.err.strip().splitlines()
    assert "newer than this code (it has chat.9999_later)" in line
    assert processes(stopped) == {}


def test_a_taken_port_is_said_in_one_line_with_the_way_around_it(again: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run = again(port=port)
        assert run.end() == 1
    [line] = run.err.strip().splitlines()
    assert re.fullmatch(rf"Port {port} is taken by another program: PORT=\d+ bin/run", line)


def test_a_second_run_on_the_same_data_folder_is_refused(again: Callable[..., Run]) -> None:
    run = again()
    run.ready()
    second = again()
    assert second.end() == 1
    [line] = second.err.strip().splitlines()
    assert f"already running on {run.data} (process {run.process.pid})" in line
    assert run.answers()
    run.stop()


def test_a_killed_supervisor_leaves_nothing_behind_and_the_next_start_works(again: Callable[..., Run]) -> None:
    run = again()
    run.ready()
    run.process.kill()
    run.process.wait()
    soon(lambda: processes(run.data) == {}, seconds=3)
    run = again()
    run.ready()
    assert run.stop() == 0


def test_a_wrong_number_names_the_setting(again: Callable[..., Run]) -> None:
    run = again(DRAIN_S="soon")
    assert run.end() == 1
    assert run.err.strip() == "DRAIN_S must be a number, not “soon”: DRAIN_S=30 bin/run"
