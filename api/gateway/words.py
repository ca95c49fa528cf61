"""What a caller is told when her call cannot be answered: of a provider's failure, and of a call that was ended by us."""

from __future__ import annotations

import math
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from api.gateway.envelope import Refusal
from api.gateway.running import Why
from providers.client_chunks import clean
from providers.failures import Failure, Kind
from usage import call_words

# Failures that are the request's own fault: what the provider says of it helps whoever wrote it.
_OWN = {
    Kind.BAD_REQUEST: "invalid_request",
    Kind.CONTEXT_TOO_LONG: "context_length_exceeded",
    Kind.CONTENT_FILTER: "content_filter",
}
_HOPELESS = frozenset({Kind.NO_CREDIT, Kind.BAD_KEY, Kind.MODEL_GONE, Kind.REDIRECT, Kind.NO_MODEL})
_SLOW = frozenset({Kind.FIRST_BYTE_TIMEOUT, Kind.STALLED, Kind.DEADLINE})
LONGEST = 1_000
FULL_S, BUSY_S = 2, 5


def of_failure(failure: Failure, *, key: str, language: str) -> Refusal:
    """The error for a failure. `key` is the provider's and stands in nothing that leaves."""
    with translation.override(language):
        if failure.kind in _OWN:
            return _as_said(failure, key=key)
        if failure.kind == Kind.LIMIT_HELD:
            text = _("All places of the model's provider are taken. Try again in a moment.")
            return Refusal(503, "provider_full", text, retry_after=FULL_S)
        why = call_words.error(failure.kind.value)
        text = _("The model's provider could not answer: %(why)s.") % {"why": why}
        if failure.kind == Kind.RATE_LIMIT:
            wait = BUSY_S if failure.retry_after is None else math.ceil(failure.retry_after)
            return Refusal(429, "provider_busy", text, retry_after=max(1, wait))
        if failure.kind in _HOPELESS:
            return Refusal(502, failure.kind.value, text, headers={"x-should-retry": "false"})
        return Refusal(504 if failure.kind in _SLOW else 502, failure.kind.value, text)


def of_stop(why: Why, *, language: str) -> Refusal | None:
    """The error for a call that was ended by us; None when nobody is there to be told."""
    with translation.override(language):
        if why == "cut":
            return Refusal(401, "invalid_key", _("The key or the sign-in has ended."))
        if why == "stopping":
            text = _("The server is restarting. Try again in a moment.")
            return Refusal(503, "stopping", text, retry_after=FULL_S)
        if why == "lost":
            return Refusal(500, "server_error", _("Something went wrong on our side. Ask again."))
    return None


def _as_said(failure: Failure, *, key: str) -> Refusal:
    """The provider's own words about a request: bounded, and without its key."""
    said = failure.said
    text = _text(said.get("message"), key=key) or call_words.error(failure.kind.value)
    param = said.get("param")
    status = failure.status if failure.status in (400, 413, 415, 422) else 400
    code = _text(said.get("code"), key=key)[:80] or _OWN[failure.kind]
    return Refusal(status, code, text, param=_text(param, key=key)[:80] or None)


def _text(value: Any, *, key: str) -> str:
    found = clean(value)[:LONGEST] if isinstance(value, str) else ""
    return found.replace(key, "…") if len(key) > 5 else found
