"""How many tokens a text is, when nobody has said so. Pure; always flagged as an estimate by whoever uses it."""

from __future__ import annotations

import re

# A CJK character is about one token, four other characters are one (measured guesses; provider's usage wins).
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
PER_MESSAGE = 4


def tokens(text: str) -> int:
    """The estimated number of tokens of a text, rounded up."""
    if text.isascii():
        return (len(text) + 3) // 4
    wide = sum(len(run) for run in _WIDE.findall(text))
    return wide + (len(text) - wide + 3) // 4


class Counter:
    """Adds up pieces of a text as if it were estimated whole; keeps none of them."""

    __slots__ = ("_plain", "_wide")

    def __init__(self) -> None:
        self._plain = self._wide = 0

    def add(self, piece: str) -> None:
        wide = 0 if piece.isascii() else sum(len(run) for run in _WIDE.findall(piece))
        self._wide += wide
        self._plain += len(piece) - wide

    @property
    def characters(self) -> int:
        """Of all pieces together."""
        return self._plain + self._wide

    @property
    def tokens(self) -> int:
        """The estimate, rounded up."""
        return self._wide + (self._plain + 3) // 4
