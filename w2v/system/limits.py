"""Limits that what is written and what is read share: nothing is trained that the loaders would
refuse.

Both are far beyond every real model. They keep a lying header, or a file without line ends, from
making one "vector" or one "word" of a whole decompressed stream.
"""

from __future__ import annotations

MAX_DIM = 1 << 20
MAX_WORD_BYTES = 1 << 20
