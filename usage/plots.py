"""Areas stacked over time and lines, as points that a template draws as SVG, with its grid: geometry only, no words of its own, no styles.

Each drawing is made for two widths, at which a letter of it is never shown smaller than 11 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MOST_SERIES = 6
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 16, 26
GRID = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """A drawing's size, and how many labels stand below it."""

    name: str
    width: int
    height: int
    labels: int


WIDE = Frame("wide", 720, 240, 6)
NARROW = Frame("narrow", 320, 210, 3)


@dataclass(frozen=True, slots=True)
class Layer:
    """One series: its colour's number from 1, its outline, and the area down to the one below ("" for a line alone)."""

    series: int
    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text and where it stands; `anchor` is SVG's."""

    x: int
    y: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Everything that is drawn, bottom layer first. `mark` is the height of a line across (a budget), if there is one in sight."""

    frame: Frame
    layers: tuple[Layer, ...]
    grid: tuple[Label, ...]
    ticks: tuple[Label, ...]
    mark: int | None

    @property
    def left(self) -> int:
        return LEFT

    @property
    def right(self) -> int:
        return self.frame.width - RIGHT


def nice(top: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 times a power of ten, for each of GRID parts."""
    part = max(top / GRID, 1e-9)
    power = 10.0 ** (len(str(int(part))) - 1 if part >= 1 else 0)
    while power > part:
        power /= 10
    for factor in (1, 2, 2.5, 5, 10):
        if factor * power >= part:
            return factor * power * GRID
    return 10 * power * GRID


def plot(
    series: Sequence[Sequence[int]], *, frame: Frame, labels: Sequence[str], says: Callable[[float], str],
    mark: int | None = None, stacked: bool = True,
) -> Plot:  # fmt: skip
    """Of several series over the same steps; `labels` are those of the steps, `says` tells a value of the grid."""
    steps = len(labels)
    heights = _stacked(series) if stacked else [list(map(float, each)) for each in series]
    top = nice(max([1.0, float(mark or 0), *(value for each in heights for value in each)]))

    def x(step: int) -> float:
        inner = frame.width - LEFT - RIGHT
        return LEFT + (inner * step / (steps - 1) if steps > 1 else inner / 2)

    def y(value: float) -> float:
        return frame.height - BOTTOM - value / top * (frame.height - TOP - BOTTOM)

    layers = []
    below = [0.0] * steps
    for number, each in enumerate(heights):
        ends = _points(each, x=x, y=y, frame=frame)
        floor = _points(below, x=x, y=y, frame=frame)
        area = " ".join([*ends, *reversed(floor)]) if stacked else ""
        layers.append(Layer(number + 1, " ".join(ends), area))
        below = each
    grid = [Label(LEFT - 8, round(y(top * n / GRID)), says(top * n / GRID), "end") for n in range(GRID + 1)]
    line = None if mark is None else round(y(mark))
    return Plot(frame, tuple(layers), tuple(grid), _ticks(labels, x=x, frame=frame), line)


def _points(
    values: Sequence[float], *, x: Callable[[int], float], y: Callable[[float], float], frame: Frame
) -> list[str]:
    """One step alone is as wide as the drawing."""
    if len(values) == 1:
        level = f"{y(values[0]):.1f}"
        return [f"{LEFT},{level}", f"{frame.width - RIGHT},{level}"]
    return [f"{x(n):.1f},{y(value):.1f}" for n, value in enumerate(values)]


def _stacked(series: Sequence[Sequence[int]]) -> list[list[float]]:
    """What is negative (a correction) is not drawn."""
    found: list[list[float]] = []
    for each in series:
        under = found[-1] if found else [0.0] * len(each)
        found.append([low + max(0, value) for low, value in zip(under, each, strict=True)])
    return found


def _ticks(labels: Sequence[str], *, x: Callable[[int], float], frame: Frame) -> tuple[Label, ...]:
    """The first, the last, and some between them."""
    last = len(labels) - 1
    count = min(frame.labels, len(labels))
    places = sorted({round(last * n / max(1, count - 1)) for n in range(count)})
    y = frame.height - 8
    found = []
    for place in places:
        anchor = "middle" if last == 0 or 0 < place < last else ("start" if place == 0 else "end")
        found.append(Label(round(x(place)), y, labels[place], anchor))
    return tuple(found)
