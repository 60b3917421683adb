"""Contiguous batches: the text as B columns side by side, read from top to bottom in segments.

    text a b c d e f g h i, B = 2:   targets  a e      inputs  <eos> d
                                              b f                a   e
                                              c g                b   f
                                              d h                c   g

Every token but the last few (fewer than B) is a target once an epoch; its input is the token before
it in the text. Ids are taken from the memory map segment by segment; a GPU has all of them before
training begins, so that a segment is a slice there, or, if they are too many, is sent each segment
while it works on the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from w2v.errors import InputError
from w2v.losses.math.numbers import checked_classes
from w2v.system.gpu import distant, moved
from w2v.training.device import free_memory

BLOCK_TOKENS = 2048  # of a block, at least
DEVICE_BYTES = 2 << 30  # of a text that a GPU holds, at most
PIECE = 1 << 22  # tokens sent at a time


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
    """The `columns` columns of a text of a vocabulary's tokens, 0 … V - 1, on a device; refuses
    fewer than two tokens for each. Over ranks, this one reads `own` of them, a contiguous part."""

    _device, _vocabulary = torch.device("cpu"), -1
    _there: Tensor | None = None  # int32 [own, rows + 1], with the token before each column

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
        if self._there is None:
            tokens = moved(self._tokens(start, stop), self._device).long()
        else:
            tokens = self._there[:, start : stop + 1].t().contiguous().long()
        return tokens[:-1], tokens[1:]

    def send(self, device: torch.device, vocabulary: int) -> None:
        """Has segments read there from now on. They are looked at before they are sent: ValueError,
        then or now, if a token is none of the vocabulary's."""
        self._device, self._vocabulary = device, vocabulary
        size = len(self.own), self.rows + 1
        most = free_memory(device) // 4 if device.type == "cuda" else DEVICE_BYTES
        if not distant(device) or 4 * size[0] * size[1] > min(most, DEVICE_BYTES):
            return
        self._there, step = (
            torch.empty(size, dtype=torch.int32, device=device),
            PIECE // size[0] + 1,
        )
        for start in range(0, self.rows, step):
            stop = min(start + step, self.rows)
            self._there[:, start : stop + 1] = moved(self._tokens(start, stop).t().int(), device)

    def _tokens(self, start: int, stop: int) -> Tensor:
        """The rows start - 1 … stop - 1, int32 or int64 [stop - start + 1, own]."""
        first = np.array(self.own, dtype=np.int64) * self.rows + start
        stored = [self._ids[max(0, at - 1) : at + stop - start] for at in first]
        if first[0] == 0:  # there is nothing before the first token
            stored[0] = np.concatenate([stored[0][:1], stored[0]])
        rows = np.stack(stored, axis=1)
        tokens = torch.from_numpy(rows if self._table is None else self._table[rows])
        if first[0] == 0:
            tokens[0, 0] = self._eos
        return tokens if self._vocabulary < 0 else checked_classes(tokens, self._vocabulary)

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
