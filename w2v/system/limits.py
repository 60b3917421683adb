"""Limits common to readers and writers, far beyond every real model. They prevent a wrong header,
or a file without line ends, from turning a whole stream into one "vector" or "word"."""

from __future__ import annotations

MAX_DIM = 1 << 20
MAX_WORD_BYTES = 1 << 20
