"""From a decided request to the bytes of its whole HTTP answer, head and framing included. No sockets."""

import zlib
from collections.abc import Callable, Iterator
from itertools import count

from providers.simulator import answers, chunks
from providers.simulator.faults import BREAKS, EXTRA, ODD_USAGE, Step, Telling, story
from providers.simulator.refusals import HTML

SSE = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
JSON = {"Content-Type": "application/json"}
BLOCK = 1 << 20
CLOSING = {"gzip_bomb", "eof_no_finish_close"}
# Ends that are not clean: the journal says "fault". Other modes of BREAKS never end by themselves.
FAULTY = {*BREAKS, "error_event_first", "html_200", "gzip_bomb", "huge_line", "close_before_headers"}


def steps_for(telling: Telling) -> Iterator[Step]:
    """Everything that is written for this request, in order."""
    special = SPECIAL.get(telling.ask.mode)
    if special is not None:
        return special(telling)
    return _streamed(telling) if telling.ask.stream else _whole(telling)


def keeps_connection(telling: Telling) -> bool:
    """Whether another request may follow on the same connection."""
    return telling.ask.mode not in CLOSING


def _streamed(telling: Telling) -> Iterator[Step]:
    """Chunked, unless the mode ends its body with the connection. The head travels with the first event."""
    close = not keeps_connection(telling)
    start = chunks.head(200, fields=SSE, framing="close" if close else "chunked")
    for step in story(telling):
        data = step.data if close or not step.data else chunks.chunked(step.data)
        if step.then == "torn":
            data = b"%x\r\n%b" % (len(step.data) + 999, step.data)
        yield step._replace(data=start + data)
        start = b""
    if not close:
        yield Step(0, chunks.LAST_CHUNK, 0, "end")


def _whole(telling: Telling) -> Iterator[Step]:
    """The answer in one piece, after the time that its stream would have taken."""
    ask, mode = telling.ask, telling.ask.mode
    message: dict[str, object] = {"role": "assistant", "content": "".join(ask.tokens)}
    if mode == "reasoning":
        message["reasoning_content"] = "".join(answers.reasoning_for(ask.seed))
    if ask.tool:
        call = {"name": ask.tool, "arguments": chunks.dumps({"seed": ask.seed}).decode()}
        message |= {"content": None, "tool_calls": [{"id": "call_sim", "type": "function", "function": call}]}
    finish = {"finish_length": "length", "finish_filter": "content_filter"}.get(mode, ask.finish)
    usage = None if mode == "no_usage" else ODD_USAGE.get(mode, telling.true_usage())
    body = telling.shape.whole(message, finish=finish, usage=usage)
    if mode == "bad_json":
        body = body[:-10]
    if mode == "bad_utf8":
        body = body.replace(b'"role"', b'"r\xff"', 1)
    start = chunks.head(200, fields=JSON, length=len(body), framing="length")
    wait = ask.ttft + ask.gap * len(ask.tokens)
    if mode in BREAKS:
        then = {"reset": "reset", "stall": "hang"}.get(mode, "close")
        return iter([Step(wait, start + body[: len(body) // 2], 0), Step(0.05, b"", 0, then)])
    return iter([Step(wait, start + body, len(ask.tokens), "end")])


def _slow_headers(telling: Telling) -> Iterator[Step]:
    yield Step(0, b"HTTP/1.1 200 OK\r\nX-Wait: ")
    yield from (Step(0.1, b"w") for _ in count())


def _html(telling: Telling) -> Iterator[Step]:
    start = chunks.head(200, fields={"Content-Type": "text/html"}, length=len(HTML), framing="length")
    yield Step(0, start + HTML, 0, "end")


def _gzip_bomb(telling: Telling) -> Iterator[Step]:
    """One compressed block, flushed so that it stands alone, sent a thousand times."""
    press = zlib.compressobj(wbits=31)
    opening = press.compress(telling.tell(EXTRA)[:-30]) + press.flush(zlib.Z_FULL_FLUSH)
    block = press.compress(b"A" * BLOCK) + press.flush(zlib.Z_FULL_FLUSH)
    start = chunks.head(200, fields={**SSE, "Content-Encoding": "gzip"}, framing="close")
    yield Step(0, start + opening)
    yield from (Step(0, block) for _ in range(1024))


def _huge_line(telling: Telling) -> Iterator[Step]:
    start = chunks.head(200, fields=SSE)
    yield Step(0, start + chunks.chunked(telling.tell(EXTRA)[:-30]))
    block = chunks.chunked(b"A" * (BLOCK // 4))
    yield from (Step(0, block) for _ in range(256))
    yield Step(0, chunks.chunked(b'"}}]}\n\n' + chunks.DONE) + chunks.LAST_CHUNK, 0, "end")


def _silent(then: str) -> Callable[[Telling], Iterator[Step]]:
    return lambda telling: iter([Step(0, b"", 0, then)])


SPECIAL: dict[str, Callable[[Telling], Iterator[Step]]] = {
    "no_response": _silent("hang"),
    "close_before_headers": _silent("close"),
    "slow_headers": _slow_headers,
    "html_200": _html,
    "json_200": _whole,
    "gzip_bomb": _gzip_bomb,
    "huge_line": _huge_line,
}
