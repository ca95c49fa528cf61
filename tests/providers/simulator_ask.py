"""Asks the simulator over a plain socket and judges the bytes as a strict reader would. Uses no HTTP client."""

import asyncio
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

from providers.simulator.process import Simulator

MOST = 1 << 20


@dataclass
class Heard:
    """One HTTP answer: what came, and how it ended (end | silence | closed | reset | cut)."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    end: str = "end"


def chat_request(question: str, *, model: str = "demo", stream: bool = True, **more: object) -> bytes:
    """The bytes of one chat request; `fields` in `more` adds header lines."""
    fields: Any = more.pop("fields", "")
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": question}], "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    raw = json.dumps(body | more).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\n{fields}Content-Length: {len(raw)}\r\n\r\n"
    return head.encode() + raw


async def hear(simulator: Simulator, request: bytes, *, silence: float = 10.0) -> Heard:
    """Send one request and read its answer until it ends or nothing comes for `silence` seconds."""
    reader, writer = await asyncio.open_connection(simulator.host, simulator.port, limit=1 << 26)
    try:
        writer.write(request)
        return await read_answer(reader, silence=silence)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader, *, silence: float = 10.0) -> Heard:
    """Read one HTTP answer from an open connection."""
    heard = Heard()
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), silence)
        first, *lines = head.decode().strip().split("\r\n")
        heard.status = int(first.split()[1])
        heard.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await _read_body(reader, heard, silence=silence)
    except TimeoutError:
        heard.end = "silence"
    except ConnectionResetError:
        heard.end = "reset"
    except asyncio.IncompleteReadError:
        heard.end = "cut" if heard.status else "closed"
    return heard


async def _read_body(reader: asyncio.StreamReader, heard: Heard, *, silence: float) -> None:
    if "content-length" in heard.fields:
        heard.body = await asyncio.wait_for(reader.readexactly(int(heard.fields["content-length"])), silence)
        return
    parts = bytearray()
    chunked = heard.fields.get("transfer-encoding") == "chunked"
    deadline = asyncio.get_running_loop().time() + silence
    try:
        while len(parts) < 16 * MOST:
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError
            piece = await asyncio.wait_for(_chunk(reader) if chunked else reader.read(65536), silence)
            if not piece:
                return
            parts += piece
    finally:
        heard.body = bytes(parts)


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int(await reader.readuntil(b"\r\n"), 16)
    data = await reader.readexactly(size)
    await reader.readexactly(2)
    return data


def events(body: bytes) -> list[tuple[str, str]]:
    """(name, data) of every complete event; raises UnicodeDecodeError."""
    found: list[tuple[str, str]] = []
    name, data = "", list[str]()
    for line in re.split(r"\r\n|\n|\r", body.decode("utf-8-sig")):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif not line and data:
            found.append((name, "\n".join(data)))
            name, data = "", []
    return found


@dataclass
class Verdict:
    """What a strict reader makes of a stream."""

    text: str = ""
    reasoning: str = ""
    finish: str = ""
    usage: list[dict[str, Any]] = field(default_factory=list)
    broken: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)


def judge(heard: Heard) -> Verdict:
    """Read the stream: text of choice 0 up to the first finish, and the first thing that breaks it."""
    verdict = Verdict()
    try:
        if heard.fields.get("content-encoding") == "gzip":
            # Only as much as is allowed to come out, or this reader would be the bomb's victim itself.
            heard.body = zlib.decompressobj(wbits=31).decompress(heard.body, 5 * MOST)
        if max(map(len, heard.body.split(b"\n"))) > MOST or len(heard.body) > 4 * MOST:
            verdict.broken = "too_large"
            return verdict
        for name, data in events(heard.body):
            if verdict.broken or data == "[DONE]":
                break
            _take(verdict, name=name, chunk=json.loads(data))
    except (ValueError, zlib.error):
        verdict.broken = "bad_stream"
    return verdict


def _take(verdict: Verdict, *, name: str, chunk: dict[str, Any]) -> None:
    if name == "error" or "error" in chunk:
        verdict.broken = "server_error"
    elif chunk.get("object") != "chat.completion.chunk":
        verdict.broken = "bad_stream"
    else:
        if "usage" in chunk:
            verdict.usage.append(chunk["usage"])
        for choice in chunk["choices"]:
            if choice["index"] == 0 and not verdict.finish:
                _take_choice(verdict, choice)


def _take_choice(verdict: Verdict, choice: dict[str, Any]) -> None:
    delta = choice["delta"] or {}
    verdict.text += delta.get("content") or ""
    verdict.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
    verdict.tools += delta.get("tool_calls") or []
    verdict.finish = choice["finish_reason"] or ""
