"""Limits common to readers and writers, far beyond every real model. They prevent a wrong header,
or a file without line ends, from turning a whole stream into one "vector" or "word"."""

from __future__ import annotations

MAX_DIM = 1 << 20
MAX_WORD_BYTES = 1 << 20
# Distinct words may have MANY_WORD_BYTES in total plus MEAN_WORD_BYTES each: a small compressed
# file can expand to gigabytes of what are not words.
MANY_WORD_BYTES, MEAN_WORD_BYTES = 64 << 20, 256
