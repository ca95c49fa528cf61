"""The head of a provider's answer, and what a bad one says. Knows no sockets and no SDK: workers and web processes read it alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from providers.client_chunks import clean, label
from providers.client_transport import Body
from providers.failures import Failure, classify, parse_retry_after


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer's head; its body waits to be read and must be closed."""

    status: int
    headers: Mapping[str, str]
    body: Body

    @property
    def request_id(self) -> str:
        """The provider's name for this call, "" when it gives none."""
        return clean(self.headers.get("x-request-id", ""))[:120]

    @property
    def kind(self) -> str:
        """Its media type in lower case, "" when it names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


async def refusal(reply: Reply) -> Failure:
    """What a bad status says; of its body only the beginning is read."""
    parts: list[bytes] = []
    try:
        while part := await reply.body.read():
            parts.append(part)
    except Failure:
        parts.clear()  # the status says enough
    finally:
        reply.body.close()
    try:
        found = orjson.loads(b"".join(parts))
    except orjson.JSONDecodeError:
        found = None
    error = found.get("error", found) if isinstance(found, dict) else {}
    body: dict[str, Any] = error if isinstance(error, dict) else {}
    code, type_, message = (str(body.get(name) or "") for name in ("code", "type", "message"))
    return Failure(
        classify(reply.status, code=code, type_=type_, message=message),
        detail=f"{reply.status} {label(code)} {label(type_)}".strip(),
        status=reply.status,
        retry_after=parse_retry_after(reply.headers),
        said=body,
    )
