"""Percentiles out of log-spaced histograms. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from usage.rollup_models import BINS, EDGES


@dataclass(slots=True)
class Times:
    """How many took how long, by bin, and the longest in ms."""

    counts: list[int] = field(default_factory=lambda: [0] * BINS)
    longest: int = 0

    def add(self, more: Times) -> None:
        self.counts = [a + b for a, b in zip(self.counts, more.counts, strict=True)]
        self.longest = max(self.longest, more.longest)

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def p50(self) -> int | None:
        return percentile(self.counts, 50, longest=self.longest)

    @property
    def p95(self) -> int | None:
        return percentile(self.counts, 95, longest=self.longest)


def percentile(counts: Sequence[int], percent: float, *, longest: int) -> int | None:
    """In ms, to within a bin (each is 1.6 times the one before), read between its edges as if its times lay evenly in proportion.

    None where nothing was counted; never more than the longest.
    """
    total = sum(counts)
    if not total:
        return None
    wanted = total * percent / 100
    seen = 0
    for number, count in enumerate(counts):
        if seen + count >= wanted and count:
            low = EDGES[number - 1] if number else 0
            high = min(EDGES[number], max(longest, low)) if number < len(EDGES) else max(longest, low)
            share = (wanted - seen) / count
            found = low * (high / low) ** share if low else high * share
            return min(round(found), longest)
        seen += count
    return longest
