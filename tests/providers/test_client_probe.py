"""The probe finds the dialect that a picky server understands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from providers import calls, client, client_probe
from providers.endpoints import Dialect, Endpoint, ProbeResult
from providers.failures import Failure, Kind
from providers.simulator.process import Simulator
from tests.providers.raw_server import HEAD, serving, whole_request

Judge = Callable[[dict[str, Any]], str]
"""What is wrong with a request body, "" if nothing."""


def probe_against(judge: Judge, *, obeys: str = "", dialect: Dialect | None = None) -> ProbeResult:
    """Probes a server that refuses what `judge` dislikes and keeps to the limit only under the name `obeys`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.loads((await whole_request(reader)).partition(b"\r\n\r\n")[2])
        if wrong := judge(body):
            error = json.dumps({"error": {"message": wrong, "type": "invalid_request_error"}}).encode()
            head = f"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: {len(error)}\r\n\r\n"
            writer.write(head.encode() + error)
            return
        finish = "length" if obeys in body else "stop"
        chunk = {"choices": [{"delta": {"content": "1 2 3"}, "finish_reason": finish}]}
        writer.write(HEAD + b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n")

    async def work() -> ProbeResult:
        async with serving(serve) as endpoint:
            asked = Endpoint(base_url=endpoint.base_url, dialect=dialect or Dialect())
            try:
                return await client_probe.probe(asked, model="m", total_s=5)
            finally:
                await client.close_all()

    return asyncio.run(work())


def test_the_older_name_of_the_limit_is_found() -> None:
    found = probe_against(lambda body: "unknown" if "max_completion_tokens" in body else "", obeys="max_tokens")
    assert found.dialect == Dialect(max_tokens_field="max_tokens")
    assert found.honours_limit


def test_a_name_that_is_only_ignored_loses_against_one_that_is_obeyed() -> None:
    found = probe_against(lambda body: "", obeys="max_tokens")
    assert found.dialect == Dialect(max_tokens_field="max_tokens")


def test_a_server_that_obeys_no_limit_is_told_so() -> None:
    found = probe_against(lambda body: "", obeys="nothing")
    assert (found.dialect, found.honours_limit) == (Dialect(), False)


def test_a_server_without_counts_and_without_system_role_is_understood() -> None:
    def judge(body: dict[str, Any]) -> str:
        roles = {message["role"] for message in body["messages"]}
        return "no" if "stream_options" in body or "system" in roles else ""

    found = probe_against(judge, obeys="max_completion_tokens")
    assert found.dialect == Dialect(usage_in_stream=False, system_role="user")


def test_one_that_refuses_everything_carries_its_failure() -> None:
    found = probe_against(lambda body: "no")
    assert found.dialect is None
    assert found.failure is not None
    assert found.failure.kind == "bad_request"


def test_from_code_without_a_loop_it_ends_within_its_limit(simulator: Simulator) -> None:
    endpoint = Endpoint(base_url=simulator.base_url)
    assert calls.probe(endpoint, model="demo").dialect is not None
    found = calls.probe(endpoint, model="chaos-no_response", limit_s=0.5)
    assert found.failure is not None
    assert found.failure.kind == "first_byte_timeout"


def test_a_list_that_is_none_is_a_failure(simulator: Simulator) -> None:
    with pytest.raises(Failure) as caught:
        calls.list_models(Endpoint(base_url=simulator.origin), limit_s=2)
    assert caught.value.kind == Kind.MODEL_GONE
