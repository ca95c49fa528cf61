"""Starts the web process of the tests and speaks to it byte by byte, as no well-behaved client would."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Web:
    """A running web process."""

    def __init__(self, process: subprocess.Popen[str], *, port: int) -> None:
        self.process = process
        self.port = port

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """An open connection; `receive_buffer` in bytes makes a reader that the server notices early."""
        client = socket.socket()
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        return client

    def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are and read until the server closes or has answered everything asked for."""
        with self.connect() as client:
            for piece in pieces:
                with contextlib.suppress(ConnectionError):
                    client.sendall(piece)
            return read_all(client)

    def get(self, path: str) -> tuple[int, bytes]:
        """A normal request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def state(self) -> dict[str, Any]:
        """What the process says about itself."""
        found: dict[str, Any] = json.loads(self.get("/state")[1])
        return found

    def slowest(self, *, seconds: float) -> float:
        """The longest that a normal request took while asked again and again for `seconds`."""
        worst, end = 0.0, time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.monotonic()
            assert self.get("/hello")[0] == 200
            worst = max(worst, time.monotonic() - start)
            time.sleep(0.02)
        return worst


def read_all(client: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65_536):
            received += piece
    return bytes(received)


def status_of(answer: bytes) -> int:
    """The status of the first answer in raw bytes; 0 for none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def body_of(answer: bytes) -> Any:
    """The JSON body of a raw answer."""
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def environment(folder: Path, *, limits: dict[str, Any], extra: dict[str, str]) -> dict[str, str]:
    """What the process is started with."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    own = {"DATA_DIR": str(folder), "IGNORE_DOTENV": "1", "WEB_TEST": json.dumps(limits), "PORT": "0"}
    return {**kept, **own, **extra}


@contextlib.contextmanager
def web(
    folder: Path, *, extra: dict[str, str] | None = None, pass_fds: tuple[int, ...] = (), **limits: Any
) -> Iterator[Web]:
    """A web process until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.portal.web_process"],
        cwd=ROOT,
        env=environment(folder, limits=limits, extra=extra or {}),
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=pass_fds,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("web: listening on http://"), line
        yield Web(process, port=int(line.rsplit(":", 1)[1]))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
