"""A verb that was not carried out, as pages and programs are told. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _


@dataclass
class Refused(Exception):
    """A verb that was not carried out: nothing was written. `status` is the HTTP status, `code` is stable."""

    status: int
    code: str
    message: str
    extra: dict[str, Any] = field(default_factory=dict)
    # Of a 429: so many seconds until it is worth asking again; None: nobody can say.
    retry_after: int | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def moved_on() -> Refused:
    """The conversation is not where the sender saw it."""
    return Refused(
        409,
        "moved_on",
        _("This conversation was continued elsewhere. Here is the newest state; your text is still in the box."),
    )
