"""The other addresses of the wire format: completions, embeddings, responses, sounds. Each is a chat in another coat, and billed.

What is asked becomes a chat request (so that marks steer it, too); what it answers is written in the address's own shape.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.simulator import answers, chunks
from providers.simulator.asks import Ask, BadAskError, ask_from
from providers.simulator.faults import Step

PATHS = ("/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/audio/transcriptions", "/v1/audio/speech")
SOUND = b"ID3" + bytes(range(256)) * 16
DIMENSIONS = 8
_MODEL = re.compile(rb'name="model"\r\n\r\n([^\r\n]{1,200})\r\n')
_SSE = {"Content-Type": "text/event-stream; charset=utf-8"}
_JSON = {"Content-Type": "application/json"}


def ask_of(path: str, body: bytes, *, header_mode: str) -> Ask:
    """The request as a chat. Raises BadAskError."""
    if path == "/v1/audio/transcriptions":
        found = _MODEL.search(body)
        given: dict[str, Any] = {"model": found[1].decode() if found else "", "input": ""}
    else:
        given = _object(body)
    text = given.get("prompt") if path == "/v1/completions" else given.get("input")
    texts = [text] if isinstance(text, str) else [part for part in text or [] if isinstance(part, str)]
    chat: dict[str, Any] = {
        name: given[name] for name in ("model", "max_tokens", "stream", "stream_options") if name in given
    }
    if "max_output_tokens" in given:
        chat["max_tokens"] = given["max_output_tokens"]
    whole = "\n".join([*texts, str(given.get("suffix") or "")]).strip()
    chat["messages"] = [{"role": "user", "content": whole or "[[sim n=12]]"}]
    return ask_from(json.dumps(chat).encode(), header_mode=header_mode)


def steps(path: str, ask: Ask, *, request_id: str) -> Iterator[Step]:
    """What is written for it."""
    if path == "/v1/audio/speech":
        return _whole(SOUND, kind="audio/mpeg", tokens=len(ask.tokens))
    if path == "/v1/embeddings":
        return _whole(chunks.dumps(_embedding(ask)), tokens=0)
    if path == "/v1/audio/transcriptions":
        return _whole(chunks.dumps(_transcript(ask)), tokens=len(ask.tokens))
    said = _Said(ask, request_id)
    events, whole = (
        (said.completion, said.whole_completion) if path == "/v1/completions" else (said.response, said.whole)
    )
    return _stream(ask, events()) if ask.stream else _whole(chunks.dumps(whole()), tokens=len(ask.tokens))


class _Said:
    """One answer in the two shapes that stream."""

    def __init__(self, ask: Ask, request_id: str) -> None:
        self._ask = ask
        self._id = request_id

    def completion(self) -> Iterator[tuple[bytes, int]]:
        for token in self._ask.tokens:
            yield chunks.event(self._of([{"text": token, "index": 0, "finish_reason": None}])), 1
        yield chunks.event(self._of([{"text": "", "index": 0, "finish_reason": self._ask.finish}])), 0
        if self._ask.include_usage:
            yield chunks.event(self._of([], usage=self._usage())), 0
        yield chunks.DONE, 0

    def whole_completion(self) -> dict[str, Any]:
        choice = {"text": "".join(self._ask.tokens), "index": 0, "finish_reason": self._ask.finish}
        return self._of([choice], usage=self._usage())

    def response(self) -> Iterator[tuple[bytes, int]]:
        yield _named("response.created", response=self._shell("in_progress")), 0
        for token in self._ask.tokens:
            yield (
                _named("response.output_text.delta", item_id="msg_sim", output_index=0, content_index=0, delta=token),
                1,
            )
        yield _named("response.completed", response=self.whole()), 0

    def whole(self) -> dict[str, Any]:
        part = {"type": "output_text", "text": "".join(self._ask.tokens), "annotations": []}
        message = {"type": "message", "id": "msg_sim", "role": "assistant", "status": "completed", "content": [part]}
        said, asked = len(self._ask.tokens), self._ask.prompt_tokens
        usage = {
            "input_tokens": asked, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": asked + said,
        }  # fmt: skip
        return self._shell("completed") | {"output": [message], "usage": usage}

    def _shell(self, status: str) -> dict[str, Any]:
        return {
            "id": f"resp_{self._id}", "object": "response", "created_at": 1_700_000_000, "status": status, "error": None,
            "model": self._ask.model, "output": [], "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip

    def _of(self, choices: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        fields = {
            "id": f"cmpl-{self._id}",
            "object": "text_completion",
            "created": 1_700_000_000,
            "model": self._ask.model,
        }
        return {**fields, "choices": choices, **more}

    def _usage(self) -> dict[str, Any]:
        return chunks.usage(
            self._ask.prompt_tokens, len(self._ask.tokens), self._ask.prompt_tokens + len(self._ask.tokens)
        )


def _embedding(ask: Ask) -> dict[str, Any]:
    vector = [len(word) / 100 for word in answers.tokens_for(ask.seed, tokens=DIMENSIONS)]
    usage = {"prompt_tokens": ask.prompt_tokens, "total_tokens": ask.prompt_tokens}
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    return {"object": "list", "data": data, "model": ask.model, "usage": usage}


def _transcript(ask: Ask) -> dict[str, Any]:
    said, asked = len(ask.tokens), ask.prompt_tokens
    usage = {"type": "tokens", "input_tokens": asked, "output_tokens": said, "total_tokens": asked + said}
    return {"text": "".join(ask.tokens), "usage": usage}


def _stream(ask: Ask, events: Iterator[tuple[bytes, int]]) -> Iterator[Step]:
    start = chunks.head(200, fields=_SSE)
    for data, tokens in events:
        yield Step(ask.gap if tokens else 0, start + chunks.chunked(data), tokens)
        start = b""
    yield Step(0, chunks.LAST_CHUNK, 0, "end")


def _whole(body: bytes, *, tokens: int, kind: str = "") -> Iterator[Step]:
    fields = {"Content-Type": kind} if kind else _JSON
    return iter([Step(0, chunks.head(200, fields=fields, length=len(body), framing="length") + body, tokens, "end")])


def _named(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\n".encode() + chunks.event({"type": kind, **more})


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAskError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise BadAskError("the body must be a JSON object")
    return found
