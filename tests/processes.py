"""The real thing for tests: simulator, web and worker as processes of their own on free ports in a folder of their own.

Refuses to know what is tested; a test starts, stops, kills, freezes and asks through it. Everything started here ends
with `stop()`, by process id.
"""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import migrated

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery staple"
WORKER = ["-m", "portal.worker"]  # as bin/run starts it
# One password hash for all: a test of the chat has no time for a thousand of them.
MAKE_PEOPLE = """
from django.contrib.auth.hashers import make_password
from accounts.models import User
first, count, password = given
hashed = make_password(password)
numbers = range(first, first + count)
people = [User(email=f"person{n}@example.com", name=f"Person {n}", password=hashed) for n in numbers]
User.objects.bulk_create(people)
answer = [[person.email, str(person.uuid)] for person in people]
"""


class NotReadyError(Exception):
    """A part did not come up in time; the text holds the end of its log."""


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in; all share one password."""

    email: str
    uuid: str
    password: str = PASSWORD


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class StayHere(urllib.request.HTTPRedirectHandler):
    """Redirects are answers, too."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class Caller:
    """A person's browser without a screen: keeps cookies, sends the CSRF token, follows no redirect."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar), StayHere()
        )

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.jar}

    def call(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 35
    ) -> Reply:
        """`body` as JSON, or bytes as they are; `path` may be a whole address. Network failures raise OSError."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        url = path if path.startswith("http") else self.base + path
        request = urllib.request.Request(url, data=data, method=method)
        given = {"Accept": "application/json", "Origin": self.base}
        if data is not None:
            given["Content-Type"] = "application/json"
        token = self.cookies.get("csrftoken") or self.cookies.get("__Host-csrf")
        if token:
            given["X-CSRFToken"] = token
        for name, value in (given | (headers or {})).items():
            request.add_header(name, value)
        try:
            with self.opener.open(request, timeout=timeout) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers), error.read())
        except http.client.HTTPException as error:
            raise OSError(f"{method} {path}: {error!r}") from error

    def get(self, path: str, *, headers: dict[str, str] | None = None) -> Reply:
        return self.call("GET", path, headers=headers)

    def post(self, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Reply:
        return self.call("POST", path, body={} if body is None else body, headers=headers)

    def sign_in(self, person: Person) -> None:
        """Through the real form."""
        self.get("/accounts/login/", headers={"Accept": "text/html"})
        fields = {"login": person.email, "password": person.password}
        fields["csrfmiddlewaretoken"] = self.cookies.get("csrftoken", "")
        form = urllib.parse.urlencode(fields).encode()
        kind = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
        reply = self.post("/accounts/login/", form, headers=kind)
        if reply.status != 302 or "sessionid" not in self.cookies:
            raise NotReadyError(f"sign-in of {person.email} was answered {reply.status}: {reply.text[:300]}")

    def send(self, text: str, **fields: Any) -> Any:
        """Sends a question and returns the 202's JSON; anything else raises AssertionError."""
        reply = self.post("/chat/messages/", {"text": text, "client_id": str(uuid.uuid4()), **fields})
        assert reply.status == 202, (reply.status, reply.text[:500])
        return reply.json()

    def poll(self, url: str, *, seen: int = 0, wait: float = 0) -> Any:
        reply = self.get(f"{url}{'&' if '?' in url else '?'}seen={seen}&wait={wait}")
        assert reply.status == 200, (reply.status, reply.text[:500])
        return reply.json()

    def until_ended(self, sent: dict[str, Any], *, within: float = 30) -> Any:
        """Polls as the page does until the answer is terminal; returns the last poll."""
        url, seen, end = sent["poll_url"], 0, time.monotonic() + within
        while time.monotonic() < end:
            answer = self.poll(url, seen=seen, wait=5)
            seen, url = answer["seq"], answer.get("poll_url") or url
            if answer["state"] in {"done", "failed", "cancelled", "interrupted"}:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"not ended within {within} s: {answer}")


@dataclass
class Part:
    """One process; `log` is its standard output and error."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    pass_fds: tuple[int, ...] = ()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=self.environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
                pass_fds=self.pass_fds,
            )  # fmt: skip

    def send_signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)

    def signal_group(self, number: int) -> None:
        """To the process and whatever it has started; nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            if self.running:
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the whole group, and gone when this returns."""
        self.signal_group(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(15)

    def end(self, number: int = signal.SIGTERM, *, within: float = 15) -> int:
        """Ends it and returns its status; what does not end in time is killed."""
        if self.process is None:
            return 0
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(5)


@dataclass
class Site:
    """A whole installation under `folder`. `settings` are environment variables that win over the defaults here."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    webs: int = 1
    workers: int = 1
    parts: dict[str, Part] = field(default_factory=dict)
    _made: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.simulator_port = free_port()
        self.journal = self.folder / "simulator.jsonl"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.environment = inherited | {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATA_DIR": str(self.folder / "data"),
            "IGNORE_DOTENV": "1",
            "SIMULATOR": "1",
            "SIMULATOR_URL": f"http://127.0.0.1:{self.simulator_port}/v1",
            "CELERY_SKIP_CHECKS": "1",
            "PYTHONUNBUFFERED": "1",
            "MALLOC_ARENA_MAX": "2",
            "MALLOC_MMAP_THRESHOLD_": "1048576",
            "MALLOC_TRIM_THRESHOLD_": "8388608",
            "ADMIN_EMAIL": "admin@example.com",
            "ADMIN_PASSWORD": PASSWORD,
            "DRAIN_S": "3",
            "FIRST_LIMITS": "none",
            **self.settings,
        }

    # --- starting and ending ---
    def start(self) -> Site:
        """Simulator, database, web and worker; returns when a page answers."""
        self.start_simulator()
        migrated.copy(Path(self.environment["DATA_DIR"]), environment=self.environment)
        self.manage("setup")
        for number in range(self.webs):
            self.start_web(number)
        for number in range(self.workers):
            self.start_worker(number)
        return self

    def stop(self) -> None:
        """Everything, workers first; harmless when repeated."""
        order = ["worker", "web", "simulator"]
        for part in sorted(self.parts.values(), key=lambda part: order.index(part.name.rstrip("0123456789"))):
            part.end()

    def start_simulator(self) -> Part:
        command = ["-m", "providers.simulator", "--port", str(self.simulator_port), "--journal", str(self.journal)]
        part = self._start("simulator", command, port=self.simulator_port)
        wait_for_port(self.simulator_port, part=part)
        return part

    def start_web(self, number: int = 0) -> Part:
        """Web process `number`; started again it listens on the same port."""
        name = f"web{number}"
        port = self.parts[name].port if name in self.parts else free_port()
        part = self._start(name, ["-m", "portal.server"], port=port, PORT=str(port))
        wait_for_port(port, part=part, path="/health/live")
        return part

    def start_worker(self, number: int = 0) -> Part:
        return self._start(f"worker{number}", WORKER)

    def _start(self, name: str, command: list[str], *, port: int = 0, **more: str) -> Part:
        part = Part(name, [sys.executable, *command], self.environment | more, self.folder / f"{name}.log", port=port)
        self.parts[name] = part
        part.start()
        return part

    def kill(self, name: str) -> None:
        """SIGKILL to its whole group, and gone when this returns."""
        self.parts[name].kill()

    def freeze(self, name: str) -> None:
        self.parts[name].signal_group(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self.parts[name].signal_group(signal.SIGCONT)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- people and what they do ---
    def url(self, number: int = 0) -> str:
        return f"http://127.0.0.1:{self.parts[f'web{number}'].port}"

    def people(self, count: int = 1) -> list[Person]:
        """New people who can sign in with PASSWORD."""
        rows = self.django(MAKE_PEOPLE, [self._made, count, PASSWORD])
        self._made += count
        return [Person(email, identity) for email, identity in rows]

    def caller(self, person: Person | None = None, *, web: int = 0) -> Caller:
        """A browser without a screen at one of the web processes, signed in if a person is given."""
        caller = Caller(self.url(web))
        if person is not None:
            caller.sign_in(person)
        return caller

    def sign_in(self, person: Person, *, web: int = 0) -> dict[str, str]:
        """The cookies of a new session of this person."""
        return self.caller(person, web=web).cookies

    # --- looking inside ---
    def manage(self, *words: str) -> str:
        """`manage.py …`; returns what it said, raises NotReadyError with it when it failed."""
        return self._run([sys.executable, "manage.py", *words])

    def django(self, code: str, given: Any = None) -> Any:
        """Runs code inside this installation, in a process of its own; it reads `given` and leaves `answer` (JSON)."""
        lines = ["import json, sys, django", "django.setup()", "given = json.loads(sys.argv[1])", "answer = None"]
        whole = "\n".join([*lines, code, "print('\\n' + json.dumps(answer, default=str))"])
        said = self._run([sys.executable, "-c", whole, json.dumps(given)])
        return json.loads(said.splitlines()[-1])

    def bill(self) -> list[dict[str, Any]]:
        """The simulator's journal: what it was asked and what it emitted."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [json.loads(line) for line in lines if line.strip()]

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise NotReadyError(f"{' '.join(command)[:200]}\n{done.stdout}\n{done.stderr}")
        return done.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, *, part: Part, path: str = "", within: float = 40) -> None:
    """Until the part listens (and answers 200 at `path`, if given); raises NotReadyError with the end of its log."""
    end = time.monotonic() + within
    while time.monotonic() < end and part.running:
        try:
            if not path:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            if Caller(f"http://127.0.0.1:{port}").call("GET", path, timeout=5).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise NotReadyError(f"{part.name} did not come up:\n{part.log.read_text(errors='replace')[-3000:]}")
