"""The picture of what seconds buy: scores against CPU seconds, a point per system."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from w2v.errors import RunError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

OURS, OTHERS = "#0072B2", "#D55E00"
# where a label may stand, the first that is free: its offset in points, and which of its corners
SIDES = (
    (8, -5, "left", "top"),
    (-8, -5, "right", "top"),
    (8, 5, "left", "bottom"),
    (-8, 5, "right", "bottom"),
    (0, 9, "center", "bottom"),
    (0, -9, "center", "top"),
    (8, -30, "center", "top"),
    (-8, 30, "center", "bottom"),
)


def draw(several: Sequence[dict[str, Any]], path: str) -> None:
    """Draws the first set's scores, with all seeds between the ends of a line; what is ours is
    joined. One panel for each of the results.

    Raises:
        RunError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise RunError("matplotlib is not installed: pip install 'w2v[plot]'") from None
    figure = Figure(figsize=(7, 1 + 3.2 * len(several)), layout="constrained")
    panels = figure.subplots(len(several), squeeze=False)[:, 0]
    points = [_points(axes, found) for axes, found in zip(panels, several, strict=True)]
    panels[-1].set_xlabel("CPU seconds of all threads, from start to vectors on disk")
    figure.draw_without_rendering()  # only now is it known where things lie
    for axes, labels in zip(panels, points, strict=True):
        _name(axes, labels)
    figure.savefig(path, dpi=110)


def _points(axes: Axes, results: dict[str, Any]) -> list[tuple[float, float, str, str]]:
    """Draws the points of a panel; returns each one's place, name and colour."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    name = results["sets"][0]
    labels: list[tuple[float, float, str, str]] = []
    for ours, colour in ((True, OURS), (False, OTHERS)):
        found = sorted(
            (row["cpu_seconds"]["median"], row["scores"][name], row["system"])
            for row in results["rows"]
            if row["ours"] is ours and row["cpu_seconds"] and row["scores"][name]
        )
        seconds = [at for at, _, _ in found]
        middles = [100 * score["median"] for _, score, _ in found]
        ends = [[100 * score[end] for _, score, _ in found] for end in ("low", "high")]
        axes.vlines(seconds, *ends, color=colour, linewidth=1)
        axes.plot(seconds, middles, "o-" if ours else "s", color=colour, markersize=6)
        labels += [
            (*place, system, colour)
            for *place, (_, _, system) in zip(seconds, middles, found, strict=True)
        ]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.12, y=0.12)
    axes.set_ylabel(f"{name}, %")
    axes.set_title(", ".join(results["corpus"]), fontsize=10)
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return labels


def _name(axes: Axes, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Writes the names of a panel's points."""
    from matplotlib.transforms import Bbox

    taken = [
        Bbox.from_bounds(x - 6, y - 6, 12, 12)
        for x, y in (axes.transData.transform(label[:2]) for label in labels)
    ]
    for seconds, score, text, colour in labels:
        taken.append(_label(axes, (seconds, score), textwrap.fill(text, 24), colour, taken))


def _label(
    axes: Axes, point: tuple[float, float], text: str, colour: str, taken: list[Bbox]
) -> Bbox:
    """Writes a point's name on the side of it where it hides least, and returns its place."""

    def placed(side: tuple[int, int, str, str]) -> tuple[float, Any]:
        right, up, across, along = side
        note = axes.annotate(
            text,
            point,
            xytext=(right, up),
            textcoords="offset points",
            color=colour,
            fontsize=8,
            ha=across,
            va=along,
        )
        box = note.get_window_extent()
        inside = _shared(box, axes.bbox)
        hidden = box.width * box.height - inside + sum(_shared(box, each) for each in taken)
        return hidden, note

    found = []
    for side in SIDES:
        found.append(placed(side))
        if not found[-1][0]:
            break
    _, best = min(found, key=lambda each: each[0])
    for _, note in found:
        if note is not best:
            note.remove()
    place: Bbox = best.get_window_extent()
    return place


def _shared(one: Bbox, other: Bbox) -> float:
    """The area, in square points, that lies in both."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    along = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(across, 0) * max(along, 0))
