"""What is known of one person, part by part: counted, exported, erased. Each room registers its parts in AppConfig.ready.

Decides nothing: who may, and when, stands in accounts.erasing and accounts.taking_along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from accounts.models import User

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of rows. `erase(person)` treats some of them in a short transaction and says how many; 0: nothing is left.

    `count(person)` is how many there are to treat. `rows(person)` is what an export holds of them; `texts(person)` yields further
    files (name, text), one after the other, so that none has to fit into memory with all others.
    """

    slug: str
    title: str | Promise
    count: Callable[[User], int]
    erase: Callable[[User], int]
    rows: Callable[[User], Rows] | None = None
    texts: Callable[[User], Iterator[tuple[str, str]]] | None = None


_parts: dict[str, Part] = {}


def register(part: Part) -> None:
    """Adds a part; the same slug again replaces it."""
    _parts[part.slug] = part


def parts() -> list[Part]:
    """All of them. What hangs on a key's number comes before the keys, the account itself last: while it stands, a repeat finds its way."""
    late = ("keys", "trail", "account")
    return sorted(_parts.values(), key=lambda part: (part.slug in late and late.index(part.slug) + 1, part.slug))
