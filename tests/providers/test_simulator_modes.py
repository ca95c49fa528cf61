"""Every mode is declared once, behaves once, and on the wire it is what its line says."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from providers.failures import Kind, most_tries
from providers.simulator import answers, faults, refusals, replies, server
from providers.simulator.modes import MODES, STRIKES_AT, Mode
from providers.simulator.process import Simulator, running
from tests.providers.simulator_ask import Heard, chat_request, hear, judge

SEED = "chaos"
WHOLE = answers.text_for(SEED, tokens=30)
SHOWN = answers.text_for(SEED, tokens=STRIKES_AT)
# Modes that need no table of behaviour: a plain answer, or one number elsewhere.
PLAIN = {"ok", "slow_first_byte", "bills_on", "error_event_first"}
REFUSED = {
    "rate_limit": {429},
    "no_credit": {429, 402},
    "server_error": {500, 502, 503, 504, 529, 408, 409},
    "redirect": {307, 302},
    "bad_request": {400, 422},
    "context_too_long": {400, 413},
    "content_filter": {400},
    "bad_key": {401, 403},
    "model_gone": {404},
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as started:
        yield started


def ask(simulator: Simulator, mode: str, *, seed: str = SEED, silence: float = 5) -> Heard:
    request = chat_request(f"[[sim seed={seed} n=30 gap=1]]", model=f"chaos-{mode}")
    return asyncio.run(hear(simulator, request, silence=silence))


def test_every_mode_has_exactly_one_behaviour() -> None:
    tables: list[Mapping[str, object]] = [
        faults.OPENINGS,
        faults.INSERTS,
        faults.BREAKS,
        faults.TAILS,
        faults.ENCODERS,
        faults.FIELDS,
    ]
    tables += [refusals.REFUSALS, replies.SPECIAL, server.ONCE]
    behaviours = [name for table in tables for name in table]
    assert sorted([*behaviours, *PLAIN]) == sorted(MODES)


@pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))
def test_every_expectation_is_a_possible_one(mode: Mode) -> None:
    expect = mode.expect
    assert expect.state in {"done", "failed", "interrupted"}
    assert (expect.kind == "") == (expect.state == "done") == (expect.finish != "")
    assert expect.text in {"done": {"whole", "odd"}, "interrupted": {"prefix", "odd"}, "failed": {"none"}}[expect.state]
    if expect.kind:
        assert expect.hits <= most_tries(Kind(expect.kind))


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.expect.state == "done"])
def test_a_strict_reader_gets_the_whole_answer(simulator: Simulator, name: str) -> None:
    expect = MODES[name].expect
    for _ in range(1, expect.hits):
        refused = ask(simulator, name)
        assert refused.status != 200
        assert judge(refused).finish == ""
    verdict = judge(ask(simulator, name))
    assert (verdict.broken, verdict.finish) == ("", expect.finish)
    if expect.text == "whole":
        assert verdict.text == WHOLE
    else:
        assert verdict.text.startswith(SHOWN)
        assert verdict.text.endswith(WHOLE[len(SHOWN) :])
        assert len(verdict.text) > len(WHOLE)


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.expect.state == "interrupted"])
def test_a_broken_answer_shows_its_beginning_and_never_looks_finished(simulator: Simulator, name: str) -> None:
    expect = MODES[name].expect
    heard = ask(simulator, name, silence=0.8 if expect.waits_on else 5)
    verdict = judge(heard)
    if expect.kind not in {"bad_stream", "too_large"}:
        assert verdict.text.startswith(SHOWN)
        assert verdict.finish == ""
    if expect.text == "prefix" and verdict.text:
        assert verdict.text == SHOWN
    seen = "silence" if expect.waits_on else verdict.broken or "cut_off"
    assert seen == ("silence" if expect.waits_on else expect.kind)


@pytest.mark.parametrize("name", [name for name, mode in MODES.items() if mode.expect.state == "failed"])
def test_a_failing_mode_never_gives_text(simulator: Simulator, name: str) -> None:
    expect = MODES[name].expect
    for _ in range(min(expect.hits, 2)):
        heard = ask(simulator, name, silence=0.6 if expect.waits_on else 8)
        assert failure_of(heard) == expect.kind or heard.status in REFUSED.get(expect.kind, set())


def failure_of(heard: Heard) -> str:
    if heard.end == "silence":
        return "first_byte_timeout"
    if heard.end == "closed":
        return "unreachable"
    if heard.status != 200:
        return f"status {heard.status}"
    if not heard.fields["content-type"].startswith("text/event-stream"):
        return "not_a_stream"
    if len(heard.body) > 4 << 20:
        return "too_large"
    return judge(heard).broken or "an answer"


def test_the_ends_of_the_connection_are_what_they_are_called(simulator: Simulator) -> None:
    ends = {
        name: ask(simulator, name, silence=0.6).end for name in ("reset", "incomplete_chunked", "stall", "cut_json")
    }
    assert ends == {"reset": "reset", "incomplete_chunked": "cut", "stall": "silence", "cut_json": "end"}
    assert ask(simulator, "eof_no_finish_close").fields.get("connection") == "close"
    assert "transfer-encoding" not in ask(simulator, "eof_no_finish_close").fields


def test_bytes_are_bent_as_promised(simulator: Simulator) -> None:
    assert ask(simulator, "bom").body.startswith(b"\xef\xbb\xbfdata: ")
    mixed = ask(simulator, "mixed_newlines").body
    assert b"\r\n\r\n" in mixed and b"}\n\n" in mixed and b"}\r\r" in mixed
    assert b"data: " not in ask(simulator, "data_no_space").body
    assert b"\ndata: ,\ndata: " in ask(simulator, "multiline_data").body
    assert b"\\ud800" in ask(simulator, "surrogate").body
    assert ask(simulator, "zero_width").body.count("\u200b".encode()) * 3 >= 1 << 20
    with pytest.raises(UnicodeDecodeError):
        ask(simulator, "bad_utf8").body.decode()


def test_reasoning_stands_apart_from_the_answer(simulator: Simulator) -> None:
    for name in ("reasoning", "reasoning_field"):
        assert judge(ask(simulator, name)).reasoning == "".join(answers.reasoning_for(SEED))


def test_usage_comes_as_the_mode_says(simulator: Simulator) -> None:
    counts = {name: [each["completion_tokens"] for each in judge(ask(simulator, name)).usage] for name in USAGE}
    assert counts == USAGE


USAGE: dict[str, list[object]] = {
    "ok": [30],
    "no_usage": [],
    "usage_before_finish": [30],
    "usage_twice": [1, 30],
    "usage_huge": [10**12],
    "usage_negative": [-7],
    "usage_string": ["few"],
}


def test_a_refusal_says_how_long_to_wait(simulator: Simulator) -> None:
    waits = {name: ask(simulator, name, seed="waits").fields.get("retry-after") for name in MODES if "rate_" in name}
    date = waits.pop("rate_limit_date")
    assert date is not None and date.endswith("GMT")
    assert waits == {
        "rate_limit_1": "1",
        "rate_limit_ms": None,
        "rate_limit_once": None,
        "rate_limit_500": "500",
        "rate_limit_none": None,
    }


def test_what_succeeds_afterwards_is_counted_for_each_seed(simulator: Simulator) -> None:
    statuses = [ask(simulator, "err500_once", seed=seed).status for seed in ("a", "b", "a", "b", "a")]
    assert statuses == [500, 500, 200, 200, 200]


def test_the_header_chooses_a_mode_and_the_mark_is_stronger(simulator: Simulator) -> None:
    by_header = chat_request("hello", fields="X-Sim-Mode: e404\r\n")
    by_mark = chat_request("hello [[sim mode=e413]]", fields="X-Sim-Mode: e404\r\n")
    assert asyncio.run(hear(simulator, by_header)).status == 404
    assert asyncio.run(hear(simulator, by_mark)).status == 413


def test_a_mode_strikes_where_it_is_told_to(simulator: Simulator) -> None:
    for at in (0, 1, 29):
        request = chat_request(f"[[sim seed={SEED} n=30 gap=0 mode=done_no_finish at={at}]]")
        assert judge(asyncio.run(hear(simulator, request))).text == answers.text_for(SEED, tokens=at)
