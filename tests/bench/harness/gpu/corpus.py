"""A text of 20 million words for measurements: the demo corpus thirteen times, in another order of
lines each time, half of the lines with words of that copy's own. So there are ten times as many
words, and what they are asked about can still be learnt."""

from __future__ import annotations

import lzma
import random
from pathlib import Path

DEMO = Path(__file__).parents[4] / "data" / "demo.txt.xz"
COPIES = 13


def write_corpus(path: Path, lines: int | None = None) -> None:
    """Writes the text; with `lines`, only so many lines of the demo corpus."""
    with lzma.open(DEMO, "rt", encoding="utf-8") as file:
        demo = file.read().splitlines()
    if lines is not None:
        path.write_text("\n".join(demo[:lines]) + "\n", encoding="utf-8")
        return
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for copy in range(COPIES):
            chance.shuffle(demo)
            for line in demo:
                if copy and chance.random() < 0.5:
                    line = line.replace(" ", f"{copy} ") + str(copy)
                file.write(line + "\n")
