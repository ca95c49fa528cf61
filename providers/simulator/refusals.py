"""The answers with a status other than 200: what they say and how often. Data and one function; no sockets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time

from providers.simulator import chunks

HTML = b"<!doctype html><title>Sign in</title><h1>Please sign in</h1><form method=post></form>"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One status with its body; `times` refusals per seed, then answers; 0 refuses always."""

    status: int
    kind: str
    code: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    times: int = 0
    html: bool = False


_LIMIT = ("rate_limit_error", "rate_limit_exceeded")
_AWAY = "http://simulator-redirect.invalid/v1/chat/completions"
_METADATA = "http://169.254.169.254/latest/meta-data/"
REFUSALS: dict[str, Refusal] = {
    "rate_limit_1": Refusal(429, *_LIMIT, {"Retry-After": "1"}, times=1),
    "rate_limit_ms": Refusal(429, *_LIMIT, {"retry-after-ms": "200"}, times=1),
    "rate_limit_date": Refusal(429, *_LIMIT, {"Retry-After": "date"}, times=1),
    "rate_limit_once": Refusal(429, *_LIMIT, times=1),
    "rate_limit_500": Refusal(429, *_LIMIT, {"Retry-After": "500"}),
    "rate_limit_none": Refusal(429, *_LIMIT),
    "no_credit": Refusal(429, "insufficient_quota", "insufficient_quota"),
    "billing_402": Refusal(402, "billing_error", "credit_balance_exhausted"),
    "err500_once": Refusal(500, "server_error", times=1),
    "err500": Refusal(500, "server_error"),
    "err502": Refusal(502, "server_error", html=True),
    "err503": Refusal(503, "server_error", "service_unavailable"),
    "err504": Refusal(504, "server_error", html=True),
    "err529": Refusal(529, "overloaded_error"),
    "err408": Refusal(408, "timeout"),
    "err409": Refusal(409, "conflict"),
    "redirect_other": Refusal(307, "redirect", fields={"Location": _AWAY}),
    "redirect_metadata": Refusal(302, "redirect", fields={"Location": _METADATA}),
    "e400": Refusal(400, "invalid_request_error"),
    "e400_context": Refusal(400, "invalid_request_error", "context_length_exceeded"),
    "e400_filter": Refusal(400, "invalid_request_error", "content_policy_violation"),
    "e401": Refusal(401, "invalid_request_error", "invalid_api_key"),
    "e403": Refusal(403, "permission_error", "permission_denied"),
    "e404": Refusal(404, "invalid_request_error", "model_not_found"),
    "e413": Refusal(413, "invalid_request_error", "request_too_large"),
    "e422": Refusal(422, "invalid_request_error", "unprocessable"),
}


def refusal_bytes(refusal: Refusal, *, note: str = "The simulator refuses, as it was told") -> bytes:
    """The complete HTTP answer. A Retry-After of "date" becomes the date 2 s from now."""
    fields = dict(refusal.fields)
    if fields.get("Retry-After") == "date":
        fields["Retry-After"] = formatdate(time() + 2, usegmt=True)
    body = HTML if refusal.html else chunks.dumps(chunks.error(note, kind=refusal.kind, code=refusal.code))
    fields["Content-Type"] = "text/html" if refusal.html else "application/json"
    return chunks.head(refusal.status, fields=fields, length=len(body), framing="length") + body
