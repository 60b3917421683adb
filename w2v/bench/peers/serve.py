"""Answers requests to time functions of one library. Runs in the library's own interpreter; needs NumPy only.

    python serve.py torch_losses

One JSON object per line on stdin, one on stdout:
    {"build": "adaptive-softmax", "n": ..., ...}   ->  {"loss": 10.8}      makes a function ready, and calls it
    {"run": "adaptive-softmax", "seconds": 0.5}    ->  {"seconds": 0.0171}  mean time of a call, called that long
    {"forget": true}                               ->  {}                   frees what was made
    anything that fails                            ->  {"error": "..."}
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WARM_UP = 3  # calls before anything is timed: memory is claimed, functions are traced


def data(case: dict[str, Any]) -> dict[str, np.ndarray]:
    """What every library gets, the same numbers: hidden [N, D], labels [N] by Zipf's law, weight [V, D], bias [V]."""
    n, dim, vocabulary = case["n"], case["dim"], case["vocabulary"]
    generator = np.random.default_rng(1)
    return {
        "hidden": generator.normal(0, 0.5, (n, dim)).astype(np.float32),
        "labels": np.minimum(generator.zipf(1.3, n) - 1, vocabulary - 1).astype(np.int64),
        "weight": generator.normal(0, 0.1, (vocabulary, dim)).astype(np.float32),
        "bias": generator.normal(0, 0.1, vocabulary).astype(np.float32),
    }


def answer(request: dict[str, Any], module: str, steps: dict[str, Callable[[], float]]) -> dict[str, float]:
    """The answer to one request; `steps` are the functions that are ready."""
    if "build" in request:
        library = importlib.import_module(module)
        step = library.BUILDERS[request["build"]](request, data(request))
        for _ in range(WARM_UP - 1):
            step()
        steps[request["build"]] = step
        return {"loss": step()}
    if "run" in request:
        step = steps[request["run"]]
        calls, start = 0, time.perf_counter()
        while True:
            step()
            calls += 1
            seconds = time.perf_counter() - start
            if seconds >= request["seconds"]:
                return {"seconds": seconds / calls}
    steps.clear()
    return {}


def main() -> None:
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    steps: dict[str, Callable[[], float]] = {}
    for line in sys.stdin:
        try:
            reply: dict[str, Any] = answer(json.loads(line), sys.argv[1], steps)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
