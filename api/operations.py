"""What a view says of each of its methods, for the OpenAPI document and the page that shows it: plain data, read by api.openapi.

A view without it cannot be described, and tests/api/test_schema.py fails. Changes nothing of what a view does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.utils.functional import Promise
from rest_framework import serializers

Shape = type[serializers.Serializer[Any]]


class Once(Enum):
    """How a repeat with the same Idempotency-Key stays without effect."""

    ROWS = "the verb itself finds the rows it made before (chat.messages)"
    STORED = "what was answered is kept with what was done, in one transaction (api.repeats)"
    APART = "the same, for what may not be one transaction and is harmless twice"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    `answers`: by status the shape of the body, None for none. `refuses`: the statuses of refusals beyond those that every address
    has (api.openapi). `body`, `query`: what it takes. `example`: a body that is taken. `shown`: an answer to it, by status.
    `once`: it takes an Idempotency-Key, and how. `guarded`: it takes If-Match, and its answer has an ETag. `tagged`: only the latter.
    `located`: the statuses whose answer has a Location. `streams`: it also answers as text/event-stream. `open`: to everybody.
    """

    summary: str | Promise
    answers: Mapping[int, Shape | None]
    more: str | Promise = ""
    body: Shape | None = None
    query: Shape | None = None
    refuses: tuple[int, ...] = ()
    example: Mapping[str, Any] | None = None
    shown: Mapping[int, Any] = field(default_factory=dict)
    once: Once | None = None
    guarded: bool = False
    tagged: bool = False
    located: tuple[int, ...] = ()
    streams: bool = False
    open: bool = False
