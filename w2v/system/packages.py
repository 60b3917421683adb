"""Packages that only some of the work needs, and that a light environment may lack."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from w2v.errors import RunError

# by the name under which it is imported: what people call it, and how to get it
REMEDIES = {
    "torch": ("PyTorch", "pip install torch (word vectors by `engine` hogwild do without)"),
    "tokenizers": (
        "the package tokenizers",
        "pip install 'w2v[subwords]', or have words without `subwords` and a `tokenizer` file",
    ),
    "datasets": ("the package datasets", "pip install 'w2v[hub]', or name files"),
    "safetensors": ("the package safetensors", "pip install safetensors"),
    "regex": ("the package regex", "pip install regex, or take `tokenizer` whitespace"),
    "pandas": ("pandas", "pip install pandas"),
    "gensim": ("gensim", "pip install gensim"),
    "matplotlib": ("matplotlib", "pip install 'w2v[plot]'"),
}


@contextmanager
def told_if_missing() -> Iterator[None]:
    """An import that fails inside the block, because such a package is not installed, becomes a
    RunError that says what to install."""
    try:
        yield
    except ImportError as error:
        found = REMEDIES.get((error.name or "").partition(".")[0])
        if found is None:
            raise
        raise RunError(f"this needs {found[0]}, which is not installed: {found[1]}") from error


def has_triton() -> bool:
    """Whether Triton, which compiles the GPU's kernels, is installed; imports nothing."""
    found = find_spec("triton")
    return found is not None and found.origin is not None  # a folder of that name has none


def interprets_triton() -> bool:
    """Whether Triton interprets kernels, on the CPU; it looks at this when it is imported."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on")
