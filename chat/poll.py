"""One poll from its ticket to its answer, in callbacks on the web process's loop: a poll that waits is this small object, no task.

Answers at once when something is new; else waits until something is, at most POLL_HOLD_S. Knows no HTTP beyond a status and a body.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import orjson
from django.conf import settings
from django.db import Error
from django.http.cookie import parse_cookie
from django.utils import translation

from chat import watch_queries
from chat.live import LiveAnswer, Reader, Ticket, path_of, read_ticket
from chat.models import HELD
from chat.notes import note
from chat.watch import watcher

log = logging.getLogger(__name__)
Reply = Callable[[int, bytes], None]

# A reader is served at most so often (seconds): seldom while many follow. Under load the words of all come together (chat.live_out)
# and set the rhythm themselves; this only keeps what lies between from doubling the polls.
PACE_S, PACE_EACH_S, PACE_MOST_S = 0.03, 0.0003, 0.5
MOST_READERS = 64
# A database that says nothing for so long (seconds) counts as away.
DATABASE_S = 10.0
# A title that was read with the end is told without asking again for so long (seconds).
FRESH_S = 1.0
WAITING = ("waiting", "queued")
NOT_FOUND = orjson.dumps({"error": {"code": "not_found", "message": "This page does not exist, or is not yours."}})
# As on the pages (portal.views): the page asks again, and nothing it has shown is taken away.
AWAY = orjson.dumps({
    "error": {
        "code": "database_away",
        "message": "The service is restarting or its storage is full. What was answered as sent is kept; nothing was half stored.",
    }
})  # fmt: skip
FAULT = orjson.dumps({"error": {"code": "server_error", "message": "Something went wrong on our side. Ask again."}})
_threads = ThreadPoolExecutor(2, thread_name_prefix="admit")
stopping = False


class Poll:
    """`reply` is called exactly once, on the loop, unless the reader leaves before (`drop`)."""

    __slots__ = (
        "_answer", "_asked", "_due", "_reader", "_reply", "_until", "_work", "looked", "opened", "over", "seen", "ticket", "title", "wait",
    )  # fmt: skip

    def __init__(
        self, ticket: Ticket, *, seen: int, opened: int | None, wait: float, reply: Reply, title: bool, looked: bool
    ) -> None:
        self.ticket = ticket
        self.title = title  # what is waited for is the conversation's title, once the answer has ended
        self.looked = looked  # the person sees how it has ended
        self.seen = seen
        self.opened = opened
        self.wait = wait
        self.over = False
        self._reply = reply
        self._until = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._work: asyncio.Future[Any] | None = None
        self._answer: LiveAnswer | None = None
        self._reader: Reader | None = None
        self._asked = False  # the watcher calls `wake` at the next change

    def begin(self) -> None:
        """Finds the answer, in the database if nobody follows it yet."""
        answer = watcher.get(self.ticket)
        if answer is not None:
            self._follow(answer)
        else:
            self._in_thread(watcher.admit, self.ticket, then=self._follow)

    def drop(self) -> None:
        """The reader has gone."""
        self._rest()
        self.over = True
        if self._work is not None:
            self._work.cancel()  # what no thread has begun yet nobody needs any more

    def wake(self) -> None:
        """Something has changed, or the process is about to stop."""
        self._asked = False
        if not self.over:
            self._consider()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _follow(self, answer: LiveAnswer | None) -> None:
        if answer is None:
            self._say(404, NOT_FOUND)
            return
        self._answer = answer
        self._reader = _reader(answer, ticket=self.ticket)
        self._until = time.monotonic() + self.wait
        if self.looked and not answer.active:
            watcher.saw(answer)
        self._consider()

    def _consider(self) -> None:
        """Answers, or waits for a change, for the reader's pace or for the end of its time."""
        self._rest()
        answer, reader = self._answer, self._reader
        assert answer is not None and reader is not None
        now = time.monotonic()
        if self.title and not answer.active:
            new = answer.titled is not None
            answer.awaits_title = not new
        else:
            new = _is_new(answer, reader=reader, seen=self.seen)
        hurried = not answer.active or (
            answer.last_delta and not reader.begun
        )  # the first words and the end go out at once
        due = now if hurried else reader.served + _pace()
        if not self.wait or stopping or answer.gone or now >= self._until or (new and now >= due):
            self._serve(answer)
            return
        if not new and watcher.get(self.ticket) is None:
            self._serve(answer)
            return
        loop = asyncio.get_running_loop()
        if new:
            self._due = loop.call_later(min(self._until, due) - now, self._consider)
        else:
            self._asked = True
            watcher.listen(answer, poll=self)
            self._due = loop.call_later(self._until - now, self._consider)

    def _rest(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._asked and self._answer is not None:
            self._asked = False
            watcher.leave(self._answer, poll=self)

    # --- answering ----------------------------------------------------------------------------------------------------

    def _serve(self, answer: LiveAnswer) -> None:
        assert self._reader is not None
        self._reader.served = time.monotonic()
        self._reader.begun = answer.last_delta > 0
        if self.wait and watcher.get(self.ticket) is None:  # it has waited: may it still?
            self._in_thread(watcher.admit, self.ticket, then=self._serve_admitted)
        else:
            self._serve_now(answer)

    def _serve_admitted(self, answer: LiveAnswer | None) -> None:
        if answer is None:
            self._say(404, NOT_FOUND)
        else:
            assert self._answer is not None
            self._serve_now(self._answer)

    def _serve_now(self, answer: LiveAnswer) -> None:
        if self.title and not answer.active:
            self._say(200, orjson.dumps({"state": answer.state, "title": answer.titled}))
            return
        made = self._payload(answer)
        if answer.active:
            self._say(200, orjson.dumps(made))
            return

        def titled(title: str) -> None:
            self._say(200, orjson.dumps({**made, **answer.last_words(title=title, note=made["note"])}))

        ended = answer.ended
        if ended is not None and time.monotonic() - ended.read_at < FRESH_S:
            titled(ended.title)
            return
        self._in_thread(watch_queries.title_of, answer.conversation_id, then=titled)

    def _payload(self, answer: LiveAnswer) -> dict[str, Any]:
        assert self._reader is not None
        self._reader.note = facts = answer.facts
        made = answer.payload(seen=self.seen, opened=self.opened)
        made["note"] = None
        if (
            facts is not None and facts.state == made["state"] and facts.state not in HELD
        ):  # nothing is noted of what runs
            with translation.override(self.ticket.language):
                made["note"] = note(facts)
        if answer.active and self.ticket.expires - time.time() < settings.TICKET_S / 2:
            made["poll_url"] = path_of(replace(self.ticket, expires=int(time.time() + settings.TICKET_S)))
        return made

    def _in_thread(self, work: Callable[..., Any], given: Any, *, then: Callable[[Any], None]) -> None:
        def done(future: asyncio.Future[Any]) -> None:
            self._work = None
            if future.cancelled():
                return
            if self.over:
                future.exception()  # nobody is there to be told
            elif isinstance(error := future.exception(), Error):
                log.warning("a poll finds no database: %s", type(error).__name__)
                self._say(503, AWAY)
            elif error is not None:
                log.error("a poll could not be answered", exc_info=error)
                self._say(500, FAULT)
            else:
                then(future.result())

        loop = asyncio.get_running_loop()
        self._rest()
        self._due = loop.call_later(DATABASE_S, self._say, 503, AWAY)  # it may stand still, and the reader shall know
        self._work = loop.run_in_executor(_threads, work, given)
        self._work.add_done_callback(done)

    def _say(self, status: int, body: bytes) -> None:
        if not self.over:
            self.drop()
            self._reply(status, body)


def open_poll(path: str, *, query: bytes, cookie: bytes, reply: Reply) -> Poll | None:
    """The poll that a GET asks for, not yet begun; None when its ticket is not ours or not this session's."""
    given = dict(parse_qsl(query.decode("latin-1")))
    key = session_key(cookie)
    ticket = read_ticket(given.get("ticket", ""), generation=path.removeprefix("/live/"), session_key=key)
    if ticket is None:
        return None
    return Poll(
        ticket,
        seen=_number(given.get("seen"), most=2**31),
        opened=_number(given["open"], most=2**53) if given.get("open") else None,
        title=bool(given.get("title")),
        looked=bool(given.get("looked")),
        wait=min(float(_number(given.get("wait"), most=60)), settings.POLL_HOLD_S),
        reply=reply,
    )


@lru_cache(maxsize=1024)  # a poll comes many times with the same cookies
def session_key(cookie: bytes) -> str:
    """The session named in a Cookie header, read Django's own way: another site's odd cookie on this host must not hide ours."""
    return parse_cookie(cookie.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")


def _number(text: str | None, *, most: int) -> int:
    """A whole number out of a query; what is none counts as 0."""
    if not text or len(text) > 20:
        return 0
    whole = text.partition(".")[0]
    return min(int(whole), most) if whole.isascii() and whole.isdigit() else 0


def _reader(answer: LiveAnswer, *, ticket: Ticket) -> Reader:
    reader = answer.readers.get(ticket.session_key)
    if reader is None:
        while len(answer.readers) >= MOST_READERS:
            del answer.readers[next(iter(answer.readers))]
        reader = answer.readers[ticket.session_key] = Reader()
    return reader


def _pace() -> float:
    return min(PACE_MOST_S, PACE_S + PACE_EACH_S * watcher.running)


def _is_new(answer: LiveAnswer, *, reader: Reader, seen: int) -> bool:
    if not answer.active or answer.gone or answer.seq > seen:
        return True
    return answer.state in WAITING and answer.facts != reader.note  # afterwards there is no note until the end
