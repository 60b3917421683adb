"""Medians with their spread, and ratios of what was measured in the same round."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    """The median of some measurements, the smallest and the largest."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """Median, smallest and largest; None when a value is missing or there is none."""
    found = list(values)
    known = [value for value in found if value is not None]
    if not known or len(known) < len(found):
        return None
    return Spread(statistics.median(known), min(known), max(known))


def paired_ratio(
    above: Mapping[int, float | None], below: Mapping[int, float | None]
) -> Spread | None:
    """Spread of above[r] / below[r] over the rounds r that both have; None when there is none.

    The machine's speed changes from minute to minute; a round's two measurements see the same
    change.
    """
    ratios = []
    for number, value in above.items():
        other = below.get(number)
        if value is not None and other:
            ratios.append(value / other)
    return spread(ratios)


def as_dict(found: Spread | None) -> dict[str, float] | None:
    """Plain values for JSON."""
    return asdict(found) if found else None
