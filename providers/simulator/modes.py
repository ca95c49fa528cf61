"""Every way in which the simulator can misbehave, and how a right engine must end. Data only.

The engine's tests iterate this table. Limits are scaled by them: `waits_on` names the limit that must be short
for the mode to end soon. How a mode looks on the wire stands in `faults`, `refusals` and `replies`.
"""

from dataclasses import dataclass

TRIES = {"rate_limit": 4, "server_error": 3, "unreachable": 3, "first_byte_timeout": 2}


@dataclass(frozen=True, slots=True)
class Expect:
    """How the engine must end when the mode strikes where it strikes by default."""

    state: str  # done | failed | interrupted
    kind: str  # "" when done, else the failure in our words
    finish: str  # the finish_reason to be stored, "" unless done
    text: str  # whole: equals text_for(seed) · prefix: the first `at` tokens · none: empty · odd: see the mode
    hits: int  # the most requests that one generation may cost
    waits_on: str  # "" | first_byte | stall | deadline: the limit that ends it


@dataclass(frozen=True, slots=True)
class Mode:
    """One named behaviour: model `chaos-<name>`, header `X-Sim-Mode: <name>` or `mode=<name>` in a mark."""

    name: str
    line: str
    expect: Expect


def _done(name: str, line: str, *, finish: str = "stop", text: str = "whole", hits: int = 1) -> Mode:
    return Mode(name, line, Expect("done", "", finish, text, hits, ""))


def _cut(name: str, line: str, *, kind: str = "cut_off", text: str = "prefix", waits_on: str = "") -> Mode:
    return Mode(name, line, Expect("interrupted", kind, "", text, 1, waits_on))


def _fail(name: str, line: str, *, kind: str, waits_on: str = "", hits: int = 0) -> Mode:
    return Mode(name, line, Expect("failed", kind, "", "none", hits or TRIES.get(kind, 1), waits_on))


_ALL = (
    # the answer is whole, its telling is unusual
    _done("ok", "a plain answer with a usage chunk"),
    _done("no_usage", "usage never comes, even when asked for"),
    _done("usage_before_finish", "the usage chunk comes before the finish_reason"),
    _done("usage_twice", "two usage chunks, the first wrong: the last wins"),
    _done("usage_huge", "usage claims 10^12 tokens"),
    _done("usage_negative", "usage claims negative tokens"),
    _done("usage_string", "usage counts are words"),
    _done("slow_first_byte", "nothing at all for 1.5 s (or ttft), then a plain answer"),
    _done("split_utf8", "characters of several bytes are cut between writes"),
    _done("mixed_newlines", "CRLF, LF and CR take turns as line ends"),
    _done("bom", "the stream begins with a byte order mark"),
    _done("multiline_data", "one event's JSON is spread over several data lines"),
    _done("data_no_space", "`data:` without the space after it"),
    _done("duplicate_finish", "finish_reason twice, stop and then length: the first wins"),
    _done("text_after_finish", "more text after the finish_reason: not part of the answer"),
    _done("two_done", "[DONE] twice"),
    _done("empty_choices", "chunks with an empty list of choices in mid-answer"),
    _done("index_one", "text of a second choice (index 1) in between: not part of the answer"),
    _done("null_delta", "delta null and content null in mid-answer"),
    _done("role_only_then_text", "several chunks with a role and no text first"),
    _done("reasoning", "reasoning_content before the answer: kept apart"),
    _done("reasoning_field", "the same in a field called reasoning"),
    _done("tool_delta", "a tool call that nobody asked for, in mid-answer"),
    _done("nul", "NUL characters in the text: taken out or replaced, the rest is whole", text="odd"),
    _done("surrogate", "half a surrogate pair in the text: taken out or replaced, the rest is whole", text="odd"),
    _done("zero_width", "1 MB of zero-width characters in mid-answer", text="odd"),
    _done("rtl", "right-to-left overrides in mid-answer", text="odd"),
    _done("model_differs", "the chunks name another model than the one asked"),
    _done("duplicate_id", "every answer has the same id"),
    _done("created_zero", "created is 0"),
    _done("bills_on", "goes on billing after the client has left"),
    _done("finish_length", "stops with finish_reason length", finish="length"),
    _done("finish_filter", "stops with finish_reason content_filter", finish="content_filter"),
    # the first try is refused, the next is answered
    _done("rate_limit_1", "429 with Retry-After 1, once", hits=2),
    _done("rate_limit_ms", "429 with retry-after-ms 200, once", hits=2),
    _done("rate_limit_date", "429 with Retry-After as a date 2 s ahead, once", hits=2),
    _done("rate_limit_once", "429 without a hint, once", hits=2),
    _done("err500_once", "500, once", hits=2),
    _done("close_once", "closes before any header, once", hits=2),
    # something breaks after text was shown
    _cut("stall", "text, then silence", kind="stalled", waits_on="stall"),
    _cut("keepalive_forever", "text, then comment lines for ever", kind="stalled", waits_on="stall"),
    _cut("role_forever", "text, then chunks without content for ever", kind="stalled", waits_on="stall"),
    _cut("drip_bytes", "text, then one byte of an event every half second", kind="stalled", waits_on="stall"),
    _cut("drip", "one word after the other, never an end", kind="deadline", text="odd", waits_on="deadline"),
    _cut("eof_no_finish", "a clean end of the chunked body without finish_reason or [DONE]"),
    _cut("eof_no_finish_close", "the same with Connection: close and no length"),
    _cut("done_no_finish", "[DONE] without a finish_reason"),
    _cut("cut_json", "an event ends in the middle of its JSON, then a clean end"),
    _cut("incomplete_chunked", "the connection ends inside a chunk"),
    _cut("reset", "the connection is reset (RST)"),
    _cut("bad_json", "an event that is not JSON; the rest follows as if nothing were", kind="bad_stream"),
    _cut("bad_utf8", "an event with bytes that are not UTF-8; the rest follows", kind="bad_stream"),
    _cut("unknown_object", "an object of an unknown kind, then [DONE]", kind="bad_stream"),
    _cut("error_event", "an error object in the stream, then [DONE]", kind="server_error"),
    _cut("error_event_other", "`event: error` with a shape of its own, then [DONE]", kind="server_error"),
    _cut("huge_total", "events of 48 kB that add up to 12 MB", kind="too_large", text="odd"),
    # no answer ever begins
    _fail("no_response", "accepts the request and says nothing", kind="first_byte_timeout", waits_on="first_byte"),
    _fail("slow_headers", "header bytes for ever, ten a second", kind="first_byte_timeout", waits_on="first_byte"),
    _fail("close_before_headers", "closes the connection before any header", kind="unreachable"),
    _fail("error_event_first", "an error object in the stream before any text", kind="server_error"),
    _fail("html_200", "a login page with status 200", kind="not_a_stream"),
    _fail("json_200", "a whole chat.completion where a stream was asked for", kind="not_a_stream"),
    _fail("gzip_bomb", "1 GB of one line in 1 MB of gzip", kind="too_large"),
    _fail("huge_line", "a single line of 64 MB", kind="too_large"),
    _fail("rate_limit_500", "429 with Retry-After 500: longer than anyone waits", kind="rate_limit", hits=1),
    _fail("rate_limit_none", "429 without a hint, always", kind="rate_limit"),
    _fail("no_credit", "429 insufficient_quota", kind="no_credit"),
    _fail("billing_402", "402", kind="no_credit"),
    _fail("err500", "500, always", kind="server_error"),
    _fail("err502", "502 with an HTML page, always", kind="server_error"),
    _fail("err503", "503, always", kind="server_error"),
    _fail("err504", "504, always", kind="server_error"),
    _fail("err529", "529 overloaded, always", kind="server_error"),
    _fail("err408", "408, always", kind="server_error"),
    _fail("err409", "409, always", kind="server_error"),
    _fail("redirect_other", "307 to another host", kind="redirect"),
    _fail("redirect_metadata", "302 to the address of cloud metadata", kind="redirect"),
    _fail("e400", "400", kind="bad_request"),
    _fail("e400_context", "400 context_length_exceeded", kind="context_too_long"),
    _fail("e400_filter", "400 content_policy_violation", kind="content_filter"),
    _fail("e401", "401 invalid_api_key", kind="bad_key"),
    _fail("e403", "403", kind="bad_key"),
    _fail("e404", "404 model_not_found", kind="model_gone"),
    _fail("e413", "413", kind="context_too_long"),
    _fail("e422", "422", kind="bad_request"),
)
MODES: dict[str, Mode] = {mode.name: mode for mode in _ALL}
PREFIX = "chaos-"
STRIKES_AT = 5  # tokens shown before a mode strikes, unless `at=` says otherwise
