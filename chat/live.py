"""The live answer, as the page reads it: the ticket that opens a poll, and what one generation looks like now.

A ticket binds generation, person, session and the person's session version; the cookie must be that session's. Knows no database.
"""

from __future__ import annotations

import datetime as dt
import hmac
import re
import threading
import time
import uuid as uuid_module
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language

from accounts.models import User
from chat.models import ACTIVE, Delta, Generation
from chat.notes import Facts
from chat.rendering import LiveBlocks

# `open` names what the open block's HTML stands for: its number times this, and how much of its source.
BLOCK_NAMES = 10_000_000
# More than any ticket, id or session key has.
LONGEST = 120
_TICKET = re.compile(r"([0-9a-f]{1,12})\.([0-9a-f]{1,15})\.([0-9a-f]{1,8})\.([a-z-]{2,8})\.([0-9a-f]{40})")


@dataclass(frozen=True)
class Ticket:
    """What a poll may see, and for whom. `expires` in Unix seconds."""

    generation: str
    user_id: int
    session_version: int
    session_key: str
    language: str
    expires: int


def _mac(ticket: Ticket) -> str:
    value = f"{ticket.generation}|{ticket.user_id}|{ticket.session_version}|{ticket.session_key}|{ticket.language}|{ticket.expires}"
    return salted_hmac("chat.live.ticket", value, algorithm="sha256").hexdigest()[:40]


def path_of(ticket: Ticket) -> str:
    """The poll's address with the ticket in it."""
    parts = f"{ticket.expires:x}.{ticket.user_id:x}.{ticket.session_version:x}.{ticket.language}.{_mac(ticket)}"
    return f"/live/{ticket.generation}?{urlencode({'ticket': parts})}"


def poll_url(generation: Generation, *, session_key: str, user: User) -> str:
    """The address at which this person's session may follow a generation for TICKET_S seconds."""
    return path_of(
        Ticket(
            generation=str(generation.uuid),
            user_id=user.pk,
            session_version=user.session_version,
            session_key=session_key,
            language=(get_language() or "en").lower()[:8],
            expires=int(time.time() + settings.TICKET_S),
        )
    )


def read_ticket(text: str, *, generation: str, session_key: str) -> Ticket | None:
    """The ticket if it is ours, of this generation and session, and not over."""
    if len(text) > LONGEST or len(generation) > LONGEST or not 0 < len(session_key) < LONGEST:
        return None
    ticket = _genuine(text, generation, session_key)
    return ticket if ticket is not None and ticket.expires >= time.time() else None


@lru_cache(maxsize=1024)  # a poll comes many times with the same ticket
def _genuine(text: str, generation: str, session_key: str) -> Ticket | None:
    """The ticket if we made it, over or not."""
    found = _TICKET.fullmatch(text)
    if found is None:
        return None
    expires, user_id, version, language, mac = found.groups()
    try:
        name = str(uuid_module.UUID(generation))
    except ValueError:
        return None
    ticket = Ticket(name, int(user_id, 16), int(version, 16), session_key, language, int(expires, 16))
    return ticket if hmac.compare_digest(_mac(ticket), mac) else None


@dataclass
class Reader:
    """One session that follows an answer: when it was last served, with which note, and whether text was among it."""

    served: float = 0.0
    begun: bool = False  # it has been shown the first text
    note: Facts | None = None


@dataclass(frozen=True)
class Ended:
    """What a page wants to know of an answer that has ended. `whole`: it needs no more of the server, its actions are always the same."""

    conversation_id: int
    finished_at: dt.datetime | None
    title: str
    untitled: bool  # a model is about to give the conversation its title
    lang: str
    whole: bool
    read_at: float = field(default_factory=time.monotonic)


@dataclass
class LiveAnswer:
    """One generation as it looks now. The watcher writes, polls read; `lock` is held for microseconds.

    `seq` is the row's revision plus the number of the last delta: whatever a reader can see has changed if it rose.
    """

    pk: int
    uuid: str
    conversation_id: int
    user_id: int
    state: str = "queued"
    revision: int = 0
    last_delta: int = 0
    facts: Facts | None = None
    gone: bool = False
    titled: str | None = None  # the conversation's title once no model is about to give it one
    awaits_title: bool = False  # somebody waits for it
    used: float = field(default_factory=time.monotonic)
    readers: dict[str, Reader] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    blocks: LiveBlocks = field(default_factory=LiveBlocks)
    reasoning: str = ""
    reasoning_seq: int = 0
    chars: int = 0  # of the text so far, as it is stored
    kept: list[tuple[int, str]] | None = (
        None  # where it is streamed as text: each piece since, and at which character it begins
    )
    changed: list[int] = field(default_factory=list)  # for each closed block: the seq at which it closed
    open_html: str = ""
    open_chars: int = 0  # of the open block's source, how much its HTML stands for
    open_read: str = ""  # that source
    open_at: float = 0.0
    final: list[str] | None = None
    ended: Ended | None = None

    @property
    def seq(self) -> int:
        return self.revision + self.last_delta

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    def begin(self, text: str, *, reasoning: str) -> None:
        """What the message held before this generation (a continued answer)."""
        self.reasoning, self.chars = reasoning, len(text)
        self.blocks.feed(text)
        self._note_closed()

    def feed(self, pieces: list[tuple[int, int, str]]) -> None:
        """New deltas, in order: (seq, kind, text)."""
        text = []
        for seq, kind, piece in pieces:
            self.last_delta = seq
            if kind == Delta.Kind.REASONING:
                self.reasoning += piece
                self.reasoning_seq = self.seq
            else:
                text.append(piece)
                if self.kept is not None:
                    self.kept.append((self.chars, piece))
                self.chars += len(piece)
        if text:
            self.blocks.feed("".join(text))
            self._note_closed()
            if not self.blocks.open_source.startswith(self.open_read):  # spaces that turned out to be an empty line
                self.open_html, self.open_chars, self.open_read = "", 0, ""

    def keep(self) -> None:
        """From now on the text is kept as it comes, for `pieces`."""
        with self.lock:
            if self.kept is None:
                self.kept = []

    def pieces(self, *, known: int, begin: int) -> tuple[str | None, int]:
        """The text after `known` characters, and how many pieces were looked at (`begin` then). None: some of it was not kept."""
        with self.lock:
            kept, chars = self.kept or [], self.chars
            new = kept[begin:]
        at, found = known, []
        for start, piece in new:
            if start > at:
                return None, len(kept)
            if start + len(piece) > at:
                found.append(piece[at - start :])
                at = start + len(piece)
        return (None if at < chars else "".join(found)), begin + len(new)

    def _note_closed(self) -> None:
        if len(self.blocks.closed) > len(self.changed):
            self.changed += [self.seq] * (len(self.blocks.closed) - len(self.changed))
            self.open_html, self.open_chars, self.open_read = "", 0, ""

    def wants_rendering(self, *, now: float, every: float) -> bool:
        """Is the open block's HTML behind, and at least `every` seconds old?"""
        return now - self.open_at >= every and len(self.blocks.open_source) > self.open_chars

    def render_open(self, *, now: float) -> None:
        """Makes the open block's HTML; costs what rendering costs."""
        source = self.blocks.open_source
        html = self.blocks.open_html()
        with self.lock:
            self.open_html, self.open_chars, self.open_read, self.open_at = html, len(source), source, now

    def finish(self, *, state: str, revision: int, html: list[str], reasoning: str) -> None:
        """The generation has ended: from now on what is stored is shown."""
        self.state, self.revision, self.last_delta = state, revision, 0
        self.final, self.reasoning, self.reasoning_seq = html, reasoning, revision

    def payload(self, *, seen: int, opened: int | None) -> dict[str, Any]:
        """What a reader that has `seen` is missing (the note is added by whoever knows the language)."""
        with self.lock:
            made: dict[str, Any] = {"seq": self.seq, "state": self.state}
            if self.final is not None:
                made |= {"blocks": list(enumerate(self.final)), "tail": "", "open": 0}
            else:
                made |= self._open_payload(seen=seen, opened=opened)
            if self.reasoning and (self.reasoning_seq > seen or seen == 0):
                made["reasoning"] = self.reasoning
        return made

    def last_words(self, *, title: str, note: dict[str, Any] | None) -> dict[str, Any]:
        """What a reader gets with the end besides the blocks."""
        ended = self.ended
        if ended is None or not ended.whole or note is not None:
            return {"title": title}
        return {"title": title, "whole": True, "lang": ended.lang, "untitled": ended.untitled}

    def _open_payload(self, *, seen: int, opened: int | None) -> dict[str, Any]:
        closed = self.blocks.closed
        blocks = [(i, closed[i]) for i, at in enumerate(self.changed) if at > seen or seen == 0]
        source = self.blocks.open_source
        name = len(closed) * BLOCK_NAMES + self.open_chars
        if source and opened != name:
            blocks.append((len(closed), self.open_html))
        return {"blocks": blocks, "tail": source[self.open_chars :], "open": name}
