"""Through which door a question comes, and what that door allows. A word each; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from usage.models import Source


@dataclass(frozen=True, slots=True)
class Door:
    """`key`: the API key that asks, whose limits apply as well. `models`: the names it may use; None: all that the person may."""

    source: str = Source.PAGE
    key: UUID | None = None
    models: frozenset[str] | None = None

    def lets(self, model: str) -> bool:
        """Whether this model may be asked through it."""
        return self.models is None or model in self.models


PAGE = Door()
