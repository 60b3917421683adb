"""The picture of what seconds buy: scores against CPU seconds, a point per system."""

from __future__ import annotations

import textwrap
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


def draw(results: dict[str, Any], path: str) -> None:
    """Draws the first set's scores; what is ours is joined by a line.

    Raises:
        RunError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import ScalarFormatter
        from matplotlib.transforms import Bbox
    except ImportError:
        raise RunError("matplotlib is not installed: pip install 'w2v[plot]'") from None
    name = results["sets"][0]
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    labels: list[tuple[float, float, str, str]] = []
    for ours, colour in ((True, OURS), (False, OTHERS)):
        found = sorted(
            (row["cpu_seconds"]["median"], 100 * row["scores"][name]["median"], row["system"])
            for row in results["rows"]
            if row["ours"] is ours and row["scores"][name]
        )
        marks = [seconds for seconds, _, _ in found], [score for _, score, _ in found]
        axes.plot(*marks, "o-" if ours else "s", color=colour, markersize=6)
        labels += [(*point, colour) for point in found]
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.margins(x=0.12, y=0.12)
    axes.set_xlabel("CPU seconds of all threads, from start to vectors on disk")
    axes.set_ylabel(f"{name}, %")
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.draw_without_rendering()  # only now is it known where things lie
    taken = [
        Bbox.from_bounds(x - 6, y - 6, 12, 12)
        for x, y in (axes.transData.transform(label[:2]) for label in labels)
    ]
    for seconds, score, text, colour in labels:
        taken.append(_label(axes, (seconds, score), textwrap.fill(text, 24), colour, taken))
    figure.savefig(path, dpi=110)


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
