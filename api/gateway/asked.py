"""A request as it came in: whole, sound as HTTP, not yet looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Asked:
    """`path` is what follows /v1; header names are in lower case. `id` ties the call's hold, row, entries and log lines together."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    address: str
    body: bytes
    id: UUID
