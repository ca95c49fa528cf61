"""A mail server on loopback that keeps what it gets, and can be told to refuse or to be silent. Speaks just enough SMTP."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
import time
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import cast


@dataclass
class Box:
    """What came, and how the server behaves."""

    letters: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""
    """What is said to a recipient instead of 250: "550 no such user" for good, "451 later" for now."""
    silent_s: float = 0
    """So long nothing is said at the beginning."""

    def wait_for(self, count: int, *, within: float = 20) -> list[EmailMessage]:
        """The letters, once there are as many."""
        end = time.monotonic() + within
        while len(self.letters) < count:
            assert time.monotonic() < end, f"{len(self.letters)} letters within {within} s, not {count}"
            time.sleep(0.05)
        return self.letters


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        box: Box = cast(MailServer, self.server).box
        time.sleep(box.silent_s)
        self._say("220 test")
        while line := self.rfile.readline():
            word = line.decode(errors="replace").strip().upper()
            if word.startswith("RCPT"):
                self._say(box.refuse or "250 ok")
            elif word == "DATA":
                self._say("354 go on")
                box.letters.append(self._letter())
                self._say("250 kept")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _letter(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return email.message_from_bytes(b"".join(lines), policy=email.policy.default)

    def _say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """Use as a context manager; `url` is for EMAIL_URL."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.box = Box()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
