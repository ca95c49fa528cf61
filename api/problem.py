"""The one shape of every error under /api/: problem details (RFC 9457) as plain data. Knows neither Django nor its requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


def details(
    status: int,
    *,
    code: str,
    detail: str,
    request_id: str,
    errors: Mapping[str, Sequence[str]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`code` is for programs and never changes, `detail` is for people and speaks their language; `errors` is by field.

    `more`: further members that belong to the code (which limit, how it stands).
    """
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    found |= {name: value for name, value in (more or {}).items() if name not in found}
    if errors:
        found["errors"] = {name: list(texts) for name, texts in errors.items()}
    return found
