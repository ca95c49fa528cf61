"""A model's modes: up to three ways to ask it (for example Quick and Think), each with fields of its own for the request's body. Pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import slugify
from django.utils.translation import get_language

from providers.models import LanguageModel

MOST = 3
_KEY = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Mode:
    """`key` is what a request names it by and stays when it is renamed. `chinese`: its name there; empty: the same."""

    key: str
    name: str
    chinese: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    answer_tokens: int | None = None

    @property
    def label(self) -> str:
        """Its name in the reader's language."""
        return self.chinese if self.chinese and (get_language() or "").startswith("zh") else self.name

    def to_json(self) -> dict[str, Any]:
        """As it is stored in the model's row."""
        told: dict[str, Any] = {"key": self.key, "name": self.name}
        if self.chinese:
            told["chinese"] = self.chinese
        if self.body:
            told["body"] = dict(self.body)
        if self.answer_tokens:
            told["answer_tokens"] = self.answer_tokens
        return told


def of(model: LanguageModel) -> list[Mode]:
    """The model's modes in their order; the first one is used where nobody has chosen. What cannot be read is left out."""
    rows = model.modes if isinstance(model.modes, list) else []
    found = (_read(row) for row in rows[:MOST])
    return [mode for mode in found if mode is not None]


def _read(row: Any) -> Mode | None:
    if not isinstance(row, dict):
        return None
    key, name, body, tokens = row.get("key"), row.get("name"), row.get("body"), row.get("answer_tokens")
    if not (isinstance(key, str) and _KEY.fullmatch(key) and isinstance(name, str) and name):
        return None
    return Mode(
        key,
        name,
        str(row.get("chinese") or ""),
        body if isinstance(body, dict) else {},
        tokens if isinstance(tokens, int) and tokens > 0 else None,
    )


def named(model: LanguageModel, key: str) -> Mode | None:
    """The mode with this key, if the model has it."""
    return next((mode for mode in of(model) if mode.key == key), None)


def usual(model: LanguageModel, remembered: str = "") -> str:
    """The key of the mode to ask in where nobody says one: the remembered one while the model has it, else the first; empty for none."""
    known = [mode.key for mode in of(model)]
    return remembered if remembered in known else next(iter(known), "")


def body(model: LanguageModel, key: str) -> dict[str, Any]:
    """What is added to a call's body: the model's own fields, and over them the mode's. A mode that is gone adds nothing."""
    mode = named(model, key) if key else None
    fixed = model.body if isinstance(model.body, dict) else {}
    return {**fixed, **(mode.body if mode else {})}


def answer_tokens(model: LanguageModel, key: str) -> int:
    """The usual answer in this mode, in tokens."""
    mode = named(model, key) if key else None
    return mode.answer_tokens if mode and mode.answer_tokens else model.answer_tokens


def new_key(name: str, *, taken: set[str]) -> str:
    """A key for a mode that has none yet: from its name where that has letters a request can carry."""
    made = slugify(name)[:32].strip("-")
    while not made or made in taken:
        made = f"mode-{secrets.token_hex(2)}"
    return made
