"""How many cases a generated test tries: a few each time, other ones every time; `make soak` tries
W2V_EXAMPLES times as many."""

from __future__ import annotations

import os


def examples(few: int) -> int:
    return few * int(os.environ.get("W2V_EXAMPLES", "1"))
