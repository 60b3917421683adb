"""Parses values of settings: intervals in time (30s, 5m, 2h) or words (500k, 2M, 1G), counts (2M),
ranges of lengths (3-6), cutoffs and devices. A ValueError says what the value is not; the caller
adds the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

# regular expressions, also for the JSON Schema
INTERVAL = r"[0-9]{1,15}(?:\.[0-9]{1,9})? ?[smhkKMG]"
COUNT = "[0-9]{1,15} ?[kKMG]?"
DEVICE = "auto|cpu|cuda(?::[0-9]{1,4})?"
SUBWORDS = "[0-9]{1,2} ?- ?[0-9]{1,2}|[0-9]{1,9}"
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
WORDS = {"k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclass(frozen=True)
class Interval:
    """An interval of `amount` seconds or, if `of_words`, of words of the corpus."""

    amount: float
    of_words: bool = False

    def is_over(self, seconds: float, words: int) -> bool:
        """Returns whether this much time or text has reached the interval."""
        return (words if self.of_words else seconds) >= self.amount


def parse_interval(text: str) -> Interval:
    """Parses an interval, or raises ValueError. The case of the unit matters: m is minutes, M is
    millions of words."""
    if re.fullmatch(INTERVAL, text := text.strip()):
        number, unit = float(text[:-1]), text[-1]
        amount = round(number * WORDS[unit]) if unit in WORDS else number * SECONDS[unit]
        if amount > 0:
            return Interval(amount, unit in WORDS)
    remedy = "give a time such as 30s, 5m or 2h, or words such as 500k or 2M"
    raise ValueError(f"is not an interval: {remedy}")


def checked_interval(text: str) -> str:
    """Returns `text` unchanged if it is an interval, else raises ValueError."""
    parse_interval(text)
    return text


def parse_count(text: str) -> int:
    """Parses a whole number, such as 2000000 or 2M, or raises ValueError."""
    text = text.strip()
    has_unit = re.fullmatch(COUNT, text) and text[-1] in WORDS
    return int(text[:-1]) * WORDS[text[-1]] if has_unit else int(text)


def checked_device(text: str) -> str:
    """Returns `text` unchanged if it is the name of a device, else raises ValueError."""
    if re.fullmatch(DEVICE, text):
        return text
    raise ValueError("is not one of auto, cpu, cuda, cuda:N")


def checked_subwords(text: str) -> str:
    """Normalizes a range of lengths ("3-6") or a number ("8000"), or raises ValueError."""
    if re.fullmatch(SUBWORDS, text := text.strip()):
        numbers = [int(part) for part in text.split("-")]
        if len(numbers) == 1 or 1 <= numbers[0] <= numbers[1]:
            return "-".join(map(str, numbers))
    remedy = "give the shortest and the longest, such as 3-6 (lm: how many, such as 8000)"
    raise ValueError(f"is not a range of lengths: {remedy}")


def checked_cutoffs(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Returns whole numbers that ascend from 1 or more, in plain digits, or raises ValueError."""
    if not all(re.fullmatch("-?[0-9]{1,18}", text) for text in texts):
        raise ValueError("they must be whole numbers, such as 2000,10000")
    numbers = [0, *map(int, texts)]
    if any(low >= high for low, high in pairwise(numbers)):
        raise ValueError("they must ascend from 1 or more")
    return tuple(map(str, numbers[1:]))


PATTERNS: dict[Callable[..., object], str] = {
    checked_interval: INTERVAL,
    parse_count: COUNT,
    checked_device: DEVICE,
    checked_subwords: SUBWORDS,
}
