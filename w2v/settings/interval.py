"""How often something happens, as people write it: 30s, 5m, 2h of time, or 500k, 2M, 1G words."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
WORDS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Interval:
    """So many seconds, or so many words of the corpus."""

    amount: float
    of_words: bool = False

    def is_over(self, seconds: float, words: int) -> bool:
        """Whether so much time or text makes up the interval."""
        return (words if self.of_words else seconds) >= self.amount


def parse_interval(text: str) -> Interval:
    """Returns the interval that `text` names, or raises a ValueError. The unit's case counts: m is
    minutes, M is millions of words."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([smhkKMG])", text.strip())
    if match:
        number, unit = float(match[1]), match[2]
        amount = round(number * WORDS[unit]) if unit in WORDS else number * SECONDS[unit]
        if amount > 0:
            return Interval(amount, unit in WORDS)
    known = "give a time such as 30s, 5m or 2h, or words such as 500k or 2M"
    raise ValueError(f"{text!r} is no interval: {known}")
