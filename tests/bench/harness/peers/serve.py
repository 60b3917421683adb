"""Answers requests to time a function of one library. Runs in the library's own interpreter; needs
NumPy only.

    python serve.py torch_losses

One JSON object per line on stdin, one on stdout:
    {"build": "AdaptiveLogSoftmaxWithLoss", "n": ...} ->  {"loss": 10.8}  makes and calls it
    {"seconds": 0.5}                  ->  {"seconds": 0.0171}  mean time of a call, called that long
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
    """What every library gets, the same numbers: hidden [N, D], labels [N] by Zipf's law, weight
    [V, D], bias [V]."""
    n, dim, vocabulary = case["n"], case["dim"], case["vocabulary"]
    generator = np.random.default_rng(1)
    return {
        "hidden": generator.normal(0, 0.5, (n, dim)).astype(np.float32),
        "labels": np.minimum(generator.zipf(1.3, n) - 1, vocabulary - 1).astype(np.int64),
        "weight": generator.normal(0, 0.1, (vocabulary, dim)).astype(np.float32),
        "bias": generator.normal(0, 0.1, vocabulary).astype(np.float32),
    }


def ready(case: dict[str, Any], module: str) -> Callable[[], float]:
    """The function of a case, warmed up."""
    step: Callable[[], float] = importlib.import_module(module).BUILDERS[case["build"]](
        case, data(case)
    )
    for _ in range(WARM_UP):
        step()
    return step


def timed(step: Callable[[], float], seconds: float) -> float:
    """Mean seconds of a call, called until so many seconds have passed."""
    calls, start = 0, time.perf_counter()
    while True:
        step()
        calls += 1
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed / calls


def main() -> None:
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    step: Callable[[], float] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        reply: dict[str, Any]
        try:
            if step is None:
                step = ready(request, sys.argv[1])
                reply = {"loss": step()}
            else:
                reply = {"seconds": timed(step, request["seconds"])}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
