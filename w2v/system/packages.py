"""Handles optional packages, which may not be installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from w2v.errors import RunError

# import name -> (usual name, how to install or avoid it)
REMEDIES = {
    "torch": ("PyTorch", "pip install torch (word vectors with `engine` hogwild do not need it)"),
    "tokenizers": (
        "the package tokenizers",
        "pip install 'w2v[subwords]', or leave out `subwords` and the `tokenizer` file",
    ),
    "datasets": ("the package datasets", "pip install 'w2v[hub]', or give files"),
    "safetensors": ("the package safetensors", "pip install safetensors"),
    "regex": ("the package regex", "pip install regex, or use `tokenizer` whitespace"),
    "pandas": ("pandas", "pip install pandas"),
    "gensim": ("gensim", "pip install gensim"),
    "matplotlib": ("matplotlib", "pip install 'w2v[plot]'"),
    **dict.fromkeys(("sklearn", "threadpoolctl"), ("scikit-learn", "pip install 'w2v[map]'")),
}


@contextmanager
def reporting_missing() -> Iterator[None]:
    """Turns an ImportError inside the block, for one of these packages, into a RunError that says
    what to install."""
    try:
        yield
    except ImportError as error:
        remedy = REMEDIES.get((error.name or "").partition(".")[0])
        if remedy is None:
            raise
        raise RunError(f"this needs {remedy[0]}, which is not installed: {remedy[1]}") from error


def has_triton() -> bool:
    """Returns whether Triton, which compiles GPU kernels, is installed, without importing it."""
    spec = find_spec("triton")
    return spec is not None and spec.origin is not None  # a mere folder of that name has none


def interprets_triton() -> bool:
    """Returns whether Triton interprets kernels on the CPU, by the variable that it reads at
    import."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on")
