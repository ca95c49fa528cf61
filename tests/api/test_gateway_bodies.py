"""What of a body is looked at, what is refused, and what goes out: pure, without a socket or a database."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from api.gateway import bodies, forms, size
from api.gateway.bodies import Wanted
from api.gateway.envelope import Refusal
from api.gateway.meter import Meter
from api.gateway.routes import CALLS, Look, find
from providers.client_chunks import Usage
from providers.endpoints import Dialect
from providers.failures import Failure

CHAT = CALLS["/chat/completions"]
BASE: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello there"}]}


def read(body: Any, *, route: str = "/chat/completions", remote: bool = False) -> Wanted:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return bodies.read(CALLS[route], content, remote_pictures=remote)


def out(wanted: Wanted, *, route: str = "/chat/completions", **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "upstream_name": "up",
        "output": 50,
        "dialect": Dialect(),
        "ours": {},
        "defaults": {},
    } | more
    found: dict[str, Any] = orjson.loads(bodies.outgoing(CALLS[route], wanted, **given))
    return found


def refused(body: Any, **more: Any) -> tuple[int, str, str | None]:
    with pytest.raises(Refusal) as error:
        read(body, **more)
    assert error.value.message
    return error.value.status, error.value.code, error.value.param


# --- A52: what decides the price ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 7}, 7),
        ({"max_tokens": 9, "max_completion_tokens": 5}, 5),
        ({"max_tokens": 10**18}, bodies.MOST_TOKENS),
        ({"max_tokens": 1e18}, bodies.MOST_TOKENS),
    ],
)
def test_the_longest_answer_asked_for_is_the_smaller_one_and_never_beyond_reason(given: Any, asked: int | None) -> None:
    wanted = read(BASE | given)
    assert wanted.output == asked
    sent = out(wanted)
    assert [sent.get(name) for name in ("max_tokens", "max_completion_tokens")] == [None, 50]
    assert out(wanted, dialect=Dialect(max_tokens_field="max_tokens"))["max_tokens"] == 50


@pytest.mark.parametrize("value", [0, -1, "5", True, 1.5, [], {}])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_longest_answer_that_is_no_whole_number_is_refused(name: str, value: Any) -> None:
    assert refused(BASE | {name: value}) == (400, "invalid", name)


@pytest.mark.parametrize("value", [0, -1, 9, 100, "2", True, 1.0])
@pytest.mark.parametrize("name", ["n", "best_of"])
def test_more_answers_than_eight_or_none_are_refused(name: str, value: Any) -> None:
    assert refused(BASE | {name: value}) == (400, "invalid", name)


def test_every_answer_is_counted() -> None:
    assert read(BASE | {"n": 3}).answers == 3
    many = {"model": "m", "prompt": ["a", "b"], "best_of": 4}
    assert read(many, route="/completions").answers == 8
    assert read({"model": "m", "prompt": [1, 2, 3]}, route="/completions").answers == 1
    assert refused({"model": "m", "prompt": ["a"] * 9}, route="/completions")[2] == "prompt"


def test_usage_is_asked_for_in_every_stream_whatever_the_caller_says() -> None:
    wanted = read(BASE | {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}})
    assert wanted.wants_usage is False
    assert out(wanted)["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert "stream_options" not in out(wanted, dialect=Dialect(usage_in_stream=False))
    assert "stream_options" not in out(read(BASE | {"stream_options": {"include_usage": True}}))


# --- A38, A4: whose model, whose things ---------------------------------------------------------------------------------


def test_what_would_choose_another_model_account_or_address_is_left_out_and_the_rest_passes() -> None:
    ours = dict.fromkeys(bodies.LEFT_OUT, "x")
    passing = {"temperature": 0.2, "seed": 5, "logprobs": True, "anything": {"new": [1]}, "user": "u"}
    sent = out(read(BASE | ours | passing))
    assert sent.keys() & bodies.LEFT_OUT == set()
    assert {name: sent[name] for name in passing} == passing
    assert sent["model"] == "up"


def test_fixed_fields_stand_over_and_a_modes_usual_ones_under_what_was_sent() -> None:
    wanted = read(BASE | {"temperature": 1, "reasoning_effort": "high"})
    sent = out(wanted, ours={"temperature": 0}, defaults={"reasoning_effort": "low", "top_k": 3})
    assert (sent["temperature"], sent["reasoning_effort"], sent["top_k"]) == (0, "high", 3)


@pytest.mark.parametrize("name", sorted(size.FOREIGN))
def test_nothing_stored_at_the_provider_can_be_named(name: str) -> None:
    assert refused({"model": "m", "input": "x", name: "id_1"}, route="/responses") == (400, "not_passed_on", name)
    part = {"type": "file", name: "id_1"}
    assert refused(BASE | {"messages": [{"role": "user", "content": [part]}]})[:2] == (400, "not_passed_on")


def test_a_stored_prompt_and_a_file_cannot_be_named_and_a_tools_own_field_can() -> None:
    assert refused({"model": "m", "input": "x", "prompt": {"id": "p"}}, route="/responses")[1] == "not_passed_on"
    file = {"type": "file", "file": {"file_id": "f"}}
    assert refused(BASE | {"messages": [{"role": "user", "content": [file]}]})[1] == "not_passed_on"
    reference = [{"type": "item_reference", "id": "x"}]
    assert refused({"model": "m", "input": reference}, route="/responses")[1] == "not_passed_on"
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}, "conversation": {"type": "string"}}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert out(read(BASE | {"tools": [tool]}))["tools"] == [tool]
    sent = out(read({"model": "m", "input": "x", "store": True}, route="/responses"), route="/responses")
    assert (sent["store"], sent["max_output_tokens"]) == (False, 50)


@pytest.mark.parametrize("kind", ["web_search", "code_interpreter", "mcp", None, 5])
def test_tools_that_a_provider_runs_are_refused(kind: Any) -> None:
    assert refused(BASE | {"tools": [{"type": kind}]}) == (400, "invalid", "tools")


# --- A40: pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "link", ["http://169.254.169.254/", "https://example.com/a.png", "file:///etc/passwd", "gopher://x", "//x", ""]
)
def test_a_picture_is_never_a_link_unless_the_setting_lets_the_provider_fetch(link: str) -> None:
    def with_picture(given: Any) -> dict[str, Any]:
        return BASE | {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": given}]}]}

    assert refused(with_picture({"url": link})) == (400, "image_url_not_allowed", "image_url")
    assert refused(with_picture(link))[1] == "image_url_not_allowed"
    if link.startswith("http"):
        assert read(with_picture({"url": link}), remote=True).input >= size.PICTURE_TOKENS
    else:
        assert refused(with_picture({"url": link}), remote=True)[1] == "image_url_not_allowed"
    data = with_picture({"url": "data:image/png;base64," + "A" * 100_000})
    assert read(data).input < size.PICTURE_TOKENS + 50  # what is drawn is no text


# --- A45, A46, A49: shapes ------------------------------------------------------------------------------------------------

ODD: list[Any] = [None, 5, "text", True, [], {}, [[]], [1], [None]]


@pytest.mark.parametrize("path", [path for path, route in CALLS.items() if route.form == "json"])
def test_no_kind_of_value_in_any_field_is_anything_but_taken_or_refused(path: str) -> None:
    route = CALLS[path]
    needed = {"model": "m", "messages": BASE["messages"], "prompt": "x", "input": "x"}
    whole = {name: value for name, value in needed.items() if name != "prompt" or path != "/responses"}
    names = [
        *whole,
        "stream",
        "stream_options",
        "n",
        "best_of",
        "tools",
        "functions",
        "response_format",
        "suffix",
        "text",
    ]
    names += [*bodies._MAXIMA, *size.FOREIGN]
    taken = 0
    for name in names:
        for value in ODD:
            try:
                wanted = read(whole | {name: value}, route=path)
                bodies.outgoing(
                    route,
                    wanted,
                    upstream_name="u",
                    output=1,
                    dialect=Dialect(system_role="user"),
                    ours={},
                    defaults={},
                )
                taken += 1
            except Refusal as refusal:
                assert (refusal.status, bool(refusal.message)) == (400, True)
    assert taken > len(names)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"x"', b"[" * 100_000, b'{"a":' * 5_000, b'{"model": NaN}', b"\xff\xfe", b'{"model":"\\ud800"}'],
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused_at_once(content: bytes) -> None:
    began = time.perf_counter()
    assert refused(content)[:2] == (400, "malformed_json")
    assert time.perf_counter() - began < 0.1


def test_a_body_of_too_many_or_too_deep_values_or_pictures_is_refused() -> None:
    deep: Any = "x"
    for _ in range(size.DEEPEST + 1):
        deep = [deep]
    assert refused(BASE | {"messages": [{"role": "user", "content": deep}]})[1] == "too_deep"
    many = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": [0] * size.MOST_NODES}]})
    assert refused(many)[1] == "too_many_parts"
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    assert refused(BASE | {"messages": [{"content": [picture] * (size.MOST_PICTURES + 1)}]})[1] == "too_many_pictures"
    huge = orjson.dumps(BASE | {"seed": 5}).replace(b'"seed":5', b'"seed":' + b"9" * 5_000)
    assert refused(huge)[:2] == (400, "malformed_json")


# --- sounds ---------------------------------------------------------------------------------------------------------------


def form(*parts: tuple[str, bytes], boundary: bytes = b"b") -> bytes:
    heads = [
        b"--" + boundary + b"\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" for head, _ in parts
    ]
    pairs = zip(heads, parts, strict=True)
    return b"".join(head + content + b"\r\n" for head, (_, content) in pairs) + b"--" + boundary + b"--\r\n"


def test_a_form_is_read_and_written_anew_with_the_providers_name_for_the_model() -> None:
    content = form(
        ('name="model"', b"ears"), ('name="language"', b"en"), ('name="file"; filename="a\\".mp3"', b"\x00" * 5000)
    )
    wanted = forms.read(content, content_type="multipart/form-data; boundary=b")
    assert (wanted.model, wanted.input) == ("ears", 5000 // size.SOUND_BYTES + 1)
    sent, kind = forms.outgoing(wanted, upstream_name="whisper\r\nX: y")
    again = forms.read(sent, content_type=kind)
    assert (again.model, again.fields["language"], again.fields["file"][2]) == (
        "whisper\r\nX: y",
        ["en"],
        b"\x00" * 5000,
    )


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"{}", "application/json", "not_multipart"),
        (b"", "multipart/form-data", "malformed_form"),
        (b"x", "multipart/form-data; boundary=" + "b" * 5_000, "malformed_form"),
        (form(('name="model"', b"ears")), "multipart/form-data; boundary=b", "invalid"),
        (form(('name="file"; filename="a"', b"x")), "multipart/form-data; boundary=b", "invalid"),
        (form(*[(f'name="f{n}"', b"x") for n in range(500)]), "multipart/form-data; boundary=b", "malformed_form"),
    ],
)
def test_a_form_that_is_none_is_refused(content: bytes, kind: str, code: str) -> None:
    with pytest.raises(Refusal) as error:
        forms.read(content, content_type=kind)
    assert error.value.code == code


# --- reading what comes back ------------------------------------------------------------------------------------------------


def ends(meter: Meter) -> tuple[bool, bool]:
    """Whether the answer has told its end, and whether nothing more comes."""
    return meter.whole, meter.done


def test_the_count_is_read_on_the_way_and_text_is_estimated_where_there_is_none() -> None:
    meter = Meter("chat", answers=2, wants_usage=False)
    assert meter.take(
        b"", b'{"choices":[{"index":0,"delta":{"content":"eight ch"}},{"index":1,"delta":{"content":"rs"}}]}'
    )
    assert meter.produced == 3
    assert meter.take(b"", b'{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}')
    assert ends(meter) == (False, False)
    assert meter.take(b"", b'{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}')
    assert ends(meter) == (True, False)
    hidden = (
        b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}}'
    )
    assert not meter.take(b"", hidden)
    assert meter.usage == Usage(9, 4, 2, 0)
    assert Meter("chat", answers=1, wants_usage=True).take(b"", hidden)
    with pytest.raises(Failure):
        meter.take(b"", b'{"error":{"message":"no"}}')


def test_a_response_tells_its_count_with_its_last_event() -> None:
    meter = Meter("response", answers=1, wants_usage=False)
    assert meter.take(b"response.output_text.delta", b'{"type":"response.output_text.delta","delta":"words"}')
    assert (meter.produced, ends(meter)) == (2, (False, False))
    last = b'{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":1}}}'
    assert meter.take(b"response.completed", last)
    assert ends(meter) == (True, True)
    assert meter.usage == Usage(3, 1)
    with pytest.raises(Failure):
        meter.take(b"", b'{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}')


# --- A61: the address ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chat/completions", 405),
        ("HEAD", "/models", 405),
        ("OPTIONS", "/chat/completions", 405),
        ("POST", "/models", 405),
        ("DELETE", "/models/x", 405),
        ("POST", "/chat/completions/", 404),
        ("POST", "/Chat/Completions", 404),
        ("POST", "//chat/completions", 404),
        ("GET", "/", 404),
        ("POST", "/files", 404),
        ("POST", "/images/generations", 404),
    ],
)
def test_an_address_in_other_letters_with_a_slash_or_method_is_another_one(method: str, path: str, status: int) -> None:
    with pytest.raises(Refusal) as error:
        find(method, path)
    assert error.value.status == status


def test_a_models_name_may_hold_slashes() -> None:
    assert find("GET", "/models/lab/deep:8b") == Look("lab/deep:8b")
    assert find("GET", "/models") == Look("")
    assert find("POST", "/chat/completions") is CHAT


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "http://169.254.169.254/latest"}},
        {"type": "audio_url", "audio_url": "https://10.0.0.1/x.wav"},
        {"type": "image", "source": {"type": "url", "url": "http://10.0.0.1/x"}},
        {"type": "file", "file": {"file_data": "HTTP://10.0.0.1/x.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "http://10.0.0.1/x.wav", "format": "wav"}},
    ],
)
def test_no_part_of_a_message_is_a_link_that_a_provider_would_follow(part: dict[str, Any]) -> None:
    body = BASE | {"messages": [{"role": "user", "content": [part]}]}
    assert refused(body)[:2] == (400, "link_not_allowed")
    assert read(body, remote=True).input > 0


@pytest.mark.parametrize("kind", [[], {}, None, 7])
def test_a_tool_of_an_odd_type_is_refused_in_words(kind: Any) -> None:
    assert refused(BASE | {"tools": [{"type": kind}]}) == (400, "invalid", "tools")
