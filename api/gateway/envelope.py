"""The one shape of every error under /v1/: OpenAI's envelope, and the exception that carries one. Knows neither Django nor its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

PREFIX = "/v1/"
CONTENT_TYPE = b"application/json"
WORTH_WAITING_S = 60
"""What asks to wait longer than this is not worth an automatic repeat: OpenAI's clients are told so."""

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


class Refusal(Exception):
    """A request that is answered with an error. `code` is for programs and stays, `message` is for people and speaks their language."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after: int | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        type_: str = "",
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message, self.param = status, code, message, param
        self.retry_after, self.more, self.type = retry_after, more or {}, type_ or type_of(status)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The envelope. `more`: further members that belong to the code (which limit, how it stands)."""
        return envelope(self.status, self.code, self.message, param=self.param, more=self.more, type_=self.type)

    def fields(self) -> dict[str, str]:
        """The headers that belong to it."""
        found = dict(self.headers)
        if self.retry_after is not None:
            found["retry-after"] = str(self.retry_after)
        if self.status == 429 and (self.retry_after is None or self.retry_after > WORTH_WAITING_S):
            found["x-should-retry"] = "false"
        if self.status == 401:
            found["www-authenticate"] = 'Bearer realm="v1"'
        return found


def type_of(status: int) -> str:
    """The word that OpenAI has for errors of this status."""
    return _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def envelope(
    status: int, code: str, message: str, *, param: str | None = None, more: Mapping[str, Any] | None = None,
    type_: str = "",
) -> bytes:  # fmt: skip
    """`{"error": {"message", "type", "param", "code"}}`."""
    error = {"message": message, "type": type_ or type_of(status), "param": param, "code": code}
    return orjson.dumps({"error": {**(more or {}), **error}})
