"""The client against every chaos mode over real sockets; and what goes over the wire."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from providers.client import ChatRequest, Endpoint, Failure, Finished, Limits, Reasoning, Text, close_all, stream
from providers.client_sse import Reader
from providers.simulator import answers
from providers.simulator.modes import MODES, Mode
from providers.simulator.process import Simulator
from tests.providers.raw_server import ANSWER, HEAD, serving, whole_request

SHORT = Limits(connect_s=1, first_byte_s=0.6, gap_s=0.4)
PATIENT = Limits(connect_s=2, first_byte_s=10, gap_s=10)
TOTAL_S = 2.5


class Told:
    """What a stream has told until it ended."""

    def __init__(self) -> None:
        self.text = ""
        self.reasoning = ""
        self.finished: Finished | None = None
        self.failure: Failure | None = None
        self.late = False

    @property
    def kind(self) -> str:
        return "deadline" if self.late else self.failure.kind.value if self.failure else ""


async def tell(endpoint: Endpoint, question: str, *, model: str = "demo", limits: Limits = PATIENT) -> Told:
    told = Told()
    request = ChatRequest(model=model, messages=[{"role": "user", "content": question}], max_tokens=1000)
    try:
        async with (
            asyncio.timeout(TOTAL_S if limits is SHORT else 20),
            contextlib.aclosing(stream(endpoint, request=request, limits=limits)) as events,
        ):
            async for event in events:
                assert told.finished is None, "something came after the end"
                if isinstance(event, Text):
                    told.text += event.text
                elif isinstance(event, Reasoning):
                    told.reasoning += event.text
                else:
                    told.finished = event
    except Failure as failure:
        told.failure = failure
    except TimeoutError:
        told.late = True
    return told


def run(work: Callable[[], Coroutine[Any, Any, Told]], *, loop: Callable[[], asyncio.AbstractEventLoop]) -> Told:
    async def closing() -> Told:
        try:
            return await work()
        finally:
            await close_all()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(closing())


def on_uvloop(work: Callable[[], Coroutine[Any, Any, Told]]) -> Told:
    return run(work, loop=uvloop.new_event_loop)


ODD = {"nul": "\x00", "surrogate": "\ud800"}


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)
def test_each_chaos_mode_ends_as_declared(simulator: Simulator, mode: Mode) -> None:
    endpoint = Endpoint(base_url=simulator.base_url)
    question = f"[[sim seed=client-{mode.name} gap=0]] hello"
    limits = PATIENT if mode.name == "slow_first_byte" else SHORT
    told = on_uvloop(lambda: tell(endpoint, question, model=f"chaos-{mode.name}", limits=limits))
    whole = answers.text_for(f"client-{mode.name}")
    expect = mode.expect
    if expect.state == "done" and expect.hits > 1:  # refused first, answered at the second asking
        assert told.failure is not None
        assert told.text == ""
        told = on_uvloop(lambda: tell(endpoint, question, model=f"chaos-{mode.name}"))
    assert told.kind == expect.kind
    if expect.state == "done":
        assert told.finished is not None
        assert told.finished.reason == expect.finish
    else:
        assert told.finished is None
    if expect.text == "whole":
        assert told.text == whole
    elif expect.text == "prefix":
        assert told.text == answers.text_for(f"client-{mode.name}", tokens=5)
    elif expect.text == "none":
        assert told.text == ""
    assert "\x00" not in told.text
    told.text.encode()  # raises if half of a pair is in it
    if mode.name in ODD:
        assert told.text.replace("\ufffd", "") == whole


@pytest.mark.parametrize(
    ("mode", "usage", "odd"),
    [
        ("ok", True, False),
        ("usage_twice", True, False),
        ("no_usage", False, False),
        ("usage_huge", False, True),
        ("usage_negative", False, True),
        ("usage_string", False, True),
    ],
)
def test_only_counts_that_can_be_true_are_believed(simulator: Simulator, mode: str, usage: bool, odd: bool) -> None:
    endpoint = Endpoint(base_url=simulator.base_url)
    told = on_uvloop(lambda: tell(endpoint, "[[sim seed=u n=9]] hi", model=f"chaos-{mode}"))
    assert told.finished is not None
    assert (told.finished.usage is not None, told.finished.odd) == (usage, odd)
    if told.finished.usage is not None:
        assert told.finished.usage.output_tokens == 9


def test_reasoning_is_kept_apart(simulator: Simulator) -> None:
    endpoint = Endpoint(base_url=simulator.base_url)
    told = on_uvloop(lambda: tell(endpoint, "[[sim seed=r]] hi", model="chaos-reasoning"))
    assert told.reasoning == "".join(answers.reasoning_for("r"))
    assert told.text == answers.text_for("r")


def test_it_works_on_the_standard_loop_too(simulator: Simulator) -> None:
    endpoint = Endpoint(base_url=simulator.base_url)
    told = run(lambda: tell(endpoint, "[[sim seed=s]] hi", model="chaos-ok"), loop=asyncio.new_event_loop)
    assert told.text == answers.text_for("s")


def test_nobody_there_is_unreachable_and_was_not_dispatched() -> None:
    told = on_uvloop(lambda: tell(Endpoint(base_url="http://127.0.0.1:9/v1"), "hi"))
    assert told.failure is not None
    assert (told.kind, told.failure.dispatched) == ("unreachable", False)


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://169。254。169。254/v1",
        "ftp://x/v1",
    ],
)
def test_a_refused_address_is_never_called(address: str) -> None:
    told = on_uvloop(lambda: tell(Endpoint(base_url=address), "hi"))
    assert told.failure is not None
    assert told.failure.detail.startswith("address:")


def test_a_private_address_in_other_signs_is_refused_too(simulator: Simulator) -> None:
    disguised = simulator.base_url.replace("127.0.0.1", "127。0。0。1")
    assert on_uvloop(lambda: tell(Endpoint(base_url=disguised), "hi")).text
    told = on_uvloop(lambda: tell(Endpoint(base_url=disguised, allow_private=False), "hi"))
    assert (told.kind, told.text) == ("unreachable", "")


@pytest.mark.parametrize("proxy", ["http://169.254.169.254", "http://["])
def test_a_refused_proxy_is_never_called(proxy: str) -> None:
    told = on_uvloop(lambda: tell(Endpoint(base_url="http://models.example/v1", proxy=proxy), "hi"))
    assert told.failure is not None
    assert told.failure.detail.startswith("address:")


def test_a_private_address_is_refused_where_the_setting_says_so(simulator: Simulator) -> None:
    by_number = Endpoint(base_url=simulator.base_url, allow_private=False)
    assert on_uvloop(lambda: tell(by_number, "hi")).kind == "unreachable"


def test_a_key_that_no_header_can_carry_is_a_bad_key_and_is_not_quoted(simulator: Simulator) -> None:
    told = on_uvloop(lambda: tell(Endpoint(base_url=simulator.base_url, key="sk-ключ\n"), "hi"))
    assert told.failure is not None
    assert told.kind == "bad_key"
    assert "ключ" not in str(told.failure)


def test_closing_the_iterator_ends_the_connection_at_once() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(HEAD + b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n')
        await reader.read()
        gone.set()

    async def work() -> Told:
        async with serving(serve) as endpoint:
            request = ChatRequest(model="m", messages=[], max_tokens=5)
            events = stream(endpoint, request=request, limits=PATIENT)
            assert await anext(events) == Text("a")
            began = time.monotonic()
            await events.aclose()
            await asyncio.wait_for(gone.wait(), 1)
            assert time.monotonic() - began < 0.5
        return Told()

    on_uvloop(work)


def test_what_goes_over_the_wire_is_ours_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OPENAI_ORG_ID": "org-canary",
        "OPENAI_PROJECT_ID": "proj-canary",
        "OPENAI_CUSTOM_HEADERS": "X-Canary: canary",
        "OPENAI_API_KEY": "sk-canary",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await whole_request(reader))
        writer.write(ANSWER)

    async def work() -> Told:
        async with serving(serve) as endpoint:
            return await tell(endpoint, "hi")

    told = on_uvloop(work)
    assert told.text == "a"
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert b"canary" not in seen[0]
    assert b"openai-organization" not in head.lower()
    assert b"authorization: bearer sk-test" in head.lower()
    assert body == (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,'
        b'"max_completion_tokens":1000,"stream_options":{"include_usage":true}}'
    ).replace(b'"m"', b'"demo"')


def test_a_proxy_is_used_where_the_endpoint_names_one() -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await whole_request(reader))
        writer.write(ANSWER)

    async def work() -> Told:
        async with serving(proxy) as near:
            address = near.base_url.removesuffix("/v1").replace("http://", "http://user:pass@")
            return await tell(Endpoint(base_url="http://models.example/v1", key="k", proxy=address), "hi")

    assert on_uvloop(work).text == "a"
    assert seen[0].startswith(b"POST http://models.example/v1/chat/completions HTTP/1.1")
    assert b"proxy-authorization: basic dxnlcjpwyxnz" in seen[0].lower()


def test_a_socks_proxy_resolves_the_name_itself() -> None:
    pytest.importorskip("aiohttp_socks")
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _version, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        head = await reader.readexactly(5)
        asked.append(head[3:4] + await reader.readexactly(head[4] + 2))
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")
        await whole_request(reader)
        writer.write(ANSWER)

    async def work() -> Told:
        async with serving(proxy) as near:
            address = near.base_url.removesuffix("/v1").replace("http://", "socks5://")
            return await tell(Endpoint(base_url="http://models.example/v1", key="k", proxy=address), "hi")

    assert on_uvloop(work).text == "a"
    assert asked == [b"\x03models.example\x00\x50"]


def test_a_certificate_file_that_is_missing_is_said() -> None:
    endpoint = Endpoint(base_url="https://127.0.0.1:9/v1", ca_bundle="/nowhere.pem")
    told = on_uvloop(lambda: tell(endpoint, "hi"))
    assert told.failure is not None
    assert told.failure.detail == "CA_BUNDLE: FileNotFoundError"


def test_a_finished_answer_does_not_wait_long_for_a_stream_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.client_watch.TAIL_S", 0.2)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(HEAD + b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
        while not writer.is_closing():
            writer.write(b": still here\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def work() -> Told:
        async with serving(serve) as endpoint:
            return await tell(endpoint, "hi")

    began = time.monotonic()
    told = on_uvloop(work)
    assert told.finished is not None
    assert time.monotonic() - began < 2


def test_the_gap_is_watched_from_the_first_word_even_when_it_is_shorter(simulator: Simulator) -> None:
    limits = Limits(first_byte_s=30, gap_s=0.3)
    endpoint = Endpoint(base_url=simulator.base_url)
    began = time.monotonic()
    told = on_uvloop(lambda: tell(endpoint, "[[sim seed=g]] hi", model="chaos-stall", limits=limits))
    assert told.kind == "stalled"
    assert time.monotonic() - began < 3


def test_the_reader_is_the_one_that_the_client_uses(monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> None:
    monkeypatch.setattr(Reader, "feed", lambda self, chunk: [])
    told = on_uvloop(lambda: tell(Endpoint(base_url=simulator.base_url), "hi"))
    assert told.kind == "cut_off"


def test_questions_one_after_the_other_share_a_connection() -> None:
    connections: list[int] = []
    body = ANSWER.partition(b"\r\n\r\n")[2]
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await whole_request(reader)
                connections[-1] += 1
                writer.write(head + body)

    async def work() -> Told:
        async with serving(serve) as endpoint:
            for _ in range(3):
                told = await tell(endpoint, "hi")
                assert told.text == "a"
            await close_all()
        return told

    on_uvloop(work)
    assert connections == [3]


def test_an_end_that_follows_the_last_event_late_still_leaves_the_connection_for_the_next_question() -> None:
    connections: list[int] = []
    body = ANSWER.partition(b"\r\n\r\n")[2]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await whole_request(reader)
                connections[-1] += 1
                writer.write(head + b"%x\r\n%s\r\n" % (len(body), body))
                await asyncio.sleep(0.05)
                writer.write(b"0\r\n\r\n")

    async def work() -> Told:
        async with serving(serve) as endpoint:
            for _ in range(3):
                told = await tell(endpoint, "hi")
                assert told.text == "a"
                await asyncio.sleep(0.3)
            await close_all()
        return told

    on_uvloop(work)
    assert connections == [3]
