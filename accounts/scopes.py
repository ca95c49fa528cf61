"""What a credential of a program may be allowed to do: the one table of scopes, and who may have which.

A scope only narrows. What counts is decided at each use: the scopes of the key, cut down to what its owner may do today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope: its sentence in the form, and whether somebody may have it today."""

    name: str
    words: str | Promise
    allowed: Callable[[User], bool]


def _everybody(user: User) -> bool:
    return user.is_active


def _people(user: User) -> bool:
    return user.is_active and not user.is_service


def _staff(user: User) -> bool:
    return user.is_active and user.is_staff


SCOPES: dict[str, Scope] = {
    scope.name: scope
    for scope in (
        Scope("chat", _("Ask models and read the answers"), _everybody),
        Scope("models", _("See which models there are"), _everybody),
        Scope("usage", _("See what was used"), _everybody),
        Scope("profile", _("Change the name, language, time zone, theme and default model"), _people),
        Scope("keys", _("See and revoke API keys"), _everybody),
        Scope("admin", _("Use the administration, as far as its owner may"), _staff),
    )
}
DEFAULT = ("chat", "models")
"""What a new key may do unless something else is chosen: what a chat program needs."""


def of(user: User) -> frozenset[str]:
    """Every scope that this person may have today; what a signed-in person has."""
    return frozenset(name for name, scope in SCOPES.items() if scope.allowed(user))


def effective(names: Iterable[str], *, user: User) -> frozenset[str]:
    """What is left of a key's scopes today. Names that are no longer in the table count for nothing."""
    return of(user) & frozenset(names)
