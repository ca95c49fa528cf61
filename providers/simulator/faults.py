"""How a streamed answer is told, event by event, and how each mode bends the telling. No sockets, no HTTP.

A mode stands in one of six tables: what comes before the text, what is slipped in at its middle, what breaks it
off there, how it ends, how its bytes are cut, which fields are odd. Modes without a stream stand in `replies`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

from providers.simulator import answers, chunks
from providers.simulator.asks import Ask


class Step(NamedTuple):
    """Wait this many seconds, write this, count these tokens; `then` says whether and how this is the end."""

    wait: float
    data: bytes
    tokens: int = 0
    then: str = ""  # "" | end | hang | close | reset | torn (inside a chunk, then close)


@dataclass(frozen=True, slots=True)
class Telling:
    """One answer on its way: what was asked and the fields that its chunks share."""

    ask: Ask
    shape: chunks.Shape

    def tell(self, text: str) -> bytes:
        """One event with this text."""
        return self.shape.text(text)

    def finish(self, reason: str) -> bytes:
        """The event that names the finish_reason."""
        return self.shape.delta({}, finish=reason)

    def usage(self, counts: dict[str, Any] | None = None) -> list[bytes]:
        """The usage event, if it was asked for."""
        if not self.ask.include_usage:
            return []
        return [self.shape.chunk([], usage=counts or self.true_usage())]

    def true_usage(self) -> dict[str, Any]:
        """What this answer really cost."""
        asked, said = self.ask.prompt_tokens, len(self.ask.tokens)
        return chunks.usage(asked, said, asked + said)


Events = Callable[[Telling], Sequence[bytes]]
Steps = Callable[[Telling], Iterator[Step]]
EXTRA = "EXTRA"  # text that must never be part of an answer
ODD_USAGE: dict[str, dict[str, Any]] = {
    "usage_huge": chunks.usage(10**12, 10**12, 2 * 10**12),
    "usage_negative": chunks.usage(-5, -7, -12),
    "usage_string": chunks.usage("many", "few", "some"),
}


def _tool_call(telling: Telling, name: str) -> list[bytes]:
    pieces = [
        {"index": 0, "id": "call_sim", "type": "function", "function": {"name": name, "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"seed":'}},
        {"index": 0, "function": {"arguments": chunks.dumps(telling.ask.seed).decode() + "}"}},
    ]
    return [telling.shape.delta({"tool_calls": [piece]}) for piece in pieces]


def _reasoning(field: str) -> Events:
    return lambda t: [t.shape.delta({field: token}) for token in answers.reasoning_for(t.ask.seed)]


def _forever(data: Callable[[Telling], bytes], *, gap: float) -> Steps:
    return lambda t: (Step(gap, data(t)) for _ in count())


def _drip(telling: Telling) -> Iterator[Step]:
    for place in count():
        yield Step(max(telling.ask.gap, 0.2), telling.tell(f" drop {place}"), 1)


def _drip_bytes(telling: Telling) -> Iterator[Step]:
    for byte in telling.tell(EXTRA):
        yield Step(0.5, bytes([byte]))
    yield Step(0, b"", then="hang")


def _huge_total(telling: Telling) -> Iterator[Step]:
    for _ in range(256):
        yield Step(0, telling.tell("much " * 9600), 1)
    yield from (Step(0, data) for data in _plain_tail(telling))


def _once(data: Callable[[Telling], bytes], *, then: str = "") -> Steps:
    # The pause lets what was written before reach the reader, who may otherwise see the end first.
    return lambda t: iter([Step(0.05, data(t), 0, then)])


OPENINGS: dict[str, Events] = {
    "role_only_then_text": lambda t: [t.shape.delta({"role": "assistant"})] * 3,
    "reasoning": _reasoning("reasoning_content"),
    "reasoning_field": _reasoning("reasoning"),
}
INSERTS: dict[str, Events] = {
    "empty_choices": lambda t: [t.shape.chunk([])] * 2,
    "index_one": lambda t: [t.shape.delta({"content": EXTRA}, index=1)],
    "null_delta": lambda t: [t.shape.delta(None), t.shape.delta({"content": None})],
    "tool_delta": lambda t: _tool_call(t, "nobody_asked"),
    "nul": lambda t: [t.tell("\x00")],
    "surrogate": lambda t: [t.shape.text("SURROGATE").replace(b"SURROGATE", b"\\ud800")],
    "zero_width": lambda t: [t.tell("\u200b" * 21_846)] * 16,
    "rtl": lambda t: [t.tell("\u202e\u2066\u202d")],
    "bad_json": lambda t: [b'data: {"id": oops, "choices"\n\n'],
    "bad_utf8": lambda t: [t.shape.text("BAD").replace(b"BAD", b"\xff\xfe\xc3\x28")],
}
BREAKS: dict[str, Steps] = {
    "stall": _once(lambda t: b"", then="hang"),
    "keepalive_forever": _forever(lambda t: b": keep-alive\n\n", gap=0.1),
    "role_forever": _forever(lambda t: t.shape.delta({"role": "assistant", "content": ""}), gap=0.1),
    "drip": _drip,
    "drip_bytes": _drip_bytes,
    "eof_no_finish": _once(lambda t: b""),
    "eof_no_finish_close": _once(lambda t: b""),
    "done_no_finish": _once(lambda t: chunks.DONE),
    "cut_json": _once(lambda t: t.tell(EXTRA)[:-30]),
    "incomplete_chunked": _once(lambda t: t.tell(EXTRA)[:20], then="torn"),
    "reset": _once(lambda t: b"", then="reset"),
    "unknown_object": _once(lambda t: chunks.event({"object": "weather.report", "sky": "clear"}) + chunks.DONE),
    "error_event": _once(lambda t: _error_event() + chunks.DONE),
    "error_event_other": _once(lambda t: b'event: error\ndata: {"detail":["boom"]}\n\n' + chunks.DONE),
    "huge_total": _huge_total,
}


def _error_event() -> bytes:
    return chunks.event(chunks.error("The server had an error", kind="server_error", code="server_error"))


def _plain_tail(telling: Telling) -> list[bytes]:
    return [telling.finish(telling.ask.finish), *telling.usage(), chunks.DONE]


def _finish(reason: str) -> Events:
    return lambda t: [t.finish(reason), *t.usage(), chunks.DONE]


def _usage(mode: str) -> Events:
    return lambda t: [t.finish(t.ask.finish), *t.usage(ODD_USAGE[mode]), chunks.DONE]


TAILS: dict[str, Events] = {
    "no_usage": lambda t: [t.finish(t.ask.finish), chunks.DONE],
    "usage_before_finish": lambda t: [*t.usage(), t.finish(t.ask.finish), chunks.DONE],
    "usage_twice": lambda t: [t.finish(t.ask.finish), *t.usage(chunks.usage(1, 1, 2)), *t.usage(), chunks.DONE],
    "duplicate_finish": lambda t: [t.finish(t.ask.finish), t.finish("length"), *t.usage(), chunks.DONE],
    "text_after_finish": lambda t: [t.finish(t.ask.finish), t.tell(EXTRA), *t.usage(), chunks.DONE],
    "two_done": lambda t: [*_plain_tail(t), chunks.DONE],
    "finish_length": _finish("length"),
    "finish_filter": _finish("content_filter"),
    **{mode: _usage(mode) for mode in ODD_USAGE},
}


def _split_characters(data: bytes, place: int) -> list[bytes]:
    """Cut inside the first character of several bytes, else leave the event whole."""
    cut = next((at for at in range(1, len(data)) if data[at] & 0xC0 == 0x80), 0)
    return [data[:cut], data[cut:]] if cut else [data]


def _many_lines(data: bytes, place: int) -> list[bytes]:
    """JSON may be broken between its tokens, and the reader joins data lines with a newline."""
    if not data.startswith(b"data: {"):
        return [data]
    return [data.replace(b',"choices":', b'\ndata: ,\ndata: "choices":', 1)]


def _line_ends(data: bytes, place: int) -> list[bytes]:
    """The line end of each event in turn; a lone CR and the LF of a CRLF are also cut between writes."""
    end = (b"\r\n", b"\n", b"\r")[place % 3]
    changed = data.replace(b"\n", end)
    return [changed[:-1], changed[-1:]] if end == b"\r\n" else [changed]


ENCODERS: dict[str, Callable[[bytes, int], list[bytes]]] = {
    "split_utf8": _split_characters,
    "mixed_newlines": _line_ends,
    "bom": lambda data, place: [b"\xef\xbb\xbf" + data if place == 0 else data],
    "multiline_data": _many_lines,
    "data_no_space": lambda data, place: [data.replace(b"data: ", b"data:", 1)],
}
FIELDS: dict[str, dict[str, Any]] = {
    "model_differs": {"model": "some-other-model"},
    "duplicate_id": {"id": "chatcmpl-duplicate"},
    "created_zero": {"created": 0},
}


def story(telling: Telling) -> Iterator[Step]:
    """The whole body of a streamed answer, not yet framed for HTTP."""
    encode = ENCODERS.get(telling.ask.mode)
    if encode is None:
        yield from _events(telling)
        return
    for place, step in enumerate(_events(telling)):
        first, *rest = encode(step.data, place)
        yield step._replace(data=first)
        # A pause between the pieces, so that they arrive in separate reads.
        yield from (Step(0.002, piece) for piece in rest)


def _events(telling: Telling) -> Iterator[Step]:
    ask, mode = telling.ask, telling.ask.mode
    if mode == "error_event_first":
        yield Step(ask.ttft, _error_event() + chunks.DONE)
        return
    yield Step(ask.ttft, telling.shape.delta({"role": "assistant", "content": ""}))
    yield from _paced(ask, OPENINGS[mode](telling) if mode in OPENINGS else ())
    yield from (Step(ask.gap, telling.tell(token), 1) for token in ask.tokens[: ask.at])
    if mode in BREAKS:
        yield from BREAKS[mode](telling)
        return
    yield from _paced(ask, INSERTS[mode](telling) if mode in INSERTS else ())
    yield from (Step(ask.gap, telling.tell(token), 1) for token in ask.tokens[ask.at :])
    yield from _paced(ask, _tool_call(telling, ask.tool) if ask.tool else ())
    yield from (Step(0, data) for data in TAILS.get(mode, _plain_tail)(telling))


def _paced(ask: Ask, events: Sequence[bytes]) -> Iterator[Step]:
    return (Step(ask.gap, data) for data in events)
