"""Colleagues who ask, read and stop, each in a thread of their own, stubborn as the page is: they repeat until they have their 202.

Notes every promise in the client journal before going on, and how long each send took. Judges nothing.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.journals import OVER, ClientJournal
from tests.processes import Caller, Person, Site

STUBBORN_S = 60.0
TIMEOUT_S = 10.0
# As a load balancer in front does it: who has failed is not asked again for so long.
OUT_S = 10.0


@dataclass(frozen=True)
class Send:
    """One send, from the first try to its 202, as its sender saw it (`began`: monotonic seconds).

    `struck`: the connection to a web process failed meanwhile.
    """

    began: float
    took: float
    struck: bool
    generation: str


@dataclass(frozen=True)
class Trouble:
    """A request that a web process did not answer, or with 503: when it was asked, when that failed, when one had answered it."""

    web: int
    method: str
    asked: float
    failed: float
    answered: float


@dataclass
class Crowd:
    """`people` ask `each` questions one after the other (None: until `enough`); every `cancels`-th is stopped while it is
    written (0: none).

    `tokens` are an answer's length, or from where to where it may lie. `rest_s`: pause between two polls. `roams`: each question
    goes to any web process, and who meets a dead one goes on at another, as behind a load balancer. `again`: the share of
    questions that go on in the same conversation.
    """

    site: Site
    journal: ClientJournal
    people: list[Person]
    each: int | None = None
    tokens: int | tuple[int, int] = 40
    gap_ms: int = 25
    cancels: int = 7
    name: str = "seed"
    follow: bool = True
    rest_s: float = 0.0
    roams: bool = False
    again: float = 0.0
    seed: int = 0
    sends: list[Send] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    under_way: dict[int, Counter[str]] = field(default_factory=dict)
    callers: list[Caller] = field(default_factory=list)
    _out: dict[int, float] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> Crowd:
        self.under_way = {web: Counter() for web in range(self.site.webs)}
        if not self.callers:
            self.callers = [self.site.caller(person, web=n % self.site.webs) for n, person in enumerate(self.people)]
        for number, (caller, person) in enumerate(zip(self.callers, self.people, strict=True)):
            thread = threading.Thread(target=self._ask_all, args=(number, caller, person), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    @property
    def slowest_send_s(self) -> float:
        return max((send.took for send in self.sends), default=0.0)

    def enough(self) -> None:
        """Nobody begins another question."""
        self._enough.set()

    def wait(self, *, within: float) -> None:
        until = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _ask_all(self, number: int, caller: Caller, person: Person) -> None:
        draw, sent = random.Random(f"{self.name}{number}/{self.seed}"), dict[str, Any]()
        for count in itertools.count() if self.each is None else range(self.each):
            if self._enough.is_set():
                return
            self._lead(caller, draw)
            home = sent.get("conversation_id", "") if draw.random() < self.again else ""
            try:
                sent = self._send(caller, person, seed=f"{self.name}{number}x{count}", home=home, draw=draw)
                stops = self.cancels > 0 and (number * (self.each or 1) + count) % self.cancels == 3
                if self.follow:
                    if draw.random() < 0.3:
                        self._lead(caller, draw)
                    self._follow(caller, sent, stops=stops)
            except AssertionError as error:
                self.refusals.append(str(error))
                sent = {}

    def _send(self, caller: Caller, person: Person, *, seed: str, home: str, draw: random.Random) -> dict[str, Any]:
        tokens = self.tokens if isinstance(self.tokens, int) else draw.randint(*self.tokens)
        text = f"[[sim seed={seed} n={tokens} gap={self.gap_ms}]]"
        fields = {"text": text, "client_id": uuid.UUID(int=draw.getrandbits(128)).hex} | (
            {"conversation": home} if home else {}
        )
        # Now and then a page repeats what was answered already.
        for _time in range(1 if draw.random() > 0.2 else 2):
            reply: dict[str, Any] = self._stubborn(caller, "POST", "/chat/messages/", fields, good=202)
            generation = reply["generation_id"]
            self.journal.promised(
                person=person.email, client_id=fields["client_id"], seed=seed, generation=generation, tokens=tokens
            )
        return reply

    def _follow(self, caller: Caller, sent: dict[str, Any], *, stops: bool) -> None:
        url, seen, stopped = sent["poll_url"], 0, False
        until = time.monotonic() + STUBBORN_S * 2
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
            time.sleep(self.rest_s)
        raise AssertionError(f"{sent['generation_id']}: not over for its reader after {STUBBORN_S * 2:.0f} s")

    def _stubborn(self, caller: Caller, method: str, path: str, body: Any, *, good: int) -> Any:
        """Until it is answered; a dead or stopping web process is tried again, any other answer is a fault."""
        began, pause, struck = time.monotonic(), 0.1, False
        met: tuple[int, float, float] | None = None
        while time.monotonic() < began + STUBBORN_S:
            web, asked = self._web(caller), time.monotonic()
            try:
                with self._counted(web, "send" if path == "/chat/messages/" else method):
                    reply = caller.call(method, path, body=body, timeout=TIMEOUT_S)
            except OSError:
                met, struck = met or (web, asked, time.monotonic()), True
                self._roam(caller, web)
                time.sleep(pause)
                pause = min(1.0, pause * 2)
                continue
            if reply.status == good:
                answer, now = reply.json(), time.monotonic()
                if met is not None:
                    self.troubles.append(Trouble(met[0], method, met[1], met[2], now))
                if path == "/chat/messages/":
                    self.sends.append(Send(began, now - began, struck, answer["generation_id"]))
                return answer
            assert reply.status == 503, f"{method} {path}: {reply.status} {reply.text[:300]}"
            met = met or (web, asked, time.monotonic())
            time.sleep(pause)
        raise AssertionError(f"{method} {path}: no answer within {STUBBORN_S:.0f} s")

    # --- which web process -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _counted(self, web: int, what: str) -> Iterator[None]:
        with self._lock:
            self.under_way[web][what] += 1
        try:
            yield
        finally:
            with self._lock:
                self.under_way[web][what] -= 1

    def _web(self, caller: Caller) -> int:
        return next((n for n in range(self.site.webs) if self.site.url(n) == caller.base), 0)

    def _lead(self, caller: Caller, draw: random.Random) -> None:
        """To any process that has not just failed."""
        if self.roams:
            now = time.monotonic()
            there = [n for n in range(self.site.webs) if self._out.get(n, 0.0) <= now]
            caller.base = self.site.url(draw.choice(there or range(self.site.webs)))

    def _roam(self, caller: Caller, web: int) -> None:
        if self.roams:
            self._out[web] = time.monotonic() + OUT_S
            caller.base = self.site.url((web + 1) % self.site.webs)
