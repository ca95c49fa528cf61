"""What went wrong with a provider, in our words, and what follows from it: tried again or not, charged or not.

Read by the web too, so it imports neither openai nor Django, and it talks to nobody.
"""

from __future__ import annotations

import email.utils
import math
import random
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

PATIENCE_S = 60.0
"""A provider that asks for a longer pause than this is not waited for."""


class Kind(StrEnum):
    """Every way in which a call can end badly. The values are stored; never rename one."""

    RATE_LIMIT = "rate_limit"
    NO_CREDIT = "no_credit"
    SERVER_ERROR = "server_error"
    UNREACHABLE = "unreachable"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    STALLED = "stalled"
    CUT_OFF = "cut_off"
    BAD_STREAM = "bad_stream"
    CONTENT_FILTER = "content_filter"
    CONTEXT_TOO_LONG = "context_too_long"
    BAD_KEY = "bad_key"
    MODEL_GONE = "model_gone"
    BAD_REQUEST = "bad_request"
    NOT_A_STREAM = "not_a_stream"
    TOO_LARGE = "too_large"
    REDIRECT = "redirect"
    DEADLINE = "deadline"
    WORKER_LOST = "worker_lost"
    POISONED = "poisoned"
    HAND_BACK = "hand_back"
    NO_MODEL = "no_model"
    INTERNAL = "internal"
    # Not the provider's: what the person may use.
    LIMIT_REACHED = "limit_reached"
    LIMIT_HELD = "limit_held"


class Failure(Exception):
    """A call that ended badly.

    `retry_after`: seconds that the provider asked for. `dispatched`: the provider may have begun to work and so may
    bill (a refusal by status line is not that). `detail`: short, for the log; never a key, never a raw body.
    `said`: the provider's own error object, for the one who asked; it never goes into a log.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        detail: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        dispatched: bool = False,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
        self.detail = detail
        self.status = status
        self.retry_after = retry_after
        self.dispatched = dispatched
        self.said = said or {}


# Pauses in seconds before the second, third, … request: at most one request more than there are pauses.
# Only while nothing was shown: a text that has begun is never asked for again by itself.
PAUSES: Mapping[Kind, tuple[float, ...]] = {
    Kind.RATE_LIMIT: (1.0, 2.0, 4.0),
    Kind.SERVER_ERROR: (1.0, 2.0),
    Kind.UNREACHABLE: (0.2, 0.5),
    Kind.FIRST_BYTE_TIMEOUT: (0.2,),
    Kind.STALLED: (0.2,),
    Kind.CUT_OFF: (0.2, 0.5),
    Kind.BAD_STREAM: (0.5,),
}
MOVES_ON = frozenset({*PAUSES, Kind.NO_CREDIT, Kind.BAD_KEY, Kind.MODEL_GONE, Kind.NOT_A_STREAM, Kind.REDIRECT})
"""Kinds that say something of the provider only: while nothing was shown, the model's next provider is asked at once, each one once."""
HEEDED = frozenset({Kind.RATE_LIMIT, Kind.SERVER_ERROR})
"""Kinds whose Retry-After is believed."""

FREE = frozenset(
    {
        Kind.NO_CREDIT,
        Kind.BAD_KEY,
        Kind.MODEL_GONE,
        Kind.BAD_REQUEST,
        Kind.CONTEXT_TOO_LONG,
        Kind.REDIRECT,
        Kind.NO_MODEL,
        Kind.LIMIT_REACHED,
        Kind.LIMIT_HELD,
    }
)
"""Refusals: no provider bills them, whatever was sent."""


def most_tries(kind: Kind) -> int:
    """The most requests that one answer may cost when this is what goes wrong (1: never asked again)."""
    return len(PAUSES.get(kind, ())) + 1


def retry_delay(
    kind: Kind, *, tries: int, retry_after: float | None = None, rng: random.Random | None = None
) -> float | None:
    """Seconds until the next request, or None when there is none.

    `tries` counts the requests made so far for this answer, the one that has just failed included (so at least 1).
    Only to be asked while nothing was shown. Lost workers and hand-backs are counted elsewhere.
    """
    pauses = PAUSES.get(kind, ())
    if not 1 <= tries <= len(pauses):
        return None
    if retry_after is not None and kind in HEEDED:
        return retry_after if 0 <= retry_after <= PATIENCE_S else None
    spread = (rng or random).uniform(0.75, 1.25)
    return pauses[tries - 1] * spread


def charge(kind: Kind, *, dispatched: bool, shown: bool) -> Literal["none", "estimate"]:
    """What a call that ended so costs: nothing, or an estimate (the prompt, and whatever text came)."""
    if shown:
        return "estimate"
    return "estimate" if dispatched and kind not in FREE else "none"


_CODES: Mapping[str, Kind] = {
    "insufficient_quota": Kind.NO_CREDIT,
    "credit_balance_exhausted": Kind.NO_CREDIT,
    "insufficient_balance": Kind.NO_CREDIT,
    "insufficient_user_quota": Kind.NO_CREDIT,
    "billing_hard_limit_reached": Kind.NO_CREDIT,
    "billing_not_active": Kind.NO_CREDIT,
    "account_deactivated": Kind.NO_CREDIT,
    "arrearage": Kind.NO_CREDIT,
    "exceeded_current_quota_error": Kind.NO_CREDIT,
    "rate_limit_exceeded": Kind.RATE_LIMIT,
    "rate_limit_error": Kind.RATE_LIMIT,
    "too_many_requests": Kind.RATE_LIMIT,
    "throttling": Kind.RATE_LIMIT,
    "context_length_exceeded": Kind.CONTEXT_TOO_LONG,
    "string_above_max_length": Kind.CONTEXT_TOO_LONG,
    "content_policy_violation": Kind.CONTENT_FILTER,
    "content_filter": Kind.CONTENT_FILTER,
    "data_inspection_failed": Kind.CONTENT_FILTER,
    "datainspectionfailed": Kind.CONTENT_FILTER,
    "invalid_api_key": Kind.BAD_KEY,
    "api_key_invalid": Kind.BAD_KEY,
    "invalid_authentication_error": Kind.BAD_KEY,
    "authentication_error": Kind.BAD_KEY,
    "permission_error": Kind.BAD_KEY,
    "model_not_found": Kind.MODEL_GONE,
    "model_not_exist": Kind.MODEL_GONE,
    "server_error": Kind.SERVER_ERROR,
    "overloaded_error": Kind.SERVER_ERROR,
    "engine_overloaded_error": Kind.SERVER_ERROR,
}
_CODE_ENDS: tuple[tuple[str, Kind], ...] = (("_spend_limit_exceeded", Kind.NO_CREDIT),)
_STATUS: Mapping[int, Kind] = {
    401: Kind.BAD_KEY,
    402: Kind.NO_CREDIT,
    403: Kind.BAD_KEY,
    404: Kind.MODEL_GONE,
    408: Kind.SERVER_ERROR,
    409: Kind.SERVER_ERROR,
    410: Kind.MODEL_GONE,
    413: Kind.CONTEXT_TOO_LONG,
    425: Kind.SERVER_ERROR,
    429: Kind.RATE_LIMIT,
}
# Providers that give no code say it in English; looked for only where the status alone means "bad request".
_WORDS: tuple[tuple[str, Kind], ...] = (
    ("maximum context length", Kind.CONTEXT_TOO_LONG),
    ("context window", Kind.CONTEXT_TOO_LONG),
    ("prompt is too long", Kind.CONTEXT_TOO_LONG),
    ("api key not valid", Kind.BAD_KEY),
)


def classify(status: int | None, *, code: str = "", type_: str = "", message: str = "") -> Kind:
    """The kind of an answer that is an error: by its code, then its type, then its status, then its words.

    `status` is None for an error object inside a stream. Against a 5xx no code counts: the server is ill.
    """
    if status is not None and status >= 500:
        return Kind.SERVER_ERROR
    if status is not None and 300 <= status < 400:
        return Kind.REDIRECT
    for name in (code.lower(), type_.lower()):
        if name in _CODES:
            return _CODES[name]
        for end, kind in _CODE_ENDS:
            if name.endswith(end):
                return kind
    if status is not None and status in _STATUS:
        return _STATUS[status]
    lowered = message.lower()
    for words, kind in _WORDS:
        if words in lowered:
            return kind
    return Kind.SERVER_ERROR if status is None else Kind.BAD_REQUEST


def parse_retry_after(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or a date); None if absent or senseless.

    `headers` must find names in lower case; `now` is a Unix time.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(date.timestamp() - (time.time() if now is None else now), 0.0)
