"""Vectors for the TensorBoard embedding projector: a folder with tensors.tsv (values separated by
tabs) and metadata.tsv, a row for each word. With counts the metadata has two columns, and then a
heading, as the projector wants it; a single column must have none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from w2v.system.files import atomic_directory

ROWS = 8192
# what would begin another column or row
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def write_projector(
    folder: Path, words: Sequence[str], matrix: np.ndarray, counts: np.ndarray | None
) -> None:
    """Writes the folder, which must not exist."""
    with atomic_directory(folder) as place:
        with open(place / "metadata.tsv", "w", encoding="utf-8", newline="\n") as file:
            if counts is None:
                file.writelines(f"{word.translate(ESCAPES)}\n" for word in words)
            else:
                file.write("word\tcount\n")
                pairs = zip(words, counts.tolist(), strict=True)
                file.writelines(f"{word.translate(ESCAPES)}\t{count}\n" for word, count in pairs)
        with open(place / "tensors.tsv", "w", encoding="ascii", newline="\n") as file:
            for start in range(0, len(matrix), ROWS):
                rows = np.asarray(matrix[start : start + ROWS]).tolist()
                # nine digits give back every float32
                file.writelines("\t".join(f"{x:.9g}" for x in row) + "\n" for row in rows)
