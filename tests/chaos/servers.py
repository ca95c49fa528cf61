"""Private PostgreSQL, Redis and RabbitMQ on ports and in folders of their own, so that they can be stopped and killed.

Refuses to touch the machine's own servers. Keeps nothing: `end()` kills what was started and removes its folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from tests.processes import NotReadyError, free_port

POSTGRES_BINARIES = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/opt/homebrew/opt/postgresql*/bin")
RABBIT_SCRIPTS = ("/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/homebrew/sbin")
UP_WITHIN_S = 60.0
DATABASE = "chat"


def program(name: str, *, folders: Sequence[str] = ()) -> str:
    """The path of a server's program, wherever this kind of system keeps it; empty if it is not installed."""
    for pattern in folders:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (folder / name).is_file():
                return str(folder / name)
    return shutil.which(name) or ""


def missing(*kinds: str) -> str:
    """Which programs of these kinds ("postgres", "redis", "amqp") are not installed here; empty if all are."""
    wanted = {"postgres": Postgres.found, "redis": Redis.found, "amqp": Rabbit.found}
    return ", ".join(kind for kind in kinds if not wanted[kind]())


class Server:
    """One private server. `url` is the address that the product is given; it stays the same over restarts."""

    name = "server"
    program_name = ""
    folders: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"private-{self.name}-"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        raise NotImplementedError

    @classmethod
    def found(cls) -> bool:
        """Whether it is installed here."""
        return bool(program(cls.program_name, folders=cls.folders))

    def version(self) -> str:
        """What the program says of itself, or its log."""
        said = subprocess.run([self._program(), "--version"], capture_output=True, text=True, timeout=30)
        return said.stdout.strip()

    def kill(self) -> None:
        """SIGKILL to the whole group; gone when this returns."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Still connected, and silent."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _program(self, name: str = "") -> str:
        return program(name or self.program_name, folders=self.folders)

    def _run(self, command: list[str], *, environment: dict[str, str] | None = None, user: str = "") -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=user or None,
            )  # fmt: skip

    def _signal(self, number: int) -> None:
        """Signals the group and waits for its first process; what does not end in time is killed."""
        if self.process is None:
            return
        for each in (number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, each)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                continue
            break
        self.process = None

    def _await(self, answers: Callable[[], bool]) -> None:
        until = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < until and self.process is not None and self.process.poll() is None:
            if answers():
                return
            time.sleep(0.05)
        log = self.folder / "log"
        raise NotReadyError(f"{self.name} did not come up:\n{log.read_text(errors='replace')[-2000:]}")

    def _greets(self, hello: bytes, reply: bytes) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
            client.sendall(hello)
            return client.recv(64).startswith(reply)
        return False


class Postgres(Server):
    """A cluster of its own, with fsync as it should be; as user postgres where this is root (PostgreSQL refuses root)."""

    name = "postgres"
    program_name = "postgres"
    folders = POSTGRES_BINARIES

    def __init__(self) -> None:
        super().__init__()
        self.url = f"postgres://root@127.0.0.1:{self.port}/{DATABASE}"
        self.user = "postgres" if os.geteuid() == 0 else ""
        if self.user:
            shutil.chown(self.folder, self.user)

    def start(self) -> None:
        data = self.folder / "data"
        fresh = not data.exists()
        if fresh:
            made = [self._program("initdb"), "-D", str(data), "-U", "root", "-A", "trust"]
            made += ["-E", "UTF8", "--locale", "C", "--no-sync"]
            subprocess.run(made, check=True, capture_output=True, user=self.user or None, cwd=self.folder)
        command = [self._program(), "-D", str(data), "-p", str(self.port)]
        command += ["-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        self._run(command, user=self.user)
        self._await(self._answers)
        if fresh:
            with self._connect() as connection:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def stop(self, *, at_once: bool) -> None:
        """Fast (open transactions are rolled back, everything is written), or at once as in a crash: what waited for no disk is lost."""
        self._signal(signal.SIGQUIT if at_once else signal.SIGINT)

    def kill(self) -> None:
        self.stop(at_once=True)  # SIGKILL would leave its children and their shared memory

    def cut(self) -> int:
        """Ends every connection from inside; how many is returned."""
        with self._connect() as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [DATABASE]
            )
            return len(ended.fetchall())

    def open_transactions(self, *, longer_than_s: float) -> int:
        """How many transactions have been waiting for their owner's next word for so long (it waits that long itself first)."""
        time.sleep(longer_than_s)
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'"
        query += " AND clock_timestamp() - state_change > %s * interval '1 second'"
        with self._connect() as connection:
            row = connection.execute(query, [DATABASE, longer_than_s]).fetchone()
        return int(row[0]) if row else 0

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(f"postgres://root@127.0.0.1:{self.port}/postgres", autocommit=True, connect_timeout=5)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self._connect():
            return True
        return False


class Redis(Server):
    """Nothing is kept on disk: killed and started again it has forgotten everything."""

    name = "redis"
    program_name = "redis-server"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [self._program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._run([*command, "--appendonly", "no", "--dir", str(self.folder)])
        self._await(lambda: self._greets(b"PING\r\n", b"+PONG"))


class Rabbit(Server):
    """A node of its own beside the machine's; the two share nothing but Erlang's port mapper."""

    name = "rabbitmq"
    program_name = "rabbitmq-server"
    folders = RABBIT_SCRIPTS

    def __init__(self) -> None:
        super().__init__()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._between = free_port()

    def version(self) -> str:
        found = re.search(r"RabbitMQ \d[\d.]*", (self.folder / "log").read_text(errors="replace"))
        return found.group() if found else ""

    def start(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "settings.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self.port}\n")
        own = {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_NODENAME": f"drill{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._between),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "settings.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RUNNING_UNDER_SYSTEMD": "true",  # its script then makes way for the node itself
        }
        self._run([self._program()], environment={"PATH": os.environ["PATH"]} | own)
        self._await(lambda: self._greets(b"AMQP\x00\x00\x09\x01", b"\x01"))
