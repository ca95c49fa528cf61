"""Understands the chunks of a streamed chat completion: text, reasoning, end, count. Pure: bytes in, events out.

Believes nothing: a provider may send anything. Only the first choice counts, and nothing after its first finish_reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from providers.failures import Failure, Kind, classify

MOST_TOKENS = 100_000_000
"""A count beyond this is nonsense, whoever sends it."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REASONS: Mapping[str, str] = {"sensitive": "content_filter", "max_tokens": "length", "end_turn": "stop", "eos": "stop"}
_ERROR_REASONS = frozenset({"error", "network_error", "insufficient_system_resource"})


@dataclass(slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(slots=True)
class Reasoning:
    """A piece of what the model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them. `input_tokens` includes the cached ones, `output_tokens` the reasoning."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a whole answer. `reason`: stop, length, content_filter, …; `odd`: a count came that cannot be true."""

    reason: str
    usage: Usage | None
    model: str
    provider_request_id: str
    odd: bool = False


Event = Text | Reasoning | Finished


class Chunks:
    """What has been understood so far of one answer."""

    __slots__ = ("_fields", "_size_left", "done", "finish", "model", "odd", "usage")

    def __init__(self, *, reasoning_fields: tuple[str, ...], max_total: int) -> None:
        self._fields = reasoning_fields
        self._size_left = max_total
        self.finish = ""
        self.usage: Usage | None = None
        self.odd = False
        self.model = ""
        self.done = False

    def take(self, name: bytes, data: bytes) -> list[Text | Reasoning]:
        """The pieces of one event. Raises Failure: an error object, not JSON, unknown, or more text than allowed."""
        if data == b"[DONE]" or data.strip() == b"[DONE]":
            self.done = True
            return []
        if name == b"error":
            raise error_event(data)
        chunk = parse_chunk(data)
        if chunk.get("error"):
            raise error_in_stream(chunk)
        usage = chunk.get("usage")
        if usage is not None:
            self._count(usage)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            if usage is None and chunk.get("type") != "ping":
                raise Failure(Kind.BAD_STREAM, detail="unknown object", dispatched=True)
            return []
        if not self.model:
            model = chunk.get("model")
            self.model = clean(model)[:200] if isinstance(model, str) else ""
        if self.finish:
            return []
        for choice in choices:
            if isinstance(choice, dict) and (choice.get("index") or 0) == 0:
                return self._choice(choice)
        return []

    def _choice(self, choice: dict[str, Any]) -> list[Text | Reasoning]:
        pieces: list[Text | Reasoning] = []
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for field in self._fields:
                if thought := _text(delta.get(field)):
                    pieces.append(Reasoning(thought))
                    self._size_left -= len(thought)
                    break
            if text := _text(delta.get("content")) or _text(delta.get("refusal")):
                pieces.append(Text(text))
                self._size_left -= len(text)
            if self._size_left < 0:
                raise Failure(Kind.TOO_LARGE, detail="answer", dispatched=True)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            if reason in _ERROR_REASONS:
                raise Failure(Kind.SERVER_ERROR, detail=f"finish_reason {reason}", dispatched=True)
            self.finish = _REASONS.get(reason, clean(reason)[:32])
        return pieces

    def _count(self, value: object) -> None:
        """The last count that can be true wins."""
        found = usage_of(value)
        if found is None:
            self.odd = True
        else:
            self.usage = found


def usage_of(value: object) -> Usage | None:
    """A provider's count, by either of OpenAI's two spellings; None for one that cannot be true. No answer (embeddings) counts 0."""
    if not isinstance(value, dict):
        return None
    if "input_tokens" in value:
        given, made = _tokens(value.get("input_tokens")), _tokens(value.get("output_tokens", 0))
        details_in, details_out = value.get("input_tokens_details"), value.get("output_tokens_details")
    else:
        given, made = _tokens(value.get("prompt_tokens")), _tokens(value.get("completion_tokens", 0))
        details_in, details_out = value.get("prompt_tokens_details"), value.get("completion_tokens_details")
    cached = details_in.get("cached_tokens") if isinstance(details_in, dict) else value.get("prompt_cache_hit_tokens")
    reasoning = details_out.get("reasoning_tokens") if isinstance(details_out, dict) else 0
    if given is None or made is None:
        return None
    return Usage(given, made, min(_tokens(cached) or 0, given), min(_tokens(reasoning) or 0, made))


def clean(text: str) -> str:
    """The text with U+FFFD where a NUL or half a surrogate pair stands: no database takes those."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _text(value: object) -> str:
    """Text, or the texts of a list of parts."""
    if isinstance(value, str):
        return clean(value) if value else ""
    if isinstance(value, list):
        parts = (part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text")
        return clean("".join(part for part in parts if isinstance(part, str)))
    return ""


def _tokens(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


def parse_chunk(data: bytes) -> dict[str, Any]:
    """An event's JSON object. Raises Failure(BAD_STREAM)."""
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError:
        chunk = _parse_lone_surrogate(data)
    if not isinstance(chunk, dict):
        raise Failure(Kind.BAD_STREAM, detail="not an object", dispatched=True)
    return chunk


def _parse_lone_surrogate(data: bytes) -> object:
    """orjson refuses half a pair, Python's own parser takes it; everything else that orjson refuses stays refused."""
    try:
        if b"\\ud" in data or b"\\uD" in data:
            return json.loads(data.decode())
        # the same bytes, but halves written raw instead of escaped
        return json.loads(data.decode("utf-8", "surrogatepass")) if b"\xed" in data else None
    except (ValueError, RecursionError):
        raise Failure(Kind.BAD_STREAM, detail="not JSON", dispatched=True) from None


def error_event(data: bytes) -> Failure:
    """An event that is called an error is one, whatever its data look like."""
    try:
        return error_in_stream(parse_chunk(data))
    except Failure:
        return Failure(Kind.SERVER_ERROR, detail="error event", dispatched=True)


def error_in_stream(chunk: dict[str, Any]) -> Failure:
    """What an object that holds an error says."""
    error = chunk.get("error") or chunk
    if not isinstance(error, dict):
        error = {"message": error}
    code, type_ = str(error.get("code") or ""), str(error.get("type") or "")
    status = int(code) if code.isdecimal() and len(code) == 3 else None
    kind = classify(status, code=code, type_=type_, message=str(error.get("message") or ""))
    return Failure(
        kind, detail=f"error in the stream: {label(code)} {label(type_)}".rstrip(), status=status, dispatched=True,
        said=error,
    )  # fmt: skip


def label(value: str) -> str:
    """A provider's code fit for our log: short, one word, no chance of a key or a person's text in it."""
    return value if re.fullmatch(r"[A-Za-z_.-]{1,48}|\d{1,5}", value) else ""
