"""A multipart body (an audio file and a few fields): read, counted, and written anew for the provider. Runs in a thread."""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from api.gateway.bodies import LEFT_OUT, Wanted
from api.gateway.envelope import Refusal
from api.gateway.size import SOUND_BYTES
from usage import estimates


class _InMemory(MemoryFileUploadHandler):
    """The body was bounded before; nothing is written to a disk."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        self.activated = True


def read(content: bytes, *, content_type: str) -> Wanted:
    """The fields, the file under "file" as (name, type, bytes). Raises Refusal (400, 415)."""
    if not content_type.lower().startswith("multipart/form-data"):
        raise Refusal(415, "not_multipart", "Send multipart/form-data, with the sound in the field “file”.")
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": len(content)}
    try:
        parser = MultiPartParser(meta, BytesIO(content), [_InMemory()], "utf-8")
        texts, files = parser.parse()
    except (MultiPartParserError, SuspiciousOperation, ValueError, UnicodeError):
        raise Refusal(400, "malformed_form", "The form cannot be read.") from None
    sound: Any = files.get("file")
    if sound is None or len(files) != 1:
        raise Refusal(400, "invalid", "One file is needed, in the field “file”.", param="file")
    fields: dict[str, Any] = {name: texts.getlist(name) for name in texts}
    model = fields.get("model", [""])[-1]
    if not 0 < len(model) <= 300:
        raise Refusal(400, "invalid", "“model” must name a model.", param="model")
    if fields.get("stream", [""])[-1].lower() == "true":
        raise Refusal(400, "invalid", "This address does not stream.", param="stream")
    fields["file"] = (sound.name or "sound", sound.content_type or "application/octet-stream", sound.read())
    size = sound.size // SOUND_BYTES + 1 + sum(estimates.tokens(text) for text in fields.get("prompt", []))
    return Wanted(fields=fields, model=model, stream=False, wants_usage=False, input=size, output=None, answers=1)


def outgoing(wanted: Wanted, *, upstream_name: str) -> tuple[bytes, str]:
    """The body as it goes out, with its content type."""
    boundary = f"portal-{secrets.token_hex(16)}"
    parts: list[bytes] = []
    for name, values in wanted.fields.items():
        if name == "file":
            file, kind, content = values
            parts.append(_head(boundary, name, extra=f'; filename="{_quoted(file)}"', kind=kind) + content)
        elif name not in LEFT_OUT:
            given = [upstream_name] if name == "model" else values
            parts += [_head(boundary, name) + value.encode() for value in given]
    return b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _head(boundary: str, name: str, *, extra: str = "", kind: str = "") -> bytes:
    line = f"Content-Type: {_quoted(kind)}\r\n" if kind else ""
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"{extra}\r\n{line}\r\n'.encode()


def _quoted(text: str) -> str:
    """Nothing in it ends the line or the quotation."""
    return text.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
