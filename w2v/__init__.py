"""w2v: word vectors and small language models with a selectable output layer.

    run = w2v.train("corpus.txt", loss="hsigmoid", dim=200)
    run.vectors.nearest("king - man + woman", k=5)
    vectors = w2v.load("vectors.bin")

Importing the package loads nothing heavy: each name is imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from w2v.errors import InputError, RunError

if TYPE_CHECKING:
    from w2v import compat, losses
    from w2v.api import compare, load, phrases, report, train
    from w2v.lm.language_model import LanguageModel
    from w2v.trained import Run
    from w2v.training.report import Event
    from w2v.vectors.word_vectors import WordVectors

__version__ = "0.1.0"
__all__ = [
    "Event",
    "InputError",
    "LanguageModel",
    "Run",
    "RunError",
    "WordVectors",
    "compare",
    "compat",
    "load",
    "losses",
    "phrases",
    "report",
    "train",
]

_HOMES = {
    **dict.fromkeys(("compare", "load", "phrases", "report", "train"), "w2v.api"),
    "Event": "w2v.training.report",
    "Run": "w2v.trained",
    "LanguageModel": "w2v.lm.language_model",
    "WordVectors": "w2v.vectors.word_vectors",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in ("compat", "losses"):
        return importlib.import_module(f"w2v.{name}")
    raise AttributeError(f"module 'w2v' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
