"""Limits that what is written and what is read share, far beyond every real model. They keep a
lying header, or a file without line ends, from making one "vector" or "word" of a whole stream."""

from __future__ import annotations

MAX_DIM = 1 << 20
MAX_WORD_BYTES = 1 << 20
