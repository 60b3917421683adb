"""Writes vectors for the TensorBoard embedding projector: a folder with tensors.tsv (tab-separated
values), metadata.tsv (a row for each word) and projector_config.pbtxt, through which
`tensorboard --logdir FOLDER` finds them.

With counts, the metadata have two columns and, as the projector requires, a header line; a single
column must not have one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

FILES = ("metadata.tsv", "tensors.tsv", "projector_config.pbtxt")
ROWS = 8192
# characters that would begin another column or row
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
CONFIG = """embeddings {
  tensor_name: "vectors"
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def write_projector(
    folder: Path, words: Sequence[str], matrix: np.ndarray, counts: np.ndarray | None
) -> None:
    lines = [word.translate(ESCAPES) for word in words]
    if counts is not None:
        pairs = zip(lines, counts.tolist(), strict=True)
        lines = ["word\tcount", *(f"{line}\t{count}" for line, count in pairs)]
    (folder / "projector_config.pbtxt").write_text(CONFIG)
    with open(folder / "metadata.tsv", "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
    with open(folder / "tensors.tsv", "w", encoding="ascii", newline="\n") as file:
        form = "\t".join(["%.9g"] * matrix.shape[1]) + "\n"  # 9 digits restore every float32
        for start in range(0, len(matrix), ROWS):
            rows = np.asarray(matrix[start : start + ROWS]).tolist()
            file.writelines(form % tuple(row) for row in rows)
