"""What a body asks for, as far as authority, money and limits need to know it; and the body that goes to the provider.

Everything else passes as it came. Refuses what would choose another model, address or account than the one that is paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from api.gateway import size
from api.gateway.envelope import Refusal
from api.gateway.routes import Route
from providers.endpoints import Dialect

MOST_CHOICES = 8
MOST_TOKENS = 10_000_000
# Never passed on: what chooses another model, account, address or price class than the portal has chosen, or has the provider keep it.
LEFT_OUT = frozenset({
    "service_tier", "store", "background", "api_key", "api_base", "base_url", "url_idx", "organization", "extra_headers",
    "extra_body", "extra_query", "models", "route", "provider", "providers", "fallbacks", "plugins", "transforms", "metadata",
    "web_search_options", "search_parameters", "enable_search", "user_config", "custom_llm_provider", "api_version",
    "mock_response",
})  # fmt: skip
# Counted as what goes in, by route; what is not named here is small or changes nothing of the price.
_TEXTS = {
    "chat": ("messages", "tools", "functions", "response_format", "prediction"),
    "completion": ("prompt", "suffix"),
    "response": ("input", "instructions", "tools", "text"),
    "embedding": ("input",),
    "speech": ("input", "instructions"),
}
_NEEDED = {"chat": "messages", "completion": "prompt", "response": "input", "embedding": "input", "speech": "input"}
_MAXIMA = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_TOOLS = frozenset({"function", "custom"})


@dataclass(slots=True)
class Wanted:
    """A body that can be taken. `input`: its estimated tokens; `output`: the longest answer asked for, if any; `answers`: how many."""

    fields: dict[str, Any]
    model: str
    stream: bool
    wants_usage: bool
    input: int
    output: int | None
    answers: int


def read(route: Route, content: bytes, *, remote_pictures: bool) -> Wanted:
    """A JSON body. Raises Refusal (400) and says what is wrong with which field."""
    fields = _object(content)
    model = fields.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= 300:
        raise _bad("model", "“model” must name a model.")
    stream = _yes_or_no(fields, "stream")
    if stream and not route.streams and route.name != "speech":
        raise _bad("stream", "This address does not stream.")
    options = fields.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise _bad("stream_options", "“stream_options” must be an object.")
    _shape(route, fields)
    texts = [fields.get(name) for name in _TEXTS[route.name]]
    for name in (*size.FOREIGN, "prompt") if route.name == "response" else size.FOREIGN:
        if fields.get(name):
            raise size.foreign(name)
    found = size.of(*texts, remote=remote_pictures)
    answers = max(_count(fields, "n"), _count(fields, "best_of"))
    if route.name == "completion" and isinstance(fields["prompt"], list) and fields["prompt"]:
        answers *= _prompts(fields["prompt"])
    return Wanted(
        fields=fields,
        model=model,
        stream=stream,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        input=found.tokens,
        output=_output(fields),
        answers=answers,
    )


def outgoing(
    route: Route, wanted: Wanted, *, upstream_name: str, output: int, dialect: Dialect, ours: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> bytes:  # fmt: skip
    """The body as it goes out: `output` is the longest single answer that is paid for; `ours` stand over what came, `defaults` under it."""
    fields = {name: value for name, value in wanted.fields.items() if name not in LEFT_OUT and name not in _MAXIMA}
    fields = {**defaults, **fields, **ours, "model": upstream_name}
    if route.shape in ("chat", "completion"):
        fields["max_tokens" if route.shape == "completion" else dialect.max_tokens_field] = output
    if route.shape == "response":
        fields |= {"max_output_tokens": output, "store": False}
    if route.shape in ("chat", "completion"):
        fields.pop("stream_options", None)
        if wanted.stream and dialect.usage_in_stream:
            fields["stream_options"] = {**(wanted.fields.get("stream_options") or {}), "include_usage": True}
    if route.shape == "chat" and dialect.system_role != "system":
        fields["messages"] = [
            {**each, "role": dialect.system_role} if each.get("role") == "system" else each
            for each in fields["messages"]
        ]
    try:
        return orjson.dumps(fields)
    except TypeError:
        raise Refusal(
            400, "malformed_json", "The body cannot be written as JSON again: it is nested too deep."
        ) from None


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Refusal(400, "malformed_json", "The body is not JSON that can be read.") from None
    if not isinstance(found, dict):
        raise Refusal(400, "malformed_json", "The body must be a JSON object.")
    return found


def _shape(route: Route, fields: dict[str, Any]) -> None:
    """That what is asked is there and of the right kind. Its content is for the provider to judge."""
    name = _NEEDED[route.name]
    given = fields.get(name)
    if given is None or given in ([], ""):
        raise _bad(name, f"“{name}” is missing.")
    if route.name == "chat":
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise _bad("messages", "“messages” must be a list of messages.")
    elif not isinstance(given, str if route.name == "speech" else str | list):
        raise _bad(name, f"“{name}” must be a text{'' if route.name == 'speech' else ' or a list'}.")
    tools = fields.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise _bad("tools", "“tools” must be a list of tools.")
    for tool in tools:
        kind = tool.get("type")
        if not isinstance(kind, str) or kind not in _TOOLS:
            raise _bad(
                "tools", "Only functions and custom tools are passed on: what a provider runs itself has other prices."
            )


def _prompts(given: list[Any]) -> int:
    """How many prompts a list is: texts or lists of tokens are one each, tokens are one together."""
    count = len(given) if isinstance(given[0], str | list) else 1
    if count > MOST_CHOICES:
        raise _bad("prompt", f"At most {MOST_CHOICES} prompts at once.")
    return count


def _output(fields: dict[str, Any]) -> int | None:
    """The smaller of the fields for the longest answer. Too large a number is no error: it is cut to what may be held."""
    found = [_maximum(name, fields[name]) for name in _MAXIMA if fields.get(name) is not None]
    return min(found, default=None)


def _maximum(name: str, given: Any) -> int:
    if isinstance(given, float) and given >= 1 and given.is_integer():
        given = int(min(given, MOST_TOKENS))  # 1e18: JSON has no whole numbers of its own
    if type(given) is not int or given < 1:
        raise _bad(name, f"“{name}” must be a whole number above 0.")
    return min(given, MOST_TOKENS)


def _count(fields: dict[str, Any], name: str) -> int:
    given = fields.get(name)
    if given is None:
        return 1
    if type(given) is not int or not 1 <= given <= MOST_CHOICES:
        raise _bad(name, f"“{name}” must be a whole number from 1 to {MOST_CHOICES}.")
    return given


def _yes_or_no(fields: dict[str, Any], name: str) -> bool:
    given = fields.get(name)
    if given is not None and not isinstance(given, bool):
        raise _bad(name, f"“{name}” must be true or false.")
    return bool(given)


def _bad(param: str, text: str) -> Refusal:
    return Refusal(400, "invalid", text, param=param)
