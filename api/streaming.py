"""An answer word by word as server-sent events, on the loop: fed by the watcher, as the page's poll is. No thread is held, no query asked.

Events: `answer` (as it stands), `text` and `state` as they come, `end` (as a GET shows it), or `refused` and `stopping`, which
end the stream, too. An event's number is how many characters are known then: with `Last-Event-ID` a stream goes on where it was cut off.
A reader who is slow gets more at a time: nothing is queued for anybody, so that a stream costs its answer's text once a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

from api import stream_rights
from api.awaited import Awaited
from chat import poll
from chat.live import LiveAnswer
from chat.watch import watcher

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Look = Callable[[int], Awaitable[tuple[int, Any]]]
KIND = (b"content-type", b"text/event-stream; charset=utf-8")
NOT_BUFFERED = (b"x-accel-buffering", b"no")
BEAT_S = 15.0
"""So often a stream says that it is there, for proxies that end what is silent."""
AGAIN_S = 0.2
"""An answer that this process does not follow (any more) is looked for again after so long."""
MOST_EACH = 64
"""Streams of one person in one process."""
TOO_MANY = {"code": "too_many_streams", "detail": "Too many streams at a time.", "status": 429}


class Stream:
    """One reader."""

    def __init__(self, wanted: Awaited, *, headers: Iterable[tuple[bytes, bytes]], address: str) -> None:
        self.generation, self.user = wanted.generation, wanted.user
        self.right = stream_rights.Right.of(headers, address=address, user=wanted.user, generation=wanted.generation)
        self.refused: Any = None
        """The problem, once its reader may not read it any more."""
        self._news = asyncio.Event()
        self._known = self._begin = 0
        self._answer: LiveAnswer | None = None
        self._state = wanted.state

    def wake(self) -> None:
        """Something has changed, or the process is about to stop."""
        self._news.set()

    def refuse(self, problem: Any) -> None:
        """Ends it now."""
        self.refused = problem
        self.wake()

    async def send(self, shown: Any, *, start: Message, send: Send, look: Look) -> None:
        """Sends it from what is `shown` already to its end; `look` reads it anew from a character on."""
        if stream_rights.count(self.user) >= MOST_EACH:
            self.refused = TOO_MANY
        headers = [pair for pair in start["headers"] if pair[0].lower() not in (b"content-type", b"content-length")]
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, KIND, NOT_BUFFERED]})
        self._known = shown["next_after"]
        with stream_rights.watched(self):
            await _say(send, self._event("answer", shown))
            await self._follow(shown, send=send, look=look)
        await send({"type": "http.response.body", "body": b""})

    async def _follow(self, shown: Any, *, send: Send, look: Look) -> None:
        while not shown["ended"]:
            if self.refused is not None:
                await _say(send, self._event("refused", self.refused))
                return
            if poll.stopping:
                await _say(send, self._event("stopping", {"code": "stopping"}) + b"retry: 1000\n\n")
                return
            answer = watcher.answers.get(self.generation)
            new = None if answer is None or answer.gone or not answer.active else self._new(answer)
            if answer is None or new is None:
                shown = await self._look_again(send=send, look=look)
            elif new:
                await _say(send, new)
            else:
                await self._wait(answer, send=send)
        await _say(send, self._event("end", shown | {"text": ""}))

    def _new(self, answer: LiveAnswer) -> bytes | None:
        """The events of what came since; None where it has to be read anew."""
        if answer is not self._answer:  # the watcher has begun anew
            self._answer, self._begin = answer, 0
        answer.keep()
        text, self._begin = answer.pieces(known=self._known, begin=self._begin)
        if text is None:
            return None
        made = b""
        if text:
            self._known += len(text)
            made = self._event("text", {"text": text, "next_after": self._known})
        if answer.state != self._state:
            self._state = answer.state
            made = self._event("state", {"state": answer.state}) + made
        return made

    async def _look_again(self, *, send: Send, look: Look) -> Any:
        """What there is, from the database: at the end, and where the watcher has not kept some of it."""
        status, shown = await look(self._known)
        if status != 200:
            self.refused = shown
            return {"ended": False}
        if shown["text"]:
            self._known = shown["next_after"]
            await _say(send, self._event("text", {"text": shown["text"], "next_after": self._known}))
        elif not shown["ended"]:
            await asyncio.sleep(AGAIN_S)
        return shown

    async def _wait(self, answer: LiveAnswer, *, send: Send) -> None:
        self._news.clear()
        watcher.listen(answer, poll=self)
        try:
            await asyncio.wait_for(self._news.wait(), timeout=BEAT_S)
        except TimeoutError:
            await _say(send, b": still here\n\n")
        finally:
            watcher.leave(answer, poll=self)

    def _event(self, name: str, data: Any) -> bytes:
        return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode(), self._known, orjson.dumps(data))


async def _say(send: Send, text: bytes) -> None:
    """Waits while the reader's own buffer is full."""
    await send({"type": "http.response.body", "body": text, "more_body": True})
