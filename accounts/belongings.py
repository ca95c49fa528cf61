"""What a person owns that somebody must take over when she leaves. Each room registers its kinds in AppConfig.ready.

Knows nothing about who may hand what over: accounts.people asks, inside the transaction that deactivates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from accounts.models import User


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of belongings.

    `of(person)` names them; `hand_over(person, heir, by)` gives all of them to `heir`, or, with None, does what `orphaned` says.
    """

    slug: str
    title: str | Promise
    orphaned: str | Promise
    of: Callable[[User], Sequence[str]]
    hand_over: Callable[[User, User | None, User | None], None]
    advice: str | Promise = ""
    """What whoever takes over should do next."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """What a person owns of one kind, for the page that asks who takes it over."""

    kind: Kind
    names: Sequence[str]


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Adds a kind; the same slug again replaces it."""
    _kinds[kind.slug] = kind


def of(person: User) -> list[Belonging]:
    """What the person owns, kind by kind; kinds of which there is nothing are left out."""
    found = [Belonging(kind, kind.of(person)) for kind in _kinds.values()]
    return [belonging for belonging in found if belonging.names]


def hand_over(person: User, *, heir: User | None, by: User | None) -> None:
    """Gives everything to `heir`; without one each kind does what it says it does. Inside the caller's transaction."""
    for kind in _kinds.values():
        kind.hand_over(person, heir, by)
