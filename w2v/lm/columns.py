"""Contiguous batches: the text as B columns side by side, read from top to bottom in segments.

    text a b c d e f g h i, B = 2:   targets  a e      inputs  <eos> d
                                              b f                a   e
                                              c g                b   f
                                              d h                c   g

Every token but the last few (fewer than B) is a target once an epoch; its input is the token before
it in the text. Ids are taken from the memory map segment by segment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from w2v.errors import InputError

BLOCK_TOKENS = 2048  # of a block, at least


@dataclass(frozen=True)
class Source:
    """A text as tokens. ids: int32 [n], as stored; table: leads from them to tokens, its last entry
    from -1 (None: they are tokens); eos: the token before the first one; release: told of the
    positions in `ids` that are not needed soon."""

    ids: np.ndarray
    table: np.ndarray | None
    eos: int
    release: Callable[[int, int], None] = lambda start, stop: None


class Columns:
    """The `columns` columns of a text; refuses fewer than two tokens for each. Over ranks, this one
    reads `own` of them, a contiguous part."""

    def __init__(self, source: Source, columns: int, rank: int = 0, ranks: int = 1) -> None:
        self.columns, self.rows = columns, len(source.ids) // columns
        self.own = range(rank * columns // ranks, (rank + 1) * columns // ranks)
        if columns < ranks:
            what = f"`batch_size` {columns} is fewer columns than there are ranks, {ranks}"
            raise InputError(f"{what}: every rank needs one at least")
        if self.rows < 2:
            needs = f"{columns} needs {2 * columns:,}: two for each of its columns"
            raise InputError(
                f"the corpus has {len(source.ids):,} tokens, line ends among them, and `batch_size`"
                f" {needs}; give more text or a smaller `batch_size`"
            )
        self._ids, self._table, self._eos = source.ids, source.table, source.eos
        self._release = source.release

    def read(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """(inputs, targets), int64 [stop - start, own] each, of the rows start … stop - 1."""
        first = np.array(self.own, dtype=np.int64) * self.rows + start
        stored = [self._ids[max(0, at - 1) : at + stop - start] for at in first]
        if first[0] == 0:  # there is nothing before the first token
            stored[0] = np.concatenate([stored[0][:1], stored[0]])
        rows = np.stack(stored, axis=1)
        looked_up = rows if self._table is None else self._table[rows]
        tokens = torch.from_numpy(looked_up.astype(np.int64))
        if first[0] == 0:
            tokens[0, 0] = self._eos
        return tokens[:-1], tokens[1:]

    def release(self, start: int, stop: int) -> None:
        """Says that the rows start … stop - 1 are done with for this epoch."""
        for column in self.own:
            self._release(column * self.rows + start, column * self.rows + stop)

    def bounds(self, segment: int, accumulate: int) -> np.ndarray:
        """Bounds [blocks + 1] int64 of an epoch's blocks in tokens: row · B, each a whole number of
        steps of `accumulate` segments of `segment` rows."""
        step = segment * accumulate
        rows = step * max(1, -(-BLOCK_TOKENS // (step * self.columns)))
        return np.append(np.arange(0, self.rows, rows, dtype=np.int64), self.rows) * self.columns
