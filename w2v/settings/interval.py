"""How often something happens, as people write it: 30s, 5m, 2h of time, or 500k, 2M, 1G words."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
WORDS = {"k": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Interval:
    """A time in seconds or a number of words of the corpus, the other one being None."""

    seconds: float | None = None
    words: int | None = None

    def is_over(self, seconds: float, words: int) -> bool:
        """Whether so much time or text makes up the interval."""
        return (self.seconds is not None and seconds >= self.seconds) or (
            self.words is not None and words >= self.words
        )


def parse_interval(text: str) -> Interval:
    """The interval that `text` names. The unit's case counts: m is minutes, M is millions of words.

    Raises:
        ValueError: it names none, or an empty one.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([smhkKMG])", text.strip())
    number, unit = (float(match[1]), match[2]) if match else (0.0, "")
    if unit in SECONDS and number > 0:
        return Interval(seconds=number * SECONDS[unit])
    if unit and number > 0 and (words := round(number * WORDS["k" if unit == "K" else unit])) > 0:
        return Interval(words=words)
    raise ValueError(
        f"{text!r} is no interval: give a time such as 30s, 5m or 2h, or words such as 500k or 2M"
    )
