"""Contiguous batches: the text as B columns side by side, read from top to bottom in segments.

    text a b c d e f g h i, B = 2:   targets  a e      inputs  <eos> d
                                              b f                a   e
                                              c g                b   f
                                              d h                c   g

Every token except the last few (fewer than B) is a target once per epoch; its input is the token
before it. Ids are read from the memory map segment by segment. A GPU gets all of them before
training begins, so that a segment is a slice on the device; if the text is too large for that, each
segment is sent while the GPU works on the one before.
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

BLOCK_TOKENS = 2048  # fewest tokens of a block
DEVICE_BYTES = 2 << 30  # largest text that a GPU holds
PIECE = 1 << 22  # tokens sent at a time


@dataclass(frozen=True)
class Source:
    """A text as tokens. ids: int32 [n], as stored; table: maps ids to tokens, its last entry maps
    -1 (None: ids are tokens); eos: the token before the first one; release: is called with ranges
    of positions in `ids` that are not needed soon."""

    ids: np.ndarray
    table: np.ndarray | None
    eos: int
    release: Callable[[int, int], None] = lambda start, stop: None


class Columns:
    """The text, as `columns` columns of tokens 0 … V - 1, on a device. Raises InputError for fewer
    than two tokens per column. With several ranks, each reads a contiguous range of them, `own`."""

    _device, _vocabulary = torch.device("cpu"), -1
    _sent: Tensor | None = None  # int32 [own, rows + 1], including the token before each column

    def __init__(self, source: Source, columns: int, rank: int = 0, ranks: int = 1) -> None:
        self.columns, self.rows = columns, len(source.ids) // columns
        self.own = range(rank * columns // ranks, (rank + 1) * columns // ranks)
        if columns < ranks:
            problem = f"`batch_size` {columns} is smaller than the number of ranks, {ranks}"
            raise InputError(f"{problem}: every rank needs at least one column")
        if self.rows < 2:
            needs = f"{columns} needs {2 * columns:,}: two for each of its columns"
            raise InputError(
                f"the corpus has {len(source.ids):,} tokens including line ends, and `batch_size`"
                f" {needs}; give more text or a smaller `batch_size`"
            )
        self._ids, self._table, self._eos = source.ids, source.table, source.eos
        self._release = source.release

    def read(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Returns (inputs, targets), int64 [stop - start, own] each, of rows start … stop - 1."""
        if self._sent is None:
            tokens = moved(self._tokens(start, stop), self._device).long()
        else:
            tokens = self._sent[:, start : stop + 1].t().contiguous().long()
        return tokens[:-1], tokens[1:]

    def send(self, device: torch.device, vocabulary: int) -> None:
        """Makes `read` return tensors on this device. Tokens are checked before they are sent:
        raises ValueError, here or in `read`, if one is not in 0 … vocabulary - 1."""
        self._device, self._vocabulary = device, vocabulary
        size = len(self.own), self.rows + 1
        most = free_memory(device) // 4 if device.type == "cuda" else DEVICE_BYTES
        if not distant(device) or 4 * size[0] * size[1] > min(most, DEVICE_BYTES):
            return
        self._sent = torch.empty(size, dtype=torch.int32, device=device)
        step = PIECE // size[0] + 1
        for start in range(0, self.rows, step):
            stop = min(start + step, self.rows)
            self._sent[:, start : stop + 1] = moved(self._tokens(start, stop).t().int(), device)

    def _tokens(self, start: int, stop: int) -> Tensor:
        """Returns the rows start - 1 … stop - 1, int32 or int64 [stop - start + 1, own]."""
        firsts = np.array(self.own, dtype=np.int64) * self.rows + start
        stored = [self._ids[max(0, position - 1) : position + stop - start] for position in firsts]
        if firsts[0] == 0:  # the first token has none before it
            stored[0] = np.concatenate([stored[0][:1], stored[0]])
        rows = np.stack(stored, axis=1)
        tokens = torch.from_numpy(rows if self._table is None else self._table[rows])
        if firsts[0] == 0:
            tokens[0, 0] = self._eos
        return tokens if self._vocabulary < 0 else checked_classes(tokens, self._vocabulary)

    def release(self, start: int, stop: int) -> None:
        """Releases rows start … stop - 1, which are not needed any more in this epoch."""
        for column in self.own:
            self._release(column * self.rows + start, column * self.rows + stop)

    def bounds(self, segment: int, accumulate: int) -> np.ndarray:
        """Returns the bounds [blocks + 1] int64 of an epoch's blocks in tokens, row · B; each block
        is a whole number of steps of `accumulate` segments of `segment` rows."""
        step = segment * accumulate
        rows = step * max(1, -(-BLOCK_TOKENS // (step * self.columns)))
        return np.append(np.arange(0, self.rows, rows, dtype=np.int64), self.rows) * self.columns
