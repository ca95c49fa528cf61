"""The OpenAI wire format: chunks, events, error bodies and HTTP framing as bytes. No timing, no sockets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

DONE = b"data: [DONE]\n\n"
LAST_CHUNK = b"0\r\n\r\n"


def dumps(value: object) -> bytes:
    """Compact JSON in UTF-8, as providers send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def event(value: object) -> bytes:
    """One server-sent event that carries this value as JSON."""
    return b"data: " + dumps(value) + b"\n\n"


def chunked(data: bytes) -> bytes:
    """One chunk of a chunked HTTP body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(status: int, *, fields: Mapping[str, str], length: int | None = None, framing: str = "chunked") -> bytes:
    """Status line and header; framing is chunked, length or close (the body ends with the connection)."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Overloaded"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items())]
    if framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif framing == "length":
        lines.append(f"Content-Length: {length or 0}")
    else:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def error(message: str, *, kind: str, code: str | None) -> dict[str, Any]:
    """The body of an error as OpenAI writes it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def usage(prompt: object, completion: object, total: object) -> dict[str, Any]:
    """A usage object; modes put nonsense in."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields that all chunks of one answer share."""

    id: str
    model: str
    created: int

    def chunk(self, choices: Sequence[Mapping[str, Any]], **more: object) -> bytes:
        """One event with these choices."""
        return event(self._object("chat.completion.chunk", choices, more))

    def delta(self, delta: Mapping[str, Any] | None, *, finish: str | None = None, index: int = 0) -> bytes:
        """One event with one choice."""
        return self.chunk([{"index": index, "delta": delta, "finish_reason": finish}])

    def text(self, text: str) -> bytes:
        """One event with this much of the answer."""
        return self.delta({"content": text})

    def whole(self, message: Mapping[str, Any], *, finish: str, usage: Mapping[str, Any] | None) -> bytes:
        """The body of an answer that is not streamed."""
        more = {"usage": usage} if usage is not None else {}
        return dumps(self._object("chat.completion", [{"index": 0, "message": message, "finish_reason": finish}], more))

    def _object(self, kind: str, choices: Sequence[Mapping[str, Any]], more: Mapping[str, object]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices, **more}
