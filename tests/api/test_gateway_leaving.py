"""Who leaves while nothing is being done for her pays for nothing that was not done, and takes the provider from nobody else."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.api.gateway_site import Gateway, Half, running, said

pytestmark = pytest.mark.chaos
MODEL = """
from providers.models import LanguageModel, ModelRoute, Provider
slug, port = given
provider = Provider.objects.create(name=slug, base_url=f"http://127.0.0.1:{port}/v1")
model = LanguageModel.objects.create(slug=slug, name=slug, enabled=True, position=9)
ModelRoute.objects.create(model=model, provider=provider, upstream_name="demo", position=0)
"""
TRIAL = """
import datetime as dt
from accounts.clock import now
from providers.models import Provider, ProviderState
ProviderState.objects.all().delete()
ProviderState.objects.create(provider=Provider.objects.get(source="simulator"), circuit="open", failures=5, openings=1,
    reason="unreachable", opened_at=now(), retry_at=now() - dt.timedelta(seconds=1))
"""
CIRCUITS = (
    "from providers.models import ProviderState\nanswer = list(ProviderState.objects.values_list('circuit', flat=True))"
)
LEDGER = """
from usage.models import LedgerEntry
answer = list(LedgerEntry.objects.filter(person=given).order_by("pk").values_list("kind", "input_tokens", "output_tokens"))
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(
        tmp_path_factory.mktemp("leaving") / "site", RETRY_SCALE="1", FIRST_BYTE_S="10", CONNECT_S="8", DEADLINE_S="20"
    ) as found:
        yield found


@contextmanager
def provider(answer: bytes, *, status: int, then_hang: bool = False, **headers: str) -> Iterator[tuple[int, list[str]]]:
    """A provider that answers so, every time; its port, and what it was asked. `then_hang`: it goes silent after the answer."""
    asked: list[str] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            if not then_hang:
                self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()
            asked.append(self.path)
            if then_hang:
                over.wait(15)
                self.close_connection = True

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def begun(gateway: Gateway, body: dict[str, Any], *, key: str) -> socket.socket:
    """A request that was sent and whose answer nobody reads."""
    raw = json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(raw)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", gateway.site.parts["web0"].port))
    connection.sendall(head.encode() + raw)
    return connection


def until(what: Any, *, within: float = 5) -> None:
    end = time.monotonic() + within
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_in_the_pause_after_a_refusal_costs_nothing(gateway: Gateway, *, stream: bool) -> None:
    person, key = gateway.person()
    with provider(b'{"error": {"message": "no"}}', status=429, retry_after="4") as (port, asked):
        gateway.site.django(MODEL, [f"busy-{stream}".lower(), port])
        caller = begun(gateway, said("hello " * 400, stream=stream) | {"model": f"busy-{stream}".lower()}, key=key)
        until(lambda: asked)
        time.sleep(0.5)
        caller.close()
        found = gateway.rows(person, calls=1)
        assert len(asked) == 1
    (call,) = found["calls"]
    assert (call["outcome"], call["attempts"], call["input_tokens"], call["output_tokens"]) == ("cancelled", 1, 0, 0)
    assert (gateway.site.django(LEDGER, person.uuid), found["held"], found["drifts"]) == ([], 0, [])


def test_leaving_in_the_pause_after_a_request_that_may_be_billed_counts_it_once(gateway: Gateway) -> None:
    person, key = gateway.person()
    with provider(b"", status=200, content_type="text/event-stream") as (port, asked):
        gateway.site.django(MODEL, ["empty", port])
        caller = begun(gateway, said("hello " * 400, stream=True) | {"model": "empty"}, key=key)
        until(lambda: asked)
        while len(asked) == 1 and not gateway.site.django(LEDGER, person.uuid):
            time.sleep(0.05)
        caller.close()
        found = gateway.rows(person, calls=1)
        requests = len(asked)
    entries = gateway.site.django(LEDGER, person.uuid)
    assert len(entries) == requests, (entries, requests)
    assert all(given > 0 for _kind, given, _answered in entries)
    assert (found["held"], found["drifts"]) == (0, [])


def test_leaving_before_there_is_a_connection_costs_nothing(gateway: Gateway) -> None:
    person, key = gateway.person()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]  # its queue is full: nobody else is connected
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        gateway.site.django(MODEL, ["hole", full.getsockname()[1]])
        caller = begun(gateway, said("hello " * 400) | {"model": "hole"}, key=key)
        time.sleep(1.5)
        caller.close()
        found = gateway.rows(person, calls=1)
        for each in waiting:
            each.close()
    assert [(call["outcome"], call["input_tokens"]) for call in found["calls"]] == [("cancelled", 0)]
    assert (gateway.site.django(LEDGER, person.uuid), found["held"], found["drifts"]) == ([], 0, [])


def test_a_count_of_nothing_before_the_words_is_not_believed_when_the_caller_leaves(gateway: Gateway) -> None:
    person, key = gateway.person()
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": zero}]
    chunks += [{"choices": [{"index": 0, "delta": {"content": "hello there "}}]}] * 100
    answer = b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    with provider(answer, status=200, then_hang=True, content_type="text/event-stream") as (port, _asked):
        gateway.site.django(MODEL, ["zeros", port])
        caller = Half(gateway, said("hello " * 400, stream=True) | {"model": "zeros"}, key=key)
        caller.events(100)
        caller.leave()
        found = gateway.rows(person, calls=1)
    (call,) = found["calls"]
    assert (call["outcome"], call["estimated"]) == ("cancelled", True)
    assert call["input_tokens"] > 300
    assert call["output_tokens"] > 100
    assert (found["held"], found["drifts"]) == (0, [])


@pytest.mark.parametrize("words", [True, False])
def test_who_leaves_a_circuits_trial_takes_the_provider_from_nobody(gateway: Gateway, *, words: bool) -> None:
    _person, key = gateway.person()
    _other, second = gateway.person()
    gateway.site.django(TRIAL)
    if words:
        caller = Half(gateway, said("[[sim seed=trial n=2000 gap=10]]", stream=True), key=key)
        caller.events(5)
        caller.leave()
    else:
        connection = begun(gateway, said("[[sim seed=mute n=5 ttft=5000]]", stream=True), key=key)
        until(lambda: gateway.asked("mute"))
        connection.close()
    gateway.rows(_person, calls=1)
    reply = gateway.call("POST", "/chat/completions", said("[[sim n=3]]"), key=second)
    assert reply.status == 200, reply.text
    assert gateway.site.django(CIRCUITS) == ["closed"]


def test_what_cannot_be_written_again_is_the_callers_fault_and_holds_nothing(gateway: Gateway) -> None:
    person, key = gateway.person()
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    reply = gateway.call("POST", "/chat/completions", said("hello") | {"foo": deep}, key=key)
    assert (reply.status, reply.json()["error"]["code"]) == (400, "malformed_json")
    found = gateway.rows(person, calls=1)
    assert [(call["outcome"], call["error_kind"], call["input_tokens"]) for call in found["calls"]] == [
        ("failed", "bad_request", 0)
    ]
    assert (found["held"], gateway.site.django(LEDGER, person.uuid)) == (0, [])
