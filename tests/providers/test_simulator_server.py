"""The simulator as a server: routes, the bill, clients that leave or read slowly, many at once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.simulator import answers, journal
from providers.simulator.modes import MODES
from providers.simulator.process import ROOT, Simulator, running
from tests.providers.simulator_ask import Heard, chat_request, hear, judge, read_answer


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with running(journal=tmp_path_factory.mktemp("bill") / "journal.jsonl") as started:
        yield started


def get(simulator: Simulator, path: str, *, fields: str = "") -> Heard:
    return asyncio.run(hear(simulator, f"GET {path} HTTP/1.1\r\nHost: sim\r\n{fields}\r\n".encode()))


def stats(simulator: Simulator) -> dict[str, int]:
    found: dict[str, int] = json.loads(get(simulator, "/stats").body)
    return found


def bill(simulator: Simulator, seed: str) -> journal.Entry:
    return next(entry for entry in journal.read(simulator.journal) if entry.seed == seed)


def wait_for(true: Callable[[], bool], *, limit: float = 5.0) -> None:
    until = time.monotonic() + limit
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def test_models_lists_demo_every_mode_and_some_that_cannot_chat(simulator: Simulator) -> None:
    heard = get(simulator, "/v1/models")
    names = [each["id"] for each in json.loads(heard.body)["data"]]
    assert names[0] == "demo"
    assert {f"chaos-{mode}" for mode in MODES} < set(names)
    assert "text-embedding-sim" in names


def test_an_unknown_model_and_an_unknown_path_are_404(simulator: Simulator) -> None:
    heard = asyncio.run(hear(simulator, chat_request("hi", model="gpt-nothing")))
    assert (heard.status, json.loads(heard.body)["error"]["code"]) == (404, "model_not_found")
    assert get(simulator, "/v1/nothing").status == 404
    assert get(simulator, "/health").status == 200


def test_a_key_is_demanded_only_when_one_was_given() -> None:
    with running(key="sk-right") as closed:
        wrong = get(closed, "/v1/models", fields="Authorization: Bearer sk-wrong\r\n")
        assert (wrong.status, json.loads(wrong.body)["error"]["code"]) == (401, "invalid_api_key")
        assert get(closed, "/v1/models", fields="Authorization: Bearer sk-right\r\n").status == 200
        assert get(closed, "/health").status == 200


@pytest.mark.parametrize(
    "words", [b"nonsense\r\n\r\n", b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_not_http_is_answered_with_400(simulator: Simulator, words: bytes) -> None:
    assert asyncio.run(hear(simulator, words)).status == 400


def test_a_streamed_answer_has_the_shape_of_openais(simulator: Simulator) -> None:
    heard = asyncio.run(hear(simulator, chat_request("[[sim seed=shape n=2]]")))
    lines = heard.body.decode().strip().split("\n\n")
    chunks: list[dict[str, Any]] = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert lines[-1] == "data: [DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert [each["delta"] for chunk in chunks for each in chunk["choices"]] == [
        {"role": "assistant", "content": ""},
        *({"content": token} for token in answers.tokens_for("shape", tokens=2)),
        {},
    ]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"]) == ([], 2)


def test_usage_comes_only_when_it_is_asked_for(simulator: Simulator) -> None:
    heard = asyncio.run(hear(simulator, chat_request("[[sim seed=u n=2]]", stream_options=None)))
    assert (judge(heard).finish, judge(heard).usage) == ("stop", [])


def test_an_answer_in_one_piece_says_the_same_as_a_stream(simulator: Simulator) -> None:
    heard = asyncio.run(hear(simulator, chat_request("[[sim seed=whole n=9 gap=1]]", stream=False, max_tokens=8)))
    body = json.loads(heard.body)
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == answers.text_for("whole", tokens=8)
    assert (body["choices"][0]["finish_reason"], body["usage"]["completion_tokens"]) == ("length", 8)


def test_a_tool_is_called_when_the_mark_names_one_that_was_offered(simulator: Simulator) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    verdict = judge(asyncio.run(hear(simulator, chat_request("[[sim seed=t tool=weather]]", tools=tools))))
    assert (verdict.finish, verdict.tools[0]["function"]["name"]) == ("tool_calls", "weather")
    assert json.loads("".join(each["function"]["arguments"] for each in verdict.tools)) == {"seed": "t"}
    unasked = judge(asyncio.run(hear(simulator, chat_request("[[sim seed=t n=3 tool=other]]", tools=tools))))
    assert (unasked.finish, unasked.tools) == ("stop", [])


def test_the_demo_speaks_at_reading_speed_and_says_that_no_model_is_connected(simulator: Simulator) -> None:
    async def first_words() -> tuple[float, bytes]:
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
        writer.write(chat_request("Is anybody there?"))
        start = time.monotonic()
        await reader.readuntil(b"\r\n\r\n")
        waited = time.monotonic() - start
        said = await reader.readuntil(b'"content":" yet.**"')
        writer.close()
        return waited, said

    waited, said = asyncio.run(first_words())
    assert 0.25 <= waited < 2
    assert said.count(b'"content":') == 1 + len(["**No", "model", "is", "connected", "yet.**"])


def test_gap_and_first_byte_keep_their_time(simulator: Simulator) -> None:
    start = time.monotonic()
    heard = asyncio.run(hear(simulator, chat_request("[[sim seed=pace n=20 gap=30 ttft=200]]")))
    assert judge(heard).text == answers.text_for("pace", tokens=20)
    assert 0.78 <= time.monotonic() - start < 2.5


def test_the_bill_says_what_was_asked_and_what_was_sent(simulator: Simulator) -> None:
    question = "[[sim seed=bill1 n=25 gap=0]] a secret question"
    heard = asyncio.run(hear(simulator, chat_request(question, max_tokens=99)))
    assert judge(heard).finish == "stop"
    entry = bill(simulator, "bill1")
    assert (entry.tokens, entry.ended, entry.model, entry.mode, entry.max_tokens) == (25, "done", "demo", "ok", 99)
    assert entry.prompt_tokens == judge(heard).usage[0]["prompt_tokens"] == answers.prompt_tokens([question])
    assert "secret" not in simulator.journal.read_text()


def test_prompts_are_kept_only_when_told_to(tmp_path: Path) -> None:
    with running(journal=tmp_path / "bill", keep_prompts=True) as keeping:
        asyncio.run(hear(keeping, chat_request("[[sim seed=kept n=1]] canary")))
        entry = bill(keeping, "kept")
    assert entry.body["messages"][0]["content"] == "[[sim seed=kept n=1]] canary"


def test_a_broken_answer_is_billed_up_to_its_break(simulator: Simulator) -> None:
    asyncio.run(hear(simulator, chat_request("[[sim seed=broke n=30 gap=0 mode=reset at=7]]")))
    asyncio.run(hear(simulator, chat_request("[[sim seed=refused n=30 mode=err503]]")))
    found = [(bill(simulator, seed).tokens, bill(simulator, seed).ended) for seed in ("broke", "refused")]
    assert found == [(7, "fault"), (0, "fault")]


async def leave_after(simulator: Simulator, *, question: str, words: int) -> None:
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
    writer.write(chat_request(question))
    for _ in range(words + 1):
        await reader.readuntil(b'"content":')
    writer.close()


def test_a_client_that_leaves_is_noticed_and_the_bill_stops(simulator: Simulator) -> None:
    before = stats(simulator)["aborted"]
    asyncio.run(leave_after(simulator, question="[[sim seed=left n=1000 gap=20]]", words=5))
    wait_for(lambda: bill(simulator, "left").ended != "")
    entry = bill(simulator, "left")
    assert entry.ended == "aborted"
    assert 5 <= entry.tokens < 100
    assert stats(simulator)["aborted"] == before + 1


def test_a_client_that_leaves_during_silence_is_noticed(simulator: Simulator) -> None:
    asyncio.run(hear(simulator, chat_request("[[sim seed=mute mode=no_response]]"), silence=0.2))
    wait_for(lambda: bill(simulator, "mute").ended == "aborted")


def test_bills_on_counts_the_whole_answer_after_the_client_left(simulator: Simulator) -> None:
    asyncio.run(leave_after(simulator, question="[[sim seed=on n=60 gap=5 mode=bills_on]]", words=3))
    wait_for(lambda: bill(simulator, "on").ended != "")
    assert (bill(simulator, "on").tokens, bill(simulator, "on").ended) == (60, "done")


def test_the_bill_survives_a_kill_of_the_simulator_up_to_what_was_accepted(tmp_path: Path) -> None:
    with running(journal=tmp_path / "bill") as killed:
        asyncio.run(leave_after(killed, question="[[sim seed=first n=9 gap=0]]", words=9))
        asyncio.run(hear(killed, chat_request("[[sim seed=second n=9 mode=stall]]"), silence=0.3))
        wait_for(lambda: bill(killed, "second").ended != "")
        asyncio.run(hear(killed, chat_request("[[sim seed=third n=9]]")))
        os.kill(killed.pid, signal.SIGKILL)
    with (tmp_path / "bill").open("ab") as book:
        book.write(b'{"event": "acc')
    found = [(entry.seed, entry.tokens) for entry in journal.read(tmp_path / "bill")]
    assert found == [("first", 9), ("second", 5), ("third", 9)]


def test_a_slow_reader_holds_the_answer_back_and_loses_nothing(simulator: Simulator) -> None:
    async def read_late() -> tuple[int, Heard]:
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port, limit=4096)
        writer.write(chat_request("[[sim seed=slow n=30 gap=0 mode=huge_total]]"))
        await asyncio.sleep(0.6)
        held = bill(simulator, "slow").ended
        heard = await read_answer(reader, silence=20)
        writer.close()
        return len(held), heard

    held, heard = asyncio.run(read_late())
    assert held == 0  # 12 MB do not fit into the buffers between us
    assert len(heard.body) > 12_000_000
    assert bill(simulator, "slow").tokens == 5 + 256


def test_several_requests_share_a_connection_also_when_sent_together(simulator: Simulator) -> None:
    async def both() -> list[str]:
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
        writer.write(chat_request("[[sim seed=p1 n=5]]") + chat_request("[[sim seed=p2 n=5]]"))
        texts = [judge(await read_answer(reader)).text for _ in range(2)]
        writer.write(chat_request("[[sim seed=p3 n=5]]"))
        texts.append(judge(await read_answer(reader)).text)
        writer.close()
        return texts

    assert asyncio.run(both()) == [answers.text_for(seed, tokens=5) for seed in ("p1", "p2", "p3")]


def test_a_request_in_small_pieces_or_in_chunks_is_read(simulator: Simulator) -> None:
    async def in_pieces(request: bytes) -> Heard:
        reader, writer = await asyncio.open_connection(simulator.host, simulator.port)
        for at in range(0, len(request), 7):
            writer.write(request[at : at + 7])
            await asyncio.sleep(0)
        heard = await read_answer(reader)
        writer.close()
        return heard

    plain = chat_request("[[sim seed=pieces n=4]]")
    body = plain.partition(b"\r\n\r\n")[2]
    start = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = start + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:9], body[9:])) + b"0\r\n\r\n"
    for request in (plain, chunked):
        assert judge(asyncio.run(in_pieces(request))).text == answers.text_for("pieces", tokens=4)


def test_two_hundred_streams_at_once_are_each_exact(simulator: Simulator) -> None:
    async def crowd() -> list[Heard]:
        asks = (hear(simulator, chat_request(f"[[sim seed=crowd{n} n=40 gap=25]]"), silence=30) for n in range(200))
        return await asyncio.gather(*asks)

    heard = asyncio.run(crowd())
    texts = [judge(each).text for each in heard]
    assert texts == [answers.text_for(f"crowd{n}", tokens=40) for n in range(200)]
    assert stats(simulator)["peak"] >= 150
    entries = [entry for entry in journal.read(simulator.journal) if entry.seed.startswith("crowd")]
    assert (len(entries), {(entry.tokens, entry.ended) for entry in entries}) == (200, {(40, "done")})
    assert stats(simulator)["active"] == 0


def test_it_starts_without_django_and_stops_at_sigterm(tmp_path: Path) -> None:
    code = "import sys, providers.simulator.server; sys.exit('django' in sys.modules)"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=clean, timeout=20).returncode == 0
    with running(journal=tmp_path / "bill") as stopped:
        os.kill(stopped.pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(stopped.pid, 0)[1]) == 0


def test_a_taken_port_is_said_in_one_line(simulator: Simulator) -> None:
    command = [sys.executable, "-m", "providers.simulator", "--port", str(simulator.port)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"cannot listen on 127.0.0.1:{simulator.port}" in ended.stderr
