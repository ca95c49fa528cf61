"""Bars by day, stacked by model, as rectangles that a template draws as SVG: geometry only, no words, no styles.

The drawing is stretched to its place, so it holds no text: what is written stands around it, and a table says the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from usage.spending import Used

MOST_SERIES = 6
HEIGHT = 100
GAP = 0.25


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of a day: its rectangle in a drawing of `days` × 100, which series (1 to 6), and what it says."""

    x: str
    y: str
    width: str
    height: str
    series: int
    day: dt.date
    model: str
    value: int


@dataclass(frozen=True, slots=True)
class Chart:
    """`series` are the models' names in order, the last one "" for all others together; `top` is the tallest day."""

    bars: tuple[Bar, ...]
    series: tuple[str, ...]
    days: tuple[dt.date, ...]
    top: int

    @property
    def width(self) -> int:
        return len(self.days)


def stacked(rows: Sequence[Used], *, days: Sequence[dt.date], value: Callable[[Used], int]) -> Chart:
    """The chart of one figure. Models beyond the five biggest are one series; what is negative (a correction) is not drawn."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.model] = totals.get(row.model, 0) + max(0, value(row))
    order = sorted(totals, key=lambda model: (-totals[model], model))
    named = order if len(order) <= MOST_SERIES else order[: MOST_SERIES - 1]
    series = (*named, *([""] if len(order) > len(named) else []))
    cells: dict[tuple[dt.date, int], int] = {}
    for row in rows:
        which = named.index(row.model) if row.model in named else len(named)
        cells[row.day, which] = cells.get((row.day, which), 0) + max(0, value(row))
    top = max((sum(cells.get((day, n), 0) for n in range(len(series))) for day in days), default=0)
    return Chart(tuple(_bars(cells, days=days, series=series, top=top)), series, tuple(days), top)


def _bars(
    cells: dict[tuple[dt.date, int], int], *, days: Sequence[dt.date], series: Sequence[str], top: int
) -> list[Bar]:
    found = []
    for place, day in enumerate(days):
        below = 0.0
        for number, model in enumerate(series):
            amount = cells.get((day, number), 0)
            if not amount:
                continue
            height = amount * HEIGHT / top
            y = HEIGHT - below - height
            rectangle = (_number(place + GAP / 2), _number(y), _number(1 - GAP), _number(height))
            found.append(Bar(*rectangle, number + 1, day, model, amount))
            below += height
    return found


def _number(value: float) -> str:
    """As SVG writes it, whatever the reader's language does with commas."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
