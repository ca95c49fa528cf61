"""However a call through /v1/ ends, it ends everywhere: upstream closed, hold settled once, the caller told. Over real sockets."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.gateway_site import Gateway, Half, events, header, running, said
from tests.processes import Reply

pytestmark = pytest.mark.chaos
SETTLE = "from accounts import clock\nfrom usage import recovery\nanswer = recovery.settle_expired(now=clock.now())"
CALM = "from providers.models import ProviderState\nProviderState.objects.all().delete()"
REVOKE = """
from accounts.models import ApiKey, User
user = User.objects.get(uuid=given)
ApiKey.objects.filter(user=user).update(revoked_at="2026-01-01T00:00:00Z")
"""
DEACTIVATE = "from accounts.models import User\nUser.objects.filter(uuid=given).update(is_active=False)"
SIGN_OUT = (
    "from accounts.models import LoginSession\nfrom accounts.clock import now\n"
    "LoginSession.objects.filter(user__uuid=given).update(ended_at=now())"
)
PLACES = (
    "from providers.models import Provider\nProvider.objects.filter(source='simulator').update(max_concurrency=given)"
)
TWO = """
from providers.models import LanguageModel, ModelRoute, Provider
dead = Provider.objects.create(name="Dead", base_url=f"http://127.0.0.1:{given}/v1")
model = LanguageModel.objects.create(slug="two", name="Two", enabled=True, position=5)
ModelRoute.objects.create(model=model, provider=dead, upstream_name="demo", position=0)
simulator = Provider.objects.get(source="simulator")
ModelRoute.objects.create(model=model, provider=simulator, upstream_name="demo", position=1)
"""
LONG = "from providers.models import LanguageModel\nLanguageModel.objects.filter(slug='demo').update(max_output_tokens=200_000)"
ENDLESS = "[[sim seed={} n=20000 gap=10]]"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("ends") / "site"
    with running(
        folder, READER_STALL_S="1", WEB_DRAIN_S="3", GATEWAY_BODY_MB="1", DEADLINE_S="6", FIRST_BYTE_S="1", GAP_S="0.6"
    ) as found:
        yield found


@pytest.fixture(autouse=True)
def calm(gateway: Gateway) -> Iterator[None]:
    """No circuit stays open for the next test."""
    yield
    gateway.site.django(CALM)


def streamed(gateway: Gateway, text: str, *, key: str) -> Reply:
    return gateway.call("POST", "/chat/completions", said(text, stream=True), key=key)


# --- what the provider does -----------------------------------------------------------------------------------------------

BREAKS = {
    "reset": "cut_off",
    "stall": "stalled",
    "bad_json": "bad_stream",
    "error_event": "server_error",
    "drip": "deadline",
}
REFUSES = {
    "no_response": (504, "first_byte_timeout"),
    "gzip_bomb": (502, "too_large"),
    "html_200": (502, "not_a_stream"),
}
REFUSES |= {"redirect_metadata": (502, "redirect"), "no_credit": (502, "no_credit")}


def test_a_stream_that_breaks_off_ends_with_an_error_event_and_is_charged(gateway: Gateway) -> None:
    person, key = gateway.person()
    for mode, kind in BREAKS.items():
        reply = streamed(gateway, f"[[sim seed=break-{mode} mode={mode} n=30 gap=1]]", key=key)
        *chunks, last = events(reply.body)
        assert reply.status == 200 and len(chunks) >= 5, mode
        assert (last["error"]["code"], bool(last["error"]["message"])) == (kind, True), last
        assert last["error"].keys() == {"message", "type", "param", "code"}
        gateway.site.django(CALM)
    found = gateway.rows(person, calls=len(BREAKS))
    assert [(call["outcome"], call["error_kind"]) for call in found["calls"]] == [
        ("interrupted", kind) for kind in BREAKS.values()
    ]
    assert all(call["estimated"] and call["input_tokens"] and call["output_tokens"] for call in found["calls"])
    assert (found["held"], found["drifts"]) == (0, [])


def test_what_never_begins_is_an_error_with_a_status_and_leaves_no_hold(gateway: Gateway) -> None:
    person, key = gateway.person()
    for mode, (status, code) in REFUSES.items():
        reply = streamed(gateway, f"[[sim seed=refuse-{mode} mode={mode} n=5 gap=1]]", key=key)
        assert (reply.status, reply.json()["error"]["code"]) == (status, code), (mode, reply.text)
        assert (header(reply, "x-should-retry") == "false") == (code in ("redirect", "no_credit"))
        gateway.site.django(CALM)
    found = gateway.rows(person, calls=len(REFUSES))
    assert {call["outcome"] for call in found["calls"]} <= {"failed", "interrupted"}
    assert (found["held"], found["drifts"]) == (0, [])


def test_a_usage_that_cannot_be_or_is_missing_is_estimated_and_said_so(gateway: Gateway) -> None:
    person, key = gateway.person()
    for mode in ("no_usage", "usage_negative", "usage_huge", "usage_twice"):
        reply = streamed(gateway, f"[[sim seed=usage-{mode} mode={mode} n=20 gap=1]]", key=key)
        assert events(reply.body)[-1] == "[DONE]"
    calls = gateway.rows(person, calls=4)["calls"]
    assert [call["estimated"] for call in calls] == [True, True, True, False]
    assert all(10 <= call["output_tokens"] <= 60 for call in calls), calls
    assert calls[3]["output_tokens"] == 20


def test_the_next_provider_answers_where_the_first_is_away(gateway: Gateway) -> None:
    person, key = gateway.person()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        gateway.site.django(TWO, closed.getsockname()[1])
        body = said("[[sim seed=two n=5 gap=1]]") | {"model": "two"}
        reply = gateway.call("POST", "/chat/completions", body, key=key)
        assert reply.status == 200, reply.text
        lost = gateway.call("POST", "/chat/completions", said("[[sim mode=e400]]") | {"model": "two"}, key=key)
        assert lost.status == 400  # the request's own fault is asked of nobody else
    calls = gateway.rows(person, calls=2)["calls"]
    assert [(call["provider_name"], call["attempts"], call["outcome"]) for call in calls] == [
        ("Simulator", 2, "done"),
        ("Simulator", 2, "failed"),
    ]


def test_a_providers_places_and_its_circuit_are_respected(gateway: Gateway) -> None:
    person, key = gateway.person()
    gateway.site.django(PLACES, 1)
    try:
        first = Half(gateway, said(ENDLESS.format("place"), stream=True), key=key)
        first.events(3)
        full = streamed(gateway, "[[sim n=3]]", key=key)
        assert (full.status, full.json()["error"]["code"], header(full, "retry-after")) == (503, "provider_full", "2")
        first.leave()
        gateway.rows(calls=10**6, within=1)
    finally:
        gateway.site.django(PLACES, 400)
    gateway.site.django(
        "from providers import breaker\nfrom providers.models import Provider\n"
        "breaker.record_failure(Provider.objects.get(source='simulator').pk, 'bad_key', status=401)"
    )
    shut = streamed(gateway, "[[sim seed=shut n=3]]", key=key)
    assert (shut.status, shut.json()["error"]["code"]) == (502, "bad_key")
    refused = [call["error_kind"] for call in gateway.rows(person)["calls"] if call["outcome"] == "refused"]
    assert refused == ["limit_held", "bad_key"]
    assert gateway.asked("shut") == []


# --- what the caller does -------------------------------------------------------------------------------------------------


def test_a_reader_who_does_not_read_costs_little_memory_and_lets_the_provider_go(gateway: Gateway) -> None:
    person, key = gateway.person()
    gateway.site.django(LONG)
    body = json.dumps(said("[[sim seed=deaf n=200000 gap=0]]", stream=True, max_tokens=200_000)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    before = memory(gateway)
    readers = []
    for _ in range(5):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", gateway.site.parts["web0"].port))
        reader.sendall(head.encode() + body)
        readers.append(reader)
    try:
        found = gateway.rows(person, calls=5, within=12)
    finally:
        for reader in readers:
            reader.close()
    assert [(call["outcome"], call["error_kind"]) for call in found["calls"]] == [("cancelled", "")] * 5
    assert memory(gateway) - before < 20_000  # kB: five answers of 35 MB each
    assert {ask["end"]["ended"] for ask in gateway.asked("deaf")} == {"aborted"}


def memory(gateway: Gateway) -> int:
    """Of the web process, resident, in kB."""
    lines = Path(f"/proc/{gateway.site.parts['web0'].pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def test_who_leaves_before_the_first_word_is_charged_for_the_question(gateway: Gateway) -> None:
    person, key = gateway.person()
    connection = socket.create_connection(("127.0.0.1", gateway.site.parts["web0"].port))
    body = json.dumps(said("[[sim seed=early n=5 ttft=1500]]", stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    while not gateway.asked("early"):
        time.sleep(0.05)
    connection.close()
    (call,) = gateway.rows(person, calls=1)["calls"]
    assert (call["outcome"], call["estimated"], call["output_tokens"]) == ("cancelled", True, 0)
    assert call["input_tokens"] > 0


@pytest.mark.parametrize("how", ["revoked", "deactivated", "signed out"])
def test_a_running_stream_is_cut_within_two_seconds(gateway: Gateway, how: str) -> None:
    person, key = gateway.person()
    credential = gateway.token(person) if how == "signed out" else key
    caller = Half(gateway, said(ENDLESS.format(f"cut {how}".replace(" ", "-")), stream=True), key=credential)
    caller.events(5)
    gateway.site.django({"revoked": REVOKE, "deactivated": DEACTIVATE, "signed out": SIGN_OUT}[how], person.uuid)
    began = time.monotonic()
    *_chunks, last = caller.events(10**6)
    took = time.monotonic() - began
    caller.leave()
    assert json.loads(last)["error"]["code"] == "invalid_key"
    assert took < 2, took
    found = gateway.rows(person, calls=1)
    assert [(call["outcome"], call["output_tokens"] > 0) for call in found["calls"]] == [("cancelled", True)]
    assert gateway.call("POST", "/chat/completions", said("x"), key=credential).status == 401


# --- what this process does -------------------------------------------------------------------------------------------------


def test_a_running_call_keeps_its_hold_and_one_whose_process_was_killed_is_settled(gateway: Gateway) -> None:
    person, key = gateway.person()
    caller = Half(gateway, said(ENDLESS.format("killed"), stream=True), key=key)
    caller.events(250)  # longer than a lease lasts
    assert gateway.site.django(SETTLE) == 0
    gateway.site.kill("web0")
    caller.leave()
    gateway.site.start_web()
    deadline = time.monotonic() + 10
    while not gateway.site.django(SETTLE) and time.monotonic() < deadline:
        time.sleep(0.2)
    found = gateway.rows(person)
    (call,) = found["calls"]
    assert (call["outcome"], call["error_kind"], call["estimated"]) == ("interrupted", "worker_lost", True)
    assert (call["provider_name"], call["model_name"], call["source"]) == ("Simulator", "demo", "gateway")
    assert call["input_tokens"] > 0 and call["output_tokens"] > 100
    assert (found["held"], found["drifts"]) == (0, [])
    assert gateway.site.django(SETTLE) == 0


def test_a_stop_lets_short_answers_finish_and_ends_long_ones_with_a_word(gateway: Gateway) -> None:
    person, key = gateway.person()
    told: dict[str, Any] = {}

    def read(name: str, text: str) -> None:
        told[name] = events(streamed(gateway, text, key=key).body)

    texts = {"short": "[[sim seed=short n=100 gap=10]]", "long": ENDLESS.format("long")}
    callers = [threading.Thread(target=read, args=each) for each in texts.items()]
    for caller in callers:
        caller.start()
    while not (gateway.asked("short") and gateway.asked("long")):
        time.sleep(0.05)
    try:
        assert gateway.site.parts["web0"].end(signal.SIGTERM) == 0
        for caller in callers:
            caller.join(10)
    finally:
        gateway.site.start_web()
    assert told["short"][-1] == "[DONE]"
    assert told["long"][-1]["error"]["code"] == "stopping"
    found = gateway.rows(person)
    assert sorted(call["outcome"] for call in found["calls"]) == ["done", "interrupted"]
    assert (found["held"], found["drifts"]) == (0, [])
    assert "Traceback" not in gateway.site.log("web0")
