"""A browser without a screen for the trials: one connection that stays open, and every request noted with how it ended.

Behaves as a browser does behind a proxy: a kept connection that turns out to be closed is replaced once, unseen; a door that is
shut is passed by for the next one. Repeats nothing else and judges nothing.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# What an answer that never came is noted as: nobody listens, the connection broke, nothing was said in time.
REFUSED, BROKEN, SILENT = "refused", "broken", "silent"


@dataclass(frozen=True)
class Heard:
    """How one request ended: a status, or one of the words above. Times in seconds, `at` on the monotonic clock."""

    kind: str
    at: float
    seconds: float
    result: str
    says: str = ""


@dataclass
class Notes:
    """What all browsers heard. `pauses`: how long somebody had to repeat until it worked, by kind, where it did not at once."""

    heard: list[Heard] = field(default_factory=list)
    pauses: dict[str, list[float]] = field(default_factory=dict)
    moved: int = 0
    renewed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, heard: Heard) -> None:
        with self.lock:
            self.heard.append(heard)

    def paused(self, kind: str, seconds: float) -> None:
        with self.lock:
            self.pauses.setdefault(kind, []).append(seconds)

    def results(self, *, since: float = 0.0, until: float = float("inf")) -> dict[str, dict[str, int]]:
        """By kind: how often each result, of requests that ended in this time."""
        found: dict[str, Counter[str]] = {}
        for heard in list(self.heard):
            if since <= heard.at + heard.seconds < until:
                found.setdefault(heard.kind, Counter())[heard.result] += 1
        return {kind: dict(sorted(counts.items())) for kind, counts in sorted(found.items())}

    def with_status(self, *statuses: int) -> list[Heard]:
        return [heard for heard in list(self.heard) if heard.result in {str(status) for status in statuses}]

    def server_errors(self) -> list[Heard]:
        """Everything from 500 on."""
        return [heard for heard in list(self.heard) if heard.result.isdigit() and int(heard.result) >= 500]

    def slowest(self, kind: str, *, result: str = "") -> float:
        """The longest time of this kind of request, in seconds (with this result only, if one is given)."""
        fits = (h.seconds for h in list(self.heard) if h.kind == kind and result in ("", h.result))
        return max(fits, default=0.0)

    def longest_pause(self) -> float:
        return max((max(seconds) for seconds in self.pauses.values()), default=0.0)


class Browser:
    """One person's browser. `doors`: the ports it may come by; it stays with one until that is shut."""

    def __init__(self, doors: list[int], *, cookies: dict[str, str], notes: Notes, first: int = 0) -> None:
        self.doors = doors
        self.cookies = cookies
        self.notes = notes
        self.place = first
        self._open: http.client.HTTPConnection | None = None

    @property
    def door(self) -> int:
        return self.doors[self.place % len(self.doors)]

    def ask(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        accept: str = "application/json",
        patience: float = 40,
    ) -> tuple[int, bytes] | None:
        """One request; None when no whole answer came. `patience` in seconds without a byte."""
        began = time.monotonic()
        shut = 0
        while True:
            fresh = self._open is None
            try:
                status, whole = self._once(method, path, body=body, accept=accept, patience=patience)
            except ConnectionRefusedError:
                self.close()
                shut += 1
                if shut < len(self.doors):
                    self.place += 1
                    self.notes.moved += 1
                    continue
                result, status, whole = REFUSED, 0, b""
            except TimeoutError:
                self.close()
                result, status, whole = SILENT, 0, b""
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if not fresh:  # it was closed while nobody used it
                    self.notes.renewed += 1
                    continue
                result, status, whole = f"{BROKEN}", 0, repr(error).encode()
            else:
                result = str(status)
            says = whole[:200].decode(errors="replace") if status >= 500 or not status else ""
            self.notes.add(Heard(kind, began, time.monotonic() - began, result, says))
            return (status, whole) if status else None

    def _once(self, method: str, path: str, *, body: Any, accept: str, patience: float) -> tuple[int, bytes]:
        if self._open is None:
            self._open = http.client.HTTPConnection("127.0.0.1", self.door, timeout=patience)
            self._open.connect()
        self._open.sock.settimeout(patience)
        headers = {"Accept": accept, "Origin": f"http://127.0.0.1:{self.door}"}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers |= {"Content-Type": "application/json", "X-CSRFToken": self.cookies.get("csrftoken", "")}
        self._open.request(method, path, body=data, headers=headers)
        answer = self._open.getresponse()
        whole = answer.read()
        if answer.will_close:
            self.close()
        return answer.status, whole

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
