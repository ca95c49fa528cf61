"""What a view tells api.waiting, on the loop, through a header that never reaches the client: which answer to await, and how."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

import orjson

HEADER = "X-Await"
_UUID = re.compile(r"[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True)
class Awaited:
    """`wait` in seconds. `after`: characters that are known (None: the end is awaited) when it was in `state`.

    `stream`: it is sent word by word to `user` (its number), who may read it now.
    """

    generation: str
    wait: float = 0.0
    after: int | None = None
    state: str = ""
    stream: bool = False
    user: int = 0

    def header(self) -> str:
        """To be put into HEADER."""
        return orjson.dumps(asdict(self)).decode("ascii")


def read(value: bytes) -> Awaited | None:
    """What a header says; None for none."""
    if not value:
        return None
    found = Awaited(**orjson.loads(value))
    return found if _UUID.fullmatch(found.generation) else None
