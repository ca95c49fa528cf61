"""`bin/run`: from a bare Python to a running chat, and a quick look on every later start.

Standard library only. Decides what has to be done before the start (install, set up, collect) and which parts run; the
doing is prepare.py's, `manage.py setup`'s and supervise.py's.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import disk
import prepare
from prepare import PYTHON, ROOT, Stop, say
from supervise import Part, Supervisor

# glibc keeps what a password's hash took (19 MiB, twice) once it has been given back; with a fixed bound it goes back to the system.
MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "8388608"}

HELP = """bin/run: starts the chat (web, worker, and a simulator while no model is connected). Ctrl-C stops all of it.

Settings come from the environment or from the file .env; docs/configuration.md explains each one.
  PORT=8000  HOST=0.0.0.0       where it listens (with PUBLIC_URL: 127.0.0.1, for a proxy in front)
  PUBLIC_URL                    the one address people use, e.g. https://chat.example.com
  DATA_DIR=data                 database, secret key, uploads, broker folder, backups
  OPENAI_API_KEY                the provider's key; OPENAI_BASE_URL for another OpenAI-compatible service
  OPENAI_MODELS                 switches on exactly these models
  SIMULATOR=1                   answers from the simulator although a provider is configured
  ADMIN_EMAIL, ADMIN_PASSWORD   the first administrator; without them a one-time password is printed
  DATABASE_URL                  PostgreSQL instead of SQLite
  CELERY_BROKER_URL             Redis or RabbitMQ instead of the embedded broker
  DRAIN_S=30                    seconds that running answers get when it stops
  PIP_INDEX_URL                 a mirror of the package index
"""
# Every name that portal/settings.py reads: the set-up checks a changed value and takes over a changed provider.
SETTING = re.compile(r"env\.\w+\(\s*\"([A-Z][A-Z0-9_]*)\"")
HARMLESS = {"PORT", "DRAIN_S", "SIMULATOR_URL", "DATA_DIR"}
MIGRATIONS = "SELECT count(*), max(id) FROM django_migrations"
PROVIDERS = "SELECT count(*) FROM providers_provider WHERE enabled AND source = 'database'"


def main() -> int:
    if "-h" in sys.argv or "--help" in sys.argv:
        say(HELP.rstrip())
        return 0
    values = prepare.settings()
    data = Path(values.get("DATA_DIR") or "data").expanduser()
    data = data if data.is_absolute() else ROOT / data
    # Without PUBLIC_URL colleagues come by this machine's own names; with it a proxy on this machine stands in front.
    host = values.get("HOST") or ("127.0.0.1" if values.get("PUBLIC_URL") else "0.0.0.0")
    port = number(values, name="PORT", default="8000")
    drain = number(values, name="DRAIN_S", default="30")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = hold(data)
    free(host, port=port)
    installed = prepare.environment()
    os.umask(0o077)  # whatever the parts write into the data folder is their owner's alone
    address = values.get("PUBLIC_URL") or f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"
    simulator_port = spare_port()
    # The parts read .env themselves; what is passed on here must win over it, so it stands in their environment.
    shared = os.environ | {"DATA_DIR": str(data), "PORT": str(port), "HOST": host}
    shared |= MEMORY | {"CELERY_SKIP_CHECKS": "1", "PYTHONUNBUFFERED": "1"}
    # Celery's word about root is about pickled messages; ours are JSON, and a container often knows no other user.
    shared.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
    simulated = shared | {"SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}/v1"}
    known, welcome = set_up(data, values=values, environment=simulated, address=address, installed=installed)
    simulate = bool(known.get("simulator"))
    slow = disk.warning(disk.commit_seconds(data), folder=data) if known.get("database") else ""
    if slow:
        say(slow)
    # The door stays open while the web process is started again: whoever comes then waits, and is not turned away.
    door = open_door(host, port=port)
    parts = list_parts(
        simulated if simulate else shared,
        data=data,
        door=door.fileno(),
        simulator_port=simulator_port if simulate else 0,
    )
    supervisor = Supervisor(parts, drain_s=drain + 2, say=say, folder=ROOT)
    greeting = Greeting(host, port=port, address=address, welcome=welcome, simulate=simulate)
    try:
        supervisor.run(ready=greeting.ready)
    finally:
        greeting.last_word()
        door.close()
        os.close(lock)
    say("Stopped.")
    return 0


def number(values: dict[str, str], *, name: str, default: str) -> int:
    """A whole number from the settings (a fraction of a second is rounded up)."""
    value = values.get(name) or default
    try:
        return -int(-float(value) // 1)
    except ValueError:
        raise Stop(f"{name} must be a number, not “{value}”: {name}={default} bin/run") from None


def hold(data: Path) -> int:
    """The lock on the data folder: two supervisors would start two of everything. Ends with this process."""
    handle = os.open(data / "run.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(handle, 20).decode().strip() or "?"
        raise Stop(
            f"bin/run is already running on {data} (process {other}): kill {other}, or DATA_DIR=other bin/run"
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    return handle


def free(host: str, *, port: int) -> None:
    try:
        listen(host, port=port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise Stop(f"Can't listen on {host}:{port} ({error.strerror}): PORT=8000 HOST=127.0.0.1 bin/run") from None
        other = next((p for p in range(port + 1, min(port + 50, 65536)) if can_listen(host, port=p)), port + 1)
        raise Stop(f"Port {port} is taken by another program: PORT={other} bin/run") from None


def can_listen(host: str, *, port: int) -> bool:
    try:
        listen(host, port=port)
    except OSError:
        return False
    return True


def listen(host: str, *, port: int) -> int:
    """Binds for a moment; the port it got (port 0 asks for any)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
        got: int = listener.getsockname()[1]
        return got


def open_door(host: str, *, port: int) -> socket.socket:
    """The listening socket that the web process accepts from (LISTEN_FD)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(1024)
    except OSError as error:
        raise Stop(f"Can't listen on {host}:{port} ({error.strerror})") from None
    return door


def spare_port() -> int:
    return listen("127.0.0.1", port=0)


def set_up(
    data: Path, *, values: dict[str, str], environment: dict[str, str], address: str, installed: bool
) -> tuple[dict[str, Any], list[str]]:
    """Runs `manage.py setup` and collects static files, each unless nothing has changed since the last start.

    Returns what is known of the database and the lines to say when the page answers.
    """
    file = data / "prepared.json"
    known = read_json(file)
    names = sorted(set(SETTING.findall((ROOT / "portal" / "settings.py").read_text())) - HARMLESS)
    code = prepare.digest(prepare.code(), words=[str(data), *(f"{name}={values.get(name, '')}" for name in names)])
    sources = [path for path in (ROOT / "static").rglob("*") if path.is_file()]
    static = prepare.digest([*sources, ROOT / "requirements.txt", ROOT / "portal" / "staticfiles.py"])
    welcome: list[str] = []
    same = known.get("code") == code
    if installed or not same or not known.get("settled") or changed(known):
        if known and not same:
            say("The code or the settings have changed since the last start.")
        report, welcome = run_setup(data, environment=environment, address=address, changed=bool(known) and not same)
        known = report | {"code": code, "static": known.get("static")}
        known["rows"] = ask(known, query=MIGRATIONS)
    try:
        if known.get("static") != static or not (data / "static" / "staticfiles.json").is_file():
            collect(environment)
            known["static"] = static
        write_json(file, known)
    except BaseException:
        for line in welcome:  # the one-time password exists nowhere else
            say(line)
        raise
    return known, welcome


def changed(known: dict[str, Any]) -> bool:
    """Whether the database is another than after the last set-up: restored, gone, or a provider was entered in it.

    Only a SQLite file is looked into; for a server's database the answer is yes, and `manage.py setup` looks.
    """
    providers = ask(known, query=PROVIDERS)
    return not known.get("rows") or known["rows"] != ask(known, query=MIGRATIONS) or providers != [known.get("entered")]


def collect(environment: dict[str, str]) -> None:
    """Hashed, compressed copies of static/ in DATA_DIR."""
    command: prepare.Command = [PYTHON, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    if subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode:
        raise Stop("The static files can't be collected: .venv/bin/python manage.py collectstatic says why")


def run_setup(
    data: Path, *, environment: dict[str, str], address: str, changed: bool
) -> tuple[dict[str, Any], list[str]]:
    report = data / "setup.json"
    command: prepare.Command = [PYTHON, "manage.py", "setup", "--report", report, "--address", address]
    command += ["--changed"] if changed else []
    welcome = []
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as setup:
        for line in setup.stdout or ():
            if line.startswith("Sign in at "):
                welcome.append(line.rstrip())  # said last, when the page answers: it must not scroll away
            else:
                say(line.rstrip())
    if setup.returncode:
        raise Stop("")  # setup has said why
    found = read_json(report)
    report.unlink(missing_ok=True)
    return found, welcome


def ask(known: dict[str, Any], *, query: str) -> list[Any] | None:
    """One row from the SQLite file of the last set-up, or None: no such file, no such table, or another database."""
    path = known.get("database")
    if not path or not Path(path).is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)) as database:
            return list(database.execute(query).fetchone())
    except sqlite3.Error:
        return None


def list_parts(environment: dict[str, str], *, data: Path, door: int, simulator_port: int) -> list[Part]:
    """The processes to keep running. The simulator ends last: answers that are being finished still come from it."""
    python = str(PYTHON)
    parts = [
        Part("web", [python, "-m", "portal.server"], environment | {"LISTEN_FD": str(door)}, inherits=(door,)),
        Part("worker", [python, "-m", "portal.worker"], environment),
    ]
    if simulator_port:
        command = [python, "-m", "providers.simulator", "--host", "127.0.0.1", "--port", str(simulator_port)]
        command += ["--journal", str(data / "simulator.jsonl")]
        parts.insert(0, Part("simulator", command, environment, last=True))
    return parts


class Greeting:
    """Says the address once the page answers, and the sign-in line whatever happens: it is shown only once."""

    def __init__(self, host: str, *, port: int, address: str, welcome: list[str], simulate: bool) -> None:
        self.probe = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}/health/live"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.lines = [*([] if welcome else [f"The chat is at {address}/"]), *welcome]
        if simulate:
            self.lines.append("No model is connected: the simulator answers. OPENAI_API_KEY=… bin/run connects one.")
        if "PUBLIC_URL" not in prepare.settings():
            everywhere = host in {"0.0.0.0", "::"}
            names = (
                f"names and addresses (http://{socket.gethostname()}:{port}/)" if everywhere else f"address {host} only"
            )
            self.lines.append(
                f"Served over http under this machine's own {names}. PUBLIC_URL=https://your.address, and a proxy, make it https;"
                " HOST=127.0.0.1 keeps it to this machine."
            )
        self.lines.append("Ctrl-C stops it.")
        self.welcome = welcome

    def ready(self) -> bool:
        try:
            with self.opener.open(self.probe, timeout=0.5) as answer:
                if answer.status != 200:
                    return False
        except (OSError, urllib.error.URLError):
            return False
        for line in self.lines:
            say(line)
        self.lines, self.welcome = [], []
        return True

    def last_word(self) -> None:
        for line in self.welcome:
            say(line)
        self.welcome = []


def read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(file: Path, found: dict[str, Any]) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(found))
    draft.chmod(0o600)
    draft.replace(file)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop as stop:
        if str(stop):
            sys.stderr.write(f"{stop}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)
