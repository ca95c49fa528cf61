"""Colleagues who ask, read and stop, each in a thread of their own, stubborn as the page is: they repeat until they have their 202.

Notes every promise in the client journal before going on. Judges nothing.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.journals import OVER, ClientJournal
from tests.processes import Caller, Person, Site

STUBBORN_S = 60.0


@dataclass
class Crowd:
    """`people` ask `each` questions one after the other; every `cancels`-th is stopped while it is written (0: none)."""

    site: Site
    journal: ClientJournal
    people: list[Person]
    each: int
    tokens: int = 40
    gap_ms: int = 25
    cancels: int = 7
    name: str = "seed"
    follow: bool = True
    slowest_send_s: float = 0.0
    refusals: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Crowd:
        callers = [self.site.caller(person, web=n % self.site.webs) for n, person in enumerate(self.people)]
        for number, (caller, person) in enumerate(zip(callers, self.people, strict=True)):
            thread = threading.Thread(target=self._ask_all, args=(number, caller, person), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def wait(self, *, within: float) -> None:
        until = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _ask_all(self, number: int, caller: Caller, person: Person) -> None:
        try:
            for count in range(self.each):
                seed = f"{self.name}{number}x{count}"
                sent = self._send(caller, person, seed)
                if self.follow:
                    self._follow(
                        caller, sent, stops=self.cancels > 0 and (number * self.each + count) % self.cancels == 3
                    )
        except AssertionError as error:
            self.refusals.append(str(error))

    def _send(self, caller: Caller, person: Person, seed: str) -> dict[str, Any]:
        client_id = uuid.uuid4().hex
        mark = f"[[sim seed={seed} n={self.tokens} gap={self.gap_ms}]]"
        reply: dict[str, Any] = self._stubborn(
            caller, "POST", "/chat/messages/", {"text": mark, "client_id": client_id}, good=202
        )
        generation = reply["generation_id"]
        self.journal.promised(
            person=person.email, client_id=client_id, seed=seed, generation=generation, tokens=self.tokens
        )
        # Now and then a page repeats what was answered already.
        if random.random() < 0.2:
            again = self._stubborn(caller, "POST", "/chat/messages/", {"text": mark, "client_id": client_id}, good=202)
            self.journal.promised(
                person=person.email, client_id=client_id, seed=seed, generation=again["generation_id"],
                tokens=self.tokens,
            )  # fmt: skip
        return reply

    def _follow(self, caller: Caller, sent: dict[str, Any], *, stops: bool) -> None:
        url, seen, stopped = sent["poll_url"], 0, False
        until = time.monotonic() + STUBBORN_S
        while time.monotonic() < until:
            told = self._stubborn(caller, "GET", f"{url}&seen={seen}&wait=2", None, good=200)
            url, seen = told.get("poll_url") or url, told["seq"]
            if told["state"] in OVER:
                html = "".join(block for _place, block in told["blocks"])
                self.journal.ended(generation=sent["generation_id"], state=told["state"], html=html)
                return
            if stops and not stopped and told["state"] == "streaming":
                stopped = True
                self._stubborn(caller, "POST", f"/chat/generations/{sent['generation_id']}/cancel/", {}, good=202)
        raise AssertionError(f"{sent['generation_id']}: not over for its reader after {STUBBORN_S:.0f} s")

    def _stubborn(self, caller: Caller, method: str, path: str, body: Any, *, good: int) -> Any:
        """Until it is answered; a dead or stopping web process is tried again, any other answer is a fault."""
        until, pause, began = time.monotonic() + STUBBORN_S, 0.1, time.monotonic()
        while time.monotonic() < until:
            try:
                reply = caller.call(method, path, body=body, timeout=10)
            except OSError:
                time.sleep(pause)
                pause = min(1.0, pause * 2)
                continue
            if reply.status == good:
                if method == "POST":
                    self.slowest_send_s = max(self.slowest_send_s, time.monotonic() - began)
                return reply.json()
            assert reply.status == 503, f"{method} {path}: {reply.status} {reply.text[:300]}"
            time.sleep(pause)
        raise AssertionError(f"{method} {path}: no answer within {STUBBORN_S:.0f} s")
