"""OpenAI's own SDK against /v1/, over sockets, without a change; and the same requests straight to the provider give the same."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.api.gateway_site import Gateway, events, header, running, said
from tests.processes import ROOT, Caller, Person

pytestmark = pytest.mark.chaos
Known = tuple[Person, str]
MODELS = """
from providers.models import LanguageModel, ModelRoute, Provider
simulator = Provider.objects.get(source="simulator")
ways = [{"key": "quick", "name": "Quick"}, {"key": "think", "name": "Think", "body": {"reasoning_effort": "high"}}]
for slug, kind, modes in (("lab/deep:8b", "chat", ways), ("embed", "embedding", []), ("ears", "audio", [])):
    model = LanguageModel.objects.create(slug=slug, name=slug, kind=kind, enabled=True, modes=modes, position=9)
    ModelRoute.objects.create(model=model, provider=simulator, upstream_name="demo")
"""
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"seed": {"type": "string"}}}},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("sdk") / "site") as found:
        found.site.django(MODELS)
        yield found


@pytest.fixture(scope="module")
def ada(gateway: Gateway) -> Known:
    return gateway.person()


@pytest.fixture(scope="module")
def sdk(gateway: Gateway, ada: Known) -> openai.OpenAI:
    return gateway.sdk(ada[1])


def words(seed: str, n: int) -> str:
    from_mark = f"[[sim seed={seed} n={n} gap=1]]"
    return f"Tell me. {from_mark}"


# --- the models -----------------------------------------------------------------------------------------------------------


def test_models_are_listed_with_what_an_editor_wants_to_know(sdk: openai.OpenAI) -> None:
    found = {row.id: row.model_dump() for row in sdk.models.list()}
    assert set(found) == {"demo", "embed", "ears", "lab/deep:8b", "lab/deep:8b:quick", "lab/deep:8b:think"}
    demo = found["demo"]
    assert (demo["object"], demo["owned_by"], demo["max_output_tokens"]) == ("model", "portal", 4096)
    assert demo["context_length"] > 0 and demo["input_modalities"] == ["text", "image"]
    assert found["ears"]["input_modalities"] == ["audio"]
    one = sdk.models.retrieve("lab/deep:8b:think")
    assert one.id == "lab/deep:8b:think"
    with pytest.raises(openai.NotFoundError) as error:
        sdk.models.retrieve("lab/none")
    assert error.value.code == "model_not_found"


# --- chat -----------------------------------------------------------------------------------------------------------------


def test_a_plain_answer_is_the_providers_and_is_counted_as_the_provider_counts(gateway: Gateway) -> None:
    person, key = gateway.person()
    raw = gateway.sdk(key).chat.completions.with_raw_response.create(**said(words("plain", 30)))
    answer = raw.parse()
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (30, "stop")
    assert raw.headers["x-ratelimit-limit-requests"] == "100000"
    found = gateway.rows(person, calls=1)
    (call,) = found["calls"]
    assert call["request_id"].replace("-", "") == raw.headers["x-request-id"]
    assert (call["outcome"], call["source"], call["estimated"]) == ("done", "gateway", False)
    assert (call["input_tokens"], call["output_tokens"]) == (answer.usage.prompt_tokens, 30)
    assert (call["model_name"], call["provider_name"]) == ("demo", "Simulator")
    assert call["key"] and call["person_name"].startswith("Person ")
    (entry,) = found["entries"]
    assert (entry["kind"], entry["output_tokens"]) == ("settle", 30)
    assert (found["held"], found["drifts"]) == (0, [])


def test_a_stream_comes_piece_by_piece_and_its_count_only_to_who_asked_for_it(sdk: openai.OpenAI) -> None:
    chunks = list(sdk.chat.completions.create(**said(words("stream", 12)), stream=True))
    assert sum(bool(chunk.choices[0].delta.content) for chunk in chunks) == 12
    assert all(chunk.usage is None for chunk in chunks)
    asked: Any = {"stream": True, "stream_options": {"include_usage": True}}
    last = list(sdk.chat.completions.create(**said(words("stream", 12)), **asked))[-1]
    assert (last.choices, last.usage and last.usage.completion_tokens) == ([], 12)


def test_the_asynchronous_client_reads_many_streams_at_once(gateway: Gateway, ada: Known) -> None:
    async def all_of_them() -> list[int]:
        async with openai.AsyncOpenAI(api_key=ada[1], base_url=gateway.base, max_retries=0) as client:

            async def one(n: int) -> int:
                stream = await client.chat.completions.create(**said(words(f"many{n}", 20)), stream=True)
                return sum([bool(chunk.choices[0].delta.content) async for chunk in stream])

            return list(await asyncio.gather(*[one(n) for n in range(20)]))

    assert asyncio.run(all_of_them()) == [20] * 20


def test_tools_are_called_plain_and_in_a_stream(sdk: openai.OpenAI) -> None:
    asked: Any = said("Look it up. [[sim seed=t1 n=3 gap=1 tool=look_up]]", tools=[TOOL], tool_choice="auto")
    (call,) = sdk.chat.completions.create(**asked).choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == ("look_up", {"seed": "t1"})
    with sdk.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    (streamed,) = final.choices[0].message.tool_calls or []
    assert (streamed.function.name, json.loads(streamed.function.arguments)) == ("look_up", {"seed": "t1"})
    follow = [*asked["messages"], {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]}]
    follow += [{"role": "tool", "tool_call_id": call.id, "content": "found"}]
    assert sdk.chat.completions.create(model="demo", messages=follow, tools=asked["tools"]).choices[0].message


class Found(BaseModel):
    name: str
    count: int


def test_structured_output_is_parsed(sdk: openai.OpenAI) -> None:
    question = said("Fill it in. [[sim seed=structured gap=1]]")
    parsed = sdk.chat.completions.parse(**question, response_format=Found).choices[0].message.parsed
    assert parsed == Found(name="structured", count=7)
    loose = sdk.chat.completions.create(**question, response_format={"type": "json_object"})
    assert json.loads(loose.choices[0].message.content or "") == {"seed": "structured"}


def test_a_mode_is_chosen_by_the_models_name_or_by_the_field_itself(gateway: Gateway, sdk: openai.OpenAI) -> None:
    for n, mode in enumerate(("", ":think", ":none")):
        body: Any = said(words(f"mode{n}", 3)) | {"model": f"lab/deep:8b{mode}"}
        if mode == ":none":
            with pytest.raises(openai.NotFoundError):
                sdk.chat.completions.create(**body)
        else:
            sdk.chat.completions.create(**body)
    assert [len(gateway.asked(f"mode{n}")) for n in range(3)] == [1, 1, 0]


def test_the_examples_of_the_documentation_work_as_they_stand(gateway: Gateway, ada: Known) -> None:
    text = (ROOT / "docs" / "gateway.md").read_text()
    found = dict(re.findall(r"^```(sh|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    commands = {"sh": ["sh", "-c"], "python": [sys.executable, "-c"]}
    for kind, example in found.items():
        example = example.replace("sk-…", ada[1]).replace("https://chat.example.com/v1", gateway.base)
        done = subprocess.run([*commands[kind], example], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)["choices"][0]["message"]["content"] if kind == "sh" else done.stdout
        assert "simulator" in answer.lower() or len(answer) > 40, answer
    assert found.keys() == commands.keys()


# --- errors, repeats, leaving -------------------------------------------------------------------------------------------


def test_each_error_is_the_sdks_own_and_says_what_to_do(gateway: Gateway, ada: Known, sdk: openai.OpenAI) -> None:
    person, _key = ada
    narrow = gateway.sdk(gateway.key(person, scopes=("models",)))
    other = gateway.sdk(gateway.key(person, models=("lab/deep:8b",)))
    cases: list[tuple[type[openai.APIStatusError], str, openai.OpenAI, dict[str, Any]]] = [
        (openai.AuthenticationError, "invalid_key", gateway.sdk("sk-" + "x" * 40), said("Hi")),
        (openai.PermissionDeniedError, "forbidden", narrow, said("Hi")),
        (openai.NotFoundError, "model_not_found", other, said("Hi")),
        (openai.BadRequestError, "invalid", sdk, said("Hi", max_tokens=0)),
        (openai.BadRequestError, "invalid_request", sdk, said("[[sim mode=e400]]")),
        (openai.BadRequestError, "context_length_exceeded", sdk, said("[[sim mode=e400_context]]")),
        (openai.BadRequestError, "context_length_exceeded", sdk, said("word " * 200_000)),
        (openai.RateLimitError, "provider_busy", sdk, said("[[sim mode=rate_limit_500]]")),
        (openai.InternalServerError, "server_error", sdk, said("[[sim mode=err500]]")),
        (openai.InternalServerError, "bad_key", sdk, said("[[sim mode=e401]]")),
    ]
    for kind, code, client, body in cases:
        with pytest.raises(kind) as error:
            client.chat.completions.create(**body)
        assert (error.value.code, bool(error.value.message)) == (code, True), (code, error.value.body)
        assert error.value.request_id
        gateway.site.django("from providers.models import ProviderState\nProviderState.objects.all().delete()")


def test_a_failure_before_the_first_byte_is_tried_again_by_the_portal(gateway: Gateway) -> None:
    person, key = gateway.person()
    for mode in ("err500_once", "rate_limit_ms", "close_once"):
        body = said(f"[[sim seed=again-{mode} mode={mode} n=5 gap=1]]")
        assert gateway.sdk(key).chat.completions.create(**body).choices[0].finish_reason == "stop"
        assert len(gateway.asked(f"again-{mode}")) == 2
    found = gateway.rows(person, calls=3)
    assert [(call["outcome"], call["attempts"]) for call in found["calls"]] == [("done", 2)] * 3
    assert found["drifts"] == []


def test_a_limit_is_told_once_and_not_asked_again(gateway: Gateway) -> None:
    person, key = gateway.person()
    gateway.site.django(
        "from accounts.models import User\nfrom usage import rules\n"
        "rules.make(scope='person', subject=User.objects.get(uuid=given), unit='requests', period='month', amount=1)",
        person.uuid,
    )
    client = gateway.sdk(key, max_retries=3)
    client.chat.completions.create(**said(words("limit", 3)))
    with pytest.raises(openai.RateLimitError) as error:
        client.chat.completions.create(**said(words("limit", 3)))
    assert error.value.code == "limit_reached"
    assert "1" in error.value.message and error.value.response.headers["x-should-retry"] == "false"
    assert int(error.value.response.headers["retry-after"]) > 60
    outcomes = [(call["outcome"], call["error_kind"]) for call in gateway.rows(person)["calls"]]
    assert outcomes == [("done", ""), ("refused", "limit_reached")]  # once: the SDK did not try again


def test_who_closes_a_stream_is_charged_for_what_was_written_and_the_provider_stops(gateway: Gateway) -> None:
    person, key = gateway.person()
    stream = gateway.sdk(key).chat.completions.create(**said("[[sim seed=close n=2000 gap=5]]"), stream=True)
    for number, _chunk in enumerate(stream):
        if number == 20:
            break
    stream.close()
    (call,) = gateway.rows(person, calls=1)["calls"]
    assert (call["outcome"], call["estimated"]) == ("cancelled", True)
    assert call["input_tokens"] > 0 and 10 <= call["output_tokens"] < 300
    (bill,) = gateway.asked("close")
    assert bill["end"]["ended"] == "aborted" and bill["end"]["tokens"] < 300


# --- the same as without us ---------------------------------------------------------------------------------------------

SAME = {
    "plain": said(words("c1", 9)),
    "stream": said(words("c2", 9), stream=True, stream_options={"include_usage": True}),
    "cut short": said(words("c3", 9), stream=True, max_tokens=4),
    "tools": said("[[sim seed=c4 n=2 gap=1 tool=look_up]]", tools=[TOOL], stream=True),
    "json": said("[[sim seed=c5 gap=1]]", response_format={"type": "json_object"}),
    "reasoning": said("[[sim seed=c6 n=5 gap=1 mode=reasoning]]", stream=True),
    "its other field": said("[[sim seed=c7 n=5 gap=1 mode=reasoning_field]]", stream=True),
    "a picture": {
        "model": "demo",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": words("c8", 4)},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ],
            }
        ],
    },
    "logprobs and what we do not know": said(words("c9", 4), logprobs=True, top_logprobs=2, anything={"at": ["all"]}),
    "odd line ends": said("[[sim seed=c10 n=5 gap=1 mode=mixed_newlines]]", stream=True),
    "several data lines": said("[[sim seed=c11 n=5 gap=1 mode=multiline_data]]", stream=True),
    "a second choice": said("[[sim seed=c12 n=5 gap=1 mode=index_one]]", stream=True),
    "empty choices": said("[[sim seed=c13 n=5 gap=1 mode=empty_choices]]", stream=True),
    "a tool nobody asked for": said("[[sim seed=c14 n=5 gap=1 mode=tool_delta]]", stream=True),
    "half a pair": said("[[sim seed=c15 n=5 gap=1 mode=surrogate]]", stream=True),
    "the filter": said("[[sim seed=c16 n=5 gap=1 mode=finish_filter]]", stream=True),
}
_OWN = frozenset({"id", "created"})


def without_names(value: Any) -> Any:
    """Without what differs between two answers to the same question: their names and times."""
    return {name: inner for name, inner in value.items() if name not in _OWN} if isinstance(value, dict) else value


@pytest.mark.parametrize("name", SAME)
def test_the_same_request_gives_the_same_straight_and_through_the_portal(
    gateway: Gateway, ada: Known, name: str
) -> None:
    body = SAME[name]
    straight = Caller(f"http://127.0.0.1:{gateway.site.simulator_port}").call("POST", "/v1/chat/completions", body=body)
    through = gateway.call("POST", "/chat/completions", body, key=ada[1])
    assert (through.status, straight.status) == (200, 200), through.text
    if body.get("stream"):
        ours, theirs = events(through.body), events(straight.body)
        assert list(map(without_names, ours)) == list(map(without_names, theirs))
        assert header(through, "content-type") == header(straight, "content-type")
    else:
        assert without_names(through.json()) == without_names(straight.json())
    assert header(through, "x-accel-buffering") == "no"


def test_the_comparison_sees_a_planted_difference(gateway: Gateway, ada: Known) -> None:
    one, other = (gateway.call("POST", "/chat/completions", said(words(seed, 9)), key=ada[1]).json() for seed in "ab")
    assert without_names(one) != without_names(other)
