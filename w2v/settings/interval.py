"""Values as people write them: how often something happens, 30s, 5m, 2h of time, or 500k, 2M, 1G
words; how many there are, 2M; lengths from 3-6; devices."""

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


def checked_interval(text: str) -> str:
    """Returns the text of an interval as it is."""
    parse_interval(text)
    return text


def parse_count(text: str) -> int:
    """Returns the whole number that `text` names, such as 2000000 or 2M; ValueError where it is
    none."""
    match = re.fullmatch(r"([0-9]{1,15}) ?([kKMG])", text.strip())
    return int(match[1]) * WORDS[match[2]] if match else int(text)


def checked_device(text: str) -> str:
    """Returns the name of a device as it is."""
    if re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", text):
        return text
    raise ValueError(f"{text} is not one of auto, cpu, cuda, or cuda: and a number")


def checked_subwords(text: str) -> str:
    """Returns "3-6" for lengths, "8000" for a number, in their plainest form."""
    match = re.fullmatch(r"([0-9]{1,2}) ?- ?([0-9]{1,2})", text.strip())
    if match and 1 <= int(match[1]) <= int(match[2]):
        return f"{int(match[1])}-{int(match[2])}"
    if re.fullmatch("[0-9]{1,9}", text.strip()):
        return str(int(text))
    known = "give the shortest and the longest, such as 3-6 (lm: how many, such as 8000)"
    raise ValueError(f"{text!r} is no range of lengths: {known}")
