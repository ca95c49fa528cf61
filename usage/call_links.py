"""Where the calls behind a figure are listed. The one place that knows that page's address and its parameters."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from usage.spans import Span

CALLS = "/setup/calls/"


def calls(span: Span, **only: UUID | str) -> str:
    """The calls of a span; `only`: person, team, key, model, provider, source, outcome or error."""
    values = {"from": span.starts_at.isoformat(), "to": span.ends_at.isoformat()}
    return f"{CALLS}?{urlencode(values | {name: str(value) for name, value in only.items()})}"
