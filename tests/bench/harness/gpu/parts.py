"""What a process that measures is asked for, and how it times and tells.

    python -m harness.gpu.parts '{"device": "cuda", …}' rows:measure

prints one line of JSON for each figure, as soon as it is there: {"name", "value", "unit", …}, or
{"name", "error"}. So what comes after a figure, an error of the GPU among it, does not lose it.
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Figures = Iterable[tuple[str, Callable[[], dict[str, Any]]]]
SECONDS = {  # of a part at most; `module:function` measures it
    "rows:measure": 25,
    "kernels:tunings": 70,
    "kernels:losses": 70,
    "training:accuracy": 60,
    "training:speed": 70,
    "models:layers": 45,
    "models:steps": 45,
}
VOCABULARY = 82_000  # as many words as 17 million words of an encyclopaedia have 5 times


@dataclass(frozen=True)
class Asked:
    """device: where tensors are. tiny: a rehearsal, of sizes that the interpreter manages."""

    device: str
    tiny: bool
    corpus: str
    sets: tuple[str, ...] = ()

    def size(self, full: int, tiny: int) -> int:
        return tiny if self.tiny else full


def seconds_per_call(asked: Asked, call: Callable[[], Any], at_least: float = 0.2) -> float:
    """The median of three rounds of so many calls as take a while, after one that compiles."""
    call()
    if asked.tiny:
        return _seconds(asked, call, 1)
    once = _seconds(asked, call, 1)
    calls = max(1, round(at_least / 3 / max(once, 1e-6)))
    return statistics.median(_seconds(asked, call, calls) for _ in range(3))


def _seconds(asked: Asked, call: Callable[[], Any], calls: int) -> float:
    wait(asked)
    before = time.perf_counter()
    for _ in range(calls):
        call()
    wait(asked)
    return (time.perf_counter() - before) / calls


def wait(asked: Asked) -> None:
    """Until the device has done all that it was given."""
    import torch

    if asked.device == "cuda":
        torch.cuda.synchronize()


def zipf(vocabulary: int) -> np.ndarray:
    """Shares of words by rank, about those of running text, falling."""
    weights = 1 / (np.arange(vocabulary) + 2.7)
    return np.asarray(weights / weights.sum())


def zipf_ids(n: int, vocabulary: int) -> np.ndarray:
    """A stream of n words."""
    random = np.random.default_rng(1)
    return np.searchsorted(np.cumsum(zipf(vocabulary))[:-1], random.random(n)).astype(np.int32)


def tell(figures: Figures) -> None:
    """Takes the figures one by one and prints them."""
    for name, take in figures:
        try:
            found = take()
        except Exception as error:
            why = (str(error).strip() or repr(error)).splitlines()[0][:300]
            found = {"error": f"{type(error).__name__}: {why}"}
        print(json.dumps({"name": name, **found}), flush=True)


def main(asked: str, *parts: str) -> None:
    given = json.loads(asked)
    given["sets"] = tuple(given["sets"])
    for part in parts:
        module, _, function = part.partition(":")
        measure = getattr(importlib.import_module(f"harness.gpu.{module}"), function)
        tell(measure(Asked(**given)))


if __name__ == "__main__":
    main(*sys.argv[1:])
