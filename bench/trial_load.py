"""People at work for the trials: they open pages, ask, read, stop, leave and come back, stubborn as the page is.

Every promise stands in the client journal before the next request goes out. What a page would show as a fault is kept in
`complaints`; nothing else is judged here.
"""

from __future__ import annotations

import html
import json
import random
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.trial_browser import Browser, Notes
from tests.chaos.journals import OVER, ClientJournal
from tests.processes import NotReadyError, Person, Site

HOLD_S = 25
PAGE = "text/html"
_POLL = re.compile(r'data-poll="([^"]*)"')
_STATE = re.compile(r'data-state="([a-z]+)"')


@dataclass(frozen=True)
class Habits:
    """How people behave. Seconds, except the simulator's gap and first token (milliseconds)."""

    tokens: int = 80
    gap_ms: int = 50
    ttft_ms: int = 200
    think_s: float = 0.5
    stops: float = 0.05  # the share of answers that somebody stops
    leaves: float = 0.0  # the share of rounds before which somebody signs out and in again
    stubborn_s: float = 90.0
    hold_s: int = HOLD_S


class Gone(Exception):
    """This person's round can't go on: the load was stopped, or something was answered that no page expects."""


@dataclass
class Load:
    """`start` signs everybody in and returns; `finish` lets the last rounds end. Repeatable by `seed`."""

    site: Site
    journal: ClientJournal
    people: list[Person]
    doors: Callable[[], list[int]]
    seed: int = 1
    habits: Habits = field(default_factory=Habits)
    name: str = "trial"
    notes: Notes = field(default_factory=Notes)
    complaints: list[str] = field(default_factory=list)
    rounds: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Load:
        for number, person in enumerate(self.people):
            visitor = Visitor(self, number=number, person=person)
            visitor.sign_in()
            self._threads.append(threading.Thread(target=visitor.run, name=f"person{number}", daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def work(self, seconds: float) -> None:
        """Lets everybody work for so long."""
        self._stop.wait(seconds)

    def finish(self, *, within: float) -> None:
        """No new rounds; waits for those that are under way."""
        self._stop.set()
        until = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self.complaints.append(f"{thread.name} is still waiting {within:.0f} s after the end")

    def complain(self, text: str) -> None:
        with self.notes.lock:
            self.complaints.append(text)


class Visitor:
    """One person of the load, in a thread of her own."""

    def __init__(self, load: Load, *, number: int, person: Person) -> None:
        self.load = load
        self.number = number
        self.person = person
        self.random = random.Random(f"{load.seed}-{number}")
        self.browser = Browser(load.doors(), cookies={}, notes=load.notes, first=number)
        self.count = 0

    def sign_in(self) -> None:
        self.browser.cookies = self.load.site.sign_in(self.person, web=self.number % self.load.site.webs)

    def run(self) -> None:
        while not self.load.stopping:
            try:
                if self.random.random() < self.load.habits.leaves:
                    self._leave_and_return()
                self._round()
                self.load.rounds += 1
            except Gone:
                return
            self.load.work(self.random.uniform(0, 2 * self.load.habits.think_s))
        self.browser.close()

    # --- one round ----------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        self._insist("page", "GET", "/chat/", accept=PAGE, good=200)
        sent = self._send()
        self._follow(sent, stops=self.random.random() < self.load.habits.stops)
        self._insist("page", "GET", f"/chat/{sent['conversation_id']}/", accept=PAGE, good=200)

    def _send(self) -> dict[str, Any]:
        habits, client_id = self.load.habits, uuid.UUID(int=self.random.getrandbits(128)).hex
        seed = f"{self.load.name}{self.number}x{self.count}"
        self.count += 1
        mark = f"[[sim seed={seed} n={habits.tokens} gap={habits.gap_ms} ttft={habits.ttft_ms}]]"
        body = {"text": mark, "client_id": client_id}
        for _time in range(2 if self.random.random() < 0.1 else 1):  # now and then a page repeats what was answered
            sent: dict[str, Any] = json.loads(self._insist("send", "POST", "/chat/messages/", body=body, good=202))
            self.load.journal.promised(
                person=self.person.email, client_id=client_id, seed=seed, generation=sent["generation_id"],
                tokens=habits.tokens,
            )  # fmt: skip
        return sent

    def _follow(self, sent: dict[str, Any], *, stops: bool) -> None:
        url, seen = sent["poll_url"], 0
        until = time.monotonic() + self.load.habits.stubborn_s
        while time.monotonic() < until:
            path = f"{url}&seen={seen}&wait={self.load.habits.hold_s}"
            raw = self._insist("poll", "GET", path, good=200, gone=404)
            if raw is None:  # the ticket is over: the answer as it stands brings a new one
                url = self._again(sent)
                if not url:
                    return
                continue
            told = json.loads(raw)
            url, seen = told.get("poll_url") or url, told["seq"]
            if told["state"] in OVER:
                shown = "".join(block for _place, block in told["blocks"])
                self.load.journal.ended(generation=sent["generation_id"], state=told["state"], html=shown)
                return
            if stops and told["state"] == "streaming":
                stops = False
                self._insist("stop", "POST", f"/chat/generations/{sent['generation_id']}/cancel/", body={}, good=202)
        self.load.complain(
            f"{sent['generation_id']}: not over for its reader after {self.load.habits.stubborn_s:.0f} s"
        )

    def _again(self, sent: dict[str, Any]) -> str:
        """What the page does when a poll is answered with 404; empty when the answer has ended meanwhile."""
        page = self._insist("again", "GET", f"/chat/messages/{sent['message_id']}/", accept=PAGE, good=200).decode()
        state, poll = _STATE.search(page), _POLL.search(page)
        if poll:
            return html.unescape(poll[1])
        if state is None or state[1] not in OVER:
            self.load.complain(f"{sent['generation_id']}: the page shows neither an end nor a way to go on")
        return ""

    def _leave_and_return(self) -> None:
        self._insist("sign-out", "POST", "/accounts/logout/", body={}, good=200)
        self.browser.close()
        began = time.monotonic()
        while True:
            try:
                self.sign_in()
            except (OSError, NotReadyError) as error:
                if time.monotonic() - began > self.load.habits.stubborn_s:
                    self.load.complain(f"{self.person.email} can't come back: {error}")
                    raise Gone from None
                time.sleep(0.5)
            else:
                return

    # --- stubbornness -------------------------------------------------------------------------------------------------

    def _insist(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        good: int,
        gone: int = 0,
        body: Any = None,
        accept: str = "application/json",
    ) -> Any:
        """Until it is answered as a page expects; None for `gone`. What is worth repeating is repeated, with growing pauses."""
        began, pause, tries = time.monotonic(), 0.1, 0
        while time.monotonic() - began < self.load.habits.stubborn_s:
            answer = self.browser.ask(kind, method, path, body=body, accept=accept)
            if answer is not None and answer[0] in (good, gone):
                if tries:
                    self.load.notes.paused(kind, time.monotonic() - began)
                return None if answer[0] == gone else answer[1]
            if answer is not None and answer[0] < 500 and answer[0] not in (408, 429):
                self.load.complain(f"{kind} {path[:60]}: {answer[0]} {answer[1][:200].decode(errors='replace')}")
                raise Gone
            tries += 1
            time.sleep(pause)
            pause = min(1.0, pause * 2)
        self.load.complain(f"{kind} {path[:60]}: no answer within {self.load.habits.stubborn_s:.0f} s")
        raise Gone
