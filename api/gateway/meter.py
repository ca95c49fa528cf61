"""Reads an answer while it passes: its count, its end, an error in it, and how much text there was in case nobody counts. Keeps no text."""

from __future__ import annotations

from typing import Any

from api.gateway.routes import Shape
from providers.client_chunks import Usage, error_event, error_in_stream, parse_chunk, usage_of
from providers.failures import Failure, Kind
from usage import estimates

MOST_CHARACTERS = 4 << 20
DONE = b"[DONE]"
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILS = frozenset({"error", "response.failed"})


class Meter:
    """One answer. `answers`: how many choices it has; it is whole when each has told its end."""

    __slots__ = ("_counter", "_left", "_shape", "_wants_usage", "done", "usage")

    def __init__(self, shape: Shape, *, answers: int, wants_usage: bool) -> None:
        self._shape = shape
        self._wants_usage = wants_usage
        self._counter = estimates.Counter()
        self._left = set(range(answers))
        self.usage: Usage | None = None
        self.done = False

    @property
    def produced(self) -> int:
        """The estimate of the answer's tokens so far."""
        return self._counter.tokens

    @property
    def whole(self) -> bool:
        """Whether the answer has told its end: what comes after it is its count."""
        return not self._left

    def take(self, name: bytes, data: bytes) -> bool:
        """One event; whether it is passed on. Raises Failure: an error, not JSON, unknown, or more text than anybody asks for."""
        if data.strip() == DONE:
            self.done = True
            return True
        if name == b"error":
            raise error_event(data)
        chunk = parse_chunk(data)
        if self._shape == "response":
            self._response_event(chunk)
            return True
        return self._chunk(chunk)

    def read(self, body: dict[str, Any]) -> None:
        """A whole answer. Raises Failure for one that is an error."""
        if body.get("error"):
            raise error_in_stream(body)
        self._count(body.get("usage"))
        for name in ("choices", "output", "text"):
            self._texts(body.get(name))
        self._left.clear()
        self.done = True

    def _chunk(self, chunk: dict[str, Any]) -> bool:
        if chunk.get("error"):
            raise error_in_stream(chunk)
        usage, choices = chunk.get("usage"), chunk.get("choices")
        self._count(usage)
        if not isinstance(choices, list):
            if usage is None and chunk.get("type") != "ping":
                raise Failure(Kind.BAD_STREAM, detail="unknown object", dispatched=True)
            return self._wants_usage
        for choice in choices:
            if isinstance(choice, dict):
                self._choice(choice)
        return bool(choices) or usage is None or self._wants_usage

    def _choice(self, choice: dict[str, Any]) -> None:
        self._texts(choice.get("delta"))
        if self._shape == "completion":
            self._texts(choice.get("text"))
        if self._counter.characters > MOST_CHARACTERS:
            raise Failure(Kind.TOO_LARGE, detail="answer", dispatched=True)
        if choice.get("finish_reason"):
            self._left.discard(choice.get("index") or 0)

    def _response_event(self, chunk: dict[str, Any]) -> None:
        kind, response = chunk.get("type"), chunk.get("response")
        if kind in _FAILS:
            raise error_in_stream(response if isinstance(response, dict) else chunk)
        delta = chunk.get("delta")
        if isinstance(delta, str):
            self._counter.add(delta)
        if kind in _ENDS:
            self._count(response.get("usage") if isinstance(response, dict) else None)
            self._left.clear()
            self.done = True

    def _count(self, given: object) -> None:
        """The last count that can be true wins."""
        if given is not None:
            self.usage = usage_of(given) or self.usage

    def _texts(self, value: object) -> None:
        """Every text in it but the words of the format (roles, types, names of calls' ids)."""
        stack = [value]
        while stack:
            each = stack.pop()
            if isinstance(each, str):
                self._counter.add(each)
            elif isinstance(each, list):
                stack.extend(each)
            elif isinstance(each, dict):
                stack.extend(inner for name, inner in each.items() if name not in _FORMAT)


_FORMAT = frozenset({"role", "type", "id", "index", "finish_reason", "status", "object", "logprobs", "annotations"})
