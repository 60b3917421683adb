"""Draws charts as SVG: lines over linear or logarithmic axes, and values with intervals. Colours
are defined in the style sheet of the page, for the light and dark theme and for print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from w2v.explorer.page import text

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 22, 12, 44  # margins of the plot
MOST_POINTS = 400  # of one line: more would not be visible
FARTHEST = 1e300  # the distance of two such points does not overflow
ROW, GAP = 13, 12  # interval charts: height of a run, and space between rows
NAMES = 190  # interval charts: width of the names

Point = tuple[float, float]


class Series(NamedTuple):
    """A line of points in the colour of its run, with marks if they are few."""

    name: str
    colour: int
    points: Sequence[Point]


class Axis(NamedTuple):
    """An axis. If `whole`, it begins at 0, or at 1 if logarithmic, and ends at the last value."""

    label: str
    log: bool = False
    whole: bool = False


class Scale:
    """Maps values to positions on the page, from `start` to `end` pixels."""

    def __init__(self, values: Sequence[float], axis: Axis, start: float, end: float) -> None:
        self.axis, self.start, self.end = axis, start, end
        low, high = min(values), max(values)
        if axis.whole:
            low = 1 if axis.log else 0
        if axis.log:
            low, high = math.log10(low), math.log10(high)
        if high - low < 1e-9 * max(1, abs(high)):
            room = 0.5 if axis.log else max(abs(high) * 0.1, 1e-6)
            low, high = low - room, high + room
        elif not axis.whole:
            low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        value = math.log10(value) if self.axis.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Returns round values to label the axis with."""
        if not self.axis.log:
            step = _round_step((self.high - self.low) / 5)
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            return [round(i * step, 12) for i in range(first, last + 1)]
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        many = self.high - self.low > 2
        steps = (1,) if many else (1, 2, 5) if self.high - self.low > 0.5 else range(1, 10)
        marks = [step * 10.0**power for power in decades for step in steps]
        every = max(1, math.ceil(len(decades) / 7)) if many else 1
        inside = [mark for mark in marks if self.low <= math.log10(mark) <= self.high]
        return inside[::every]


def line_chart(title: str, series: Sequence[Series], x: Axis, y: Axis) -> str:
    drawn = [Series(s.name, s.colour, _drawable(s.points, x, y)) for s in series]
    drawn = [s for s in drawn if s.points]
    if not drawn:
        return ""
    all_points = [point for s in drawn for point in s.points]
    across = Scale([point[0] for point in all_points], x, LEFT, WIDTH - RIGHT)
    upward = Scale([point[1] for point in all_points], y, HEIGHT - BOTTOM, TOP)
    parts = [*_grid(across, upward)]
    for name, colour, points in drawn:
        line = " ".join(f"{across(a):.1f},{upward(b):.1f}" for a, b in points)
        parts.append(f'<polyline class="line s{colour}" points="{line}"/>')
        for a, b in points if len(points) <= 30 else ():
            tip = f"{name}: {y.label} {number(b)} at {x.label} {number(a)}"
            parts.append(_mark(colour, across(a), upward(b), tip))
    return _figure(title, HEIGHT, parts)


class Estimate(NamedTuple):
    """A value and its 95 % interval, if there is one."""

    value: float
    interval: tuple[float, float] | None
    colour: int
    name: str


def interval_chart(title: str, rows: Sequence[tuple[str, Sequence[Estimate]]], label: str) -> str:
    """Draws named rows of estimates, one below the other; "" if there are none."""
    rows = [row for row in rows if row[1]]
    if not rows:
        return ""
    ends = [end for _, row in rows for e in row for end in (e.interval or (e.value,) * 2)]
    height = TOP + sum(len(row) * ROW + GAP for _, row in rows) + BOTTOM
    across = Scale(ends, Axis(label), NAMES, WIDTH - RIGHT)
    parts, top = [], float(TOP)
    for tick in across.ticks():
        parts.append(_line("grid", (across(tick), TOP), (across(tick), height - BOTTOM)))
        parts.append(_label(across(tick), height - BOTTOM + 16, number(tick)))
    parts.append(_label((NAMES + WIDTH) / 2, height - 8, label))
    for name, row in rows:
        tall = len(row) * ROW
        short = name if len(name) <= 27 else f"{name[:26]}…"
        parts.append(_label(NAMES - 10, top + tall / 2 + 4, short, "end"))
        for estimate in row:
            middle, tip = top + ROW / 2, f"{estimate.name}: {number(estimate.value)}"
            if estimate.interval:
                low, high = estimate.interval
                tip += f" ({number(low)} to {number(high)})"
                bar = (across(low), middle), (across(high), middle)
                parts.append(_line(f"line s{estimate.colour}", *bar))
            parts.append(_mark(estimate.colour, across(estimate.value), middle, tip))
            top += ROW
        top += GAP
    return _figure(title, height, parts)


def number(value: float | None) -> str:
    """Formats a number for display: 17.4 M, 1,024, 0.0251."""
    if value is None or not math.isfinite(value):
        return "n/a"
    size = abs(value)
    for least, unit, name in ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= least:
            return f"{value / unit:.3g} {name}"
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}" if size >= 1e-4 else f"{value:.2e}"


def _figure(title: str, height: float, parts: Sequence[str]) -> str:
    box = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{text(title)}"'
    return (
        f"<figure><figcaption>{text(title)}</figcaption><svg {box}>{''.join(parts)}</svg></figure>"
    )


def _grid(across: Scale, upward: Scale) -> Iterator[str]:
    for tick in upward.ticks():
        y = upward(tick)
        yield _line("grid", (LEFT, y), (WIDTH - RIGHT, y))
        yield _label(LEFT - 7, y + 4, number(tick), "end")
    base = HEIGHT - BOTTOM
    yield _line("axis", (LEFT, base), (WIDTH - RIGHT, base))
    for tick in across.ticks():
        x = across(tick)
        yield _line("axis", (x, base), (x, base + 4))
        yield _label(x, base + 18, number(tick))
    yield _label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, across.axis.label)
    rotation = f'transform="translate(13 {(TOP + base) / 2:.0f}) rotate(-90)"'
    yield f'<text class="name" text-anchor="middle" {rotation}>{text(upward.axis.label)}</text>'


def _line(kind: str, start: Point, end: Point) -> str:
    (x1, y1), (x2, y2) = start, end
    return f'<line class="{kind}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _mark(colour: int, x: float, y: float, tip: str) -> str:
    title = f"<title>{text(tip)}</title>"
    return f'<circle class="mark s{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.3">{title}</circle>'


def _label(x: float, y: float, content: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(content)}</text>'


def _drawable(points: Sequence[Point], x: Axis, y: Axis) -> list[Point]:
    """Returns the points that can be drawn (positive on logarithmic axes), at most MOST_POINTS."""
    good = [
        (a, b)
        for a, b in points
        if abs(a) < FARTHEST and abs(b) < FARTHEST and (a > 0 or not x.log) and (b > 0 or not y.log)
    ]
    every = math.ceil(len(good) / MOST_POINTS) if good else 1
    last = [] if (len(good) - 1) % every == 0 else good[-1:]
    return [*good[::every], *last]


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * 0.999)
