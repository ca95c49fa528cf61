"""What a request asks for: the JSON body, the mark in its last question, the header. Pure; sends nothing.

A mark `[[sim seed=ab12 n=100 gap=50 ttft=200 mode=stall at=10 tool=name]]` in the last user message steers that
one request; gap and ttft are milliseconds. Stronger first: mark, header `X-Sim-Mode`, model name `chaos-<mode>`.
A last question that begins "Continue your last answer" goes on where the answer before it stopped.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.simulator import answers, demo
from providers.simulator.modes import MODES, PREFIX, STRIKES_AT

MARK = re.compile(r"\[\[sim\b([^\[\]]*)\]\]")
TITLE_WORDS = "title for this conversation"
CONTINUE = re.compile(r"continue your last answer\b", re.IGNORECASE)
MOST_TOKENS = 200_000


class BadAskError(ValueError):
    """The request cannot be understood; the text may be shown to whoever asked."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, decided: what to say, how fast, and what goes wrong."""

    model: str
    mode: str
    seed: str
    tokens: tuple[str, ...]
    finish: str  # stop | length | tool_calls
    gap: float  # seconds between tokens
    ttft: float  # seconds before the first byte
    at: int  # tokens shown before the mode strikes
    stream: bool
    include_usage: bool
    prompt_tokens: int
    max_tokens: int | None
    messages_sha: str
    tool: str  # the tool to call, "" for none
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Talk:
    """The part of a conversation that matters here: `said` is the broken-off answer that is to be continued."""

    question: str
    said: str
    title: bool


def ask_from(raw: bytes, *, header_mode: str = "") -> Ask:
    """Read a POST body; raises BadAskError with a sentence when it is not a chat request."""
    body = _json_object(raw)
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        raise BadAskError("model is missing")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages) or not messages:
        raise BadAskError("messages must be a list with at least one message")
    texts = [_text_of(each.get("content")) for each in messages]
    talk = _talk(messages, texts)
    mark = {} if talk.title else _mark_in(talk.question)
    if talk.said:
        # What broke off once is not broken off again by the same mark.
        mark = {name: value for name, value in mark.items() if name not in {"mode", "at"}}
    mode = mark.get("mode") or header_mode or ("" if talk.title else _mode_of_model(model)) or "ok"
    if mode not in MODES:
        raise BadAskError(f"unknown simulator mode {mode!r}")
    seed = mark.get("seed") or hashlib.sha256(talk.question.encode("utf-8", "replace")).hexdigest()[:16]
    readable = model == demo.MODEL and not mark and mode == "ok"
    most = _most(body, mode=mode, mark=mark)
    words = _structured(body, seed=seed) or _words(talk, seed=seed, mark=mark, readable=readable)
    tool = _tool(body, wanted=mark.get("tool", ""))
    cut = most is not None and most < len(words)
    options = body.get("stream_options")
    return Ask(
        model=model,
        mode=mode,
        seed=seed,
        tokens=tuple(words[:most] if cut else words),
        finish="tool_calls" if tool else "length" if cut else "stop",
        gap=_number(mark, "gap", default=25 if readable else 5) / 1000,
        ttft=_number(mark, "ttft", default=300 if readable else 1500 if mode == "slow_first_byte" else 0) / 1000,
        at=_number(mark, "at", default=STRIKES_AT),
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        prompt_tokens=answers.prompt_tokens(texts),
        max_tokens=most,
        messages_sha=hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest(),
        tool=tool,
        body=body,
    )


def _most(body: Mapping[str, Any], *, mode: str, mark: Mapping[str, str]) -> int | None:
    """The tokens after which an answer is cut: what was asked for, or where `mode=finish_length at=…` says."""
    asked = _limit(body)
    if mode != "finish_length" or "at" not in mark:
        return asked
    here = _number(mark, "at", default=STRIKES_AT)
    return here if asked is None else min(asked, here)


def _talk(messages: list[dict[str, Any]], texts: list[str]) -> Talk:
    asked = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    title = any(TITLE_WORDS in t.lower() for m, t in zip(messages, texts, strict=True) if _is_instruction(m))
    if not asked:
        return Talk("", "", title)
    last = asked[-1]
    if len(asked) > 1 and CONTINUE.match(texts[last]) and messages[last - 1].get("role") == "assistant":
        return Talk(texts[asked[-2]], texts[last - 1], title)
    return Talk(texts[last], "", title)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadAskError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadAskError("the body must be a JSON object")
    return body


def _text_of(content: object) -> str:
    """Content is a string or a list of parts; pictures and files count as no text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = [part.get("text") for part in content if isinstance(part, dict)]
    return "\n".join(text for text in parts if isinstance(text, str))


def _is_instruction(message: Mapping[str, Any]) -> bool:
    return message.get("role") in {"system", "developer"}


def _mark_in(question: str) -> dict[str, str]:
    found = MARK.search(question)
    if not found:
        return {}
    pairs = (word.partition("=") for word in found.group(1).split())
    return {"": "", **{name: value for name, _, value in pairs}}


def _mode_of_model(model: str) -> str:
    return model.removeprefix(PREFIX) if model.startswith(PREFIX) else ""


def _number(mark: Mapping[str, str], name: str, *, default: int) -> int:
    value = mark.get(name)
    if value is None:
        return default
    if not value.isdecimal() or len(value) > 9:
        raise BadAskError(f"{name}={value} is not a whole number")
    return int(value)


def _limit(body: Mapping[str, Any]) -> int | None:
    """The smaller of the two fields that providers use for the most tokens of an answer."""
    given = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    if not all(type(value) is int and value > 0 for value in given):
        raise BadAskError("max_tokens must be a whole number above 0")
    return min(given, default=None)


def _words(talk: Talk, *, seed: str, mark: Mapping[str, str], readable: bool) -> list[str]:
    if talk.title:
        return demo.split(demo.title(MARK.sub("", talk.question)))
    if readable:
        words = demo.split(demo.answer(talk.question))
    else:
        count = _number(mark, "n", default=answers.DEFAULT_TOKENS)
        words = answers.tokens_for(seed, tokens=min(count, MOST_TOKENS))
    return _after(words, said=talk.said)


def _structured(body: Mapping[str, Any], *, seed: str) -> list[str]:
    """A small JSON object where one is asked for: the schema's own fields filled with the seed, else one field."""
    form = body.get("response_format")
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "json_object":
        return demo.split(json.dumps({"seed": seed}))
    schema = form.get("json_schema") if kind == "json_schema" and isinstance(form, dict) else None
    inner = schema.get("schema") if isinstance(schema, dict) else None
    fields = inner.get("properties") if isinstance(inner, dict) else None
    if not isinstance(fields, dict):
        return []
    values: dict[str | None, object] = {
        "string": seed,
        "integer": 7,
        "number": 0.5,
        "boolean": True,
        "array": [],
        "object": {},
    }
    return demo.split(json.dumps({
        name: values.get(field.get("type") if isinstance(field, dict) else None) for name, field in fields.items()
    }))  # fmt: skip


def _after(words: list[str], *, said: str) -> list[str]:
    """The words that are still to be said; all of them when what was said is not their beginning."""
    if not "".join(words).startswith(said):
        return words
    left = len(said)
    for place, word in enumerate(words):
        if left < len(word):
            return [word[left:], *words[place + 1 :]]
        left -= len(word)
    return []


def _tool(body: Mapping[str, Any], *, wanted: str) -> str:
    tools = body.get("tools")
    if not wanted or not isinstance(tools, list):
        return ""
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    names = {function.get("name") for function in functions if isinstance(function, dict)}
    return wanted if wanted in names else ""
