"""What the machine believes: the ledger as it would be kept by hand, and the product's one clock in its hand. Asserts nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container
from dataclasses import dataclass, field

START = dt.datetime(2026, 3, 28, 21, 30, tzinfo=dt.UTC)  # the evening before the clock is put forward in Berlin


class Clock:
    """The product's one clock, in the machine's hand."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> dt.datetime:
        self.time += dt.timedelta(milliseconds=1)
        return self.time


CLOCK = Clock()


@dataclass
class Call:
    """What the plain ledger knows of one question."""

    person: int
    reserved_at: dt.datetime
    input: int
    output: int
    state: str = "held"  # held, settled, released
    used: tuple[int, int] = (0, 0)
    requests: int = 0
    estimated: bool = False
    corrected: int = 0
    tries: dict[int, int] = field(default_factory=dict)  # lost ones, by attempt: what may be billed of the prompt
    fitted: set[int] = field(default_factory=set)  # of these: there was room for it beside the hold

    def amount(self, unit: str) -> int:
        given, made = self.used
        cost = given + 2 * made
        return {"requests": self.requests, "tokens": given + made, "output": made, "cost": cost, "at_once": 0}[unit]

    def lost(self, unit: str, *, but: Container[int] = ()) -> int:
        tokens = sum(tokens for attempt, tokens in self.tries.items() if attempt not in but)
        return tokens if unit in {"tokens", "cost"} else 0

    def most(self, unit: str) -> int:
        cost = self.input + 2 * self.output
        whole = {"requests": 1, "at_once": 1, "tokens": self.input + self.output, "output": self.output, "cost": cost}
        return whole[unit]
