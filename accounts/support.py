"""The organisation as this process saw it last: for error pages, which must stand when the database does not. Asks nothing."""

from __future__ import annotations

from accounts.models import Organisation

_seen: list[Organisation] = []


def remember(organisation: Organisation) -> None:
    """What was read just now."""
    _seen[:] = [organisation]


def known() -> Organisation | None:
    """The organisation as it was last read here; None while nobody has."""
    return _seen[0] if _seen else None


def forget() -> None:
    """As in a process that has just begun."""
    _seen.clear()
