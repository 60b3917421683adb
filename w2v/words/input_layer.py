"""The input side of the autograd engine: tables of rows on the device. Computes the vectors of
words and applies the gradients of these vectors to the rows.

With n-grams a word's vector is the mean of its own row and the rows of its n-grams. Each of these
moves by the whole gradient of the mean, not by 1 / n of it, so that the mean moves by it too, as in
fastText and in the fused kernel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.training import engine
from w2v.training.optimizers import RowOptimizer
from w2v.training.rows import distinct_rows
from w2v.words.inputs import BUCKETS, NGRAMS, Inputs, check_buckets

INPUT = "input"
FROZEN = "input.frozen"  # name in the state, if some rows are frozen


class InputLayer:
    """Rows of the V words [V, dim] and of their n-grams, and the optimizers that update them.

    optimizer: the class of the optimizers.
    """

    def __init__(
        self,
        vocabulary: int,
        dim: int,
        inputs: Inputs | None,
        device: torch.device,
        optimizer: type[RowOptimizer],
    ) -> None:
        self.inputs, self.device = inputs, device
        self.tables = {INPUT: torch.empty(vocabulary, dim, device=device)}
        if inputs is not None:
            self._starts, self._rows = (torch.from_numpy(part).to(device) for part in inputs.parts)
            self.tables[NGRAMS] = torch.zeros(len(inputs.buckets), dim, device=device)
        self.optimizers = {name: optimizer(table) for name, table in self.tables.items()}
        self.frozen: Tensor | None = None  # [V] uint8

    def initialise(self, seed: int) -> None:
        """Sets starting values, equal on all devices; n-gram rows that no word uses stay 0."""
        used = {} if self.inputs is None else {NGRAMS: self.inputs.used}
        for number, (name, table) in enumerate(self.tables.items()):
            rows = np.zeros((used.get(name, len(table)), table.shape[1]), np.float32)
            engine.fill_starting_rows(rows, seed + number)
            table[: len(rows)] = torch.from_numpy(rows)

    def array(self, name: str) -> np.ndarray:
        """Returns the rows of a table."""
        return self.tables[name].cpu().numpy()

    @property
    def vectors(self) -> np.ndarray:
        """The vectors [V, dim]; a view of the table if possible."""
        rows = self.array(INPUT)
        return rows if self.inputs is None else self.inputs.vectors(rows, self.array(NGRAMS))

    def rows_of(self, words: Tensor) -> Tensor:
        """Returns the vectors [N, dim] of words [N]."""
        word_rows = self.tables[INPUT].index_select(0, words)
        if self.inputs is None:
            return word_rows
        rows, starts, counts = self._parts(words)
        sums = F.embedding_bag(rows, self.tables[NGRAMS], starts, mode="sum")
        return word_rows.add_(sums).div_(counts[:, None] + 1)

    def bags(self, words: Tensor, starts: Tensor, mode: str) -> Tensor:
        """Returns for each bag i of words, which begins at starts[i], the mean of all rows of its
        words [N] or the sum of their vectors."""
        if self.inputs is None:
            return F.embedding_bag(words, self.tables[INPUT], starts, mode=mode)
        distinct, index = distinct_rows(words, len(self.tables[INPUT]))
        vectors = self.rows_of(distinct)
        if mode == "sum":
            return F.embedding_bag(index, vectors, starts, mode="sum")
        counts = (self._starts[distinct + 1] - self._starts[distinct] + 1).to(vectors.dtype)[
            :, None
        ]
        sums = F.embedding_bag(index, counts * vectors, starts, mode="sum")
        return sums / F.embedding_bag(index, counts, starts, mode="sum")

    def update(self, words: Tensor, gradient: Tensor, lr: float) -> None:
        """Takes one step against the gradient [U, dim] of the vectors of distinct words [U]."""
        if self.inputs is not None:
            rows, starts, counts = self._parts(words)
            of_word = torch.repeat_interleave(
                torch.arange(len(words), device=self.device), counts, output_size=len(rows)
            )
            rows, order = rows.sort(stable=True)
            rows, users = rows.unique_consecutive(return_counts=True)  # type: ignore[no-untyped-call]
            starts = users.cumsum(0) - users
            sums = F.embedding_bag(of_word[order], gradient, starts, mode="sum")
            self.optimizers[NGRAMS].update(sums, lr, rows)
        if self.frozen is not None:
            free = self.frozen[words] == 0
            gradient, words = gradient[free], words[free]
        self.optimizers[INPUT].update(gradient, lr, words)

    def state(self) -> dict[str, Tensor]:
        """Returns the tensors for `Engine.state`."""
        extras = {} if self.frozen is None else {FROZEN: self.frozen}
        if self.inputs is not None:
            extras[BUCKETS] = torch.from_numpy(self.inputs.buckets)
        return self.tables | extras

    def check_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Raises ValueError if the n-grams in `arrays` are those of another vocabulary."""
        if self.inputs is not None:
            check_buckets(arrays[BUCKETS], self.inputs.buckets)

    def _parts(self, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the n-gram rows of words [N], concatenated, and where each word's begin and how
        many each has."""
        begins = self._starts[words]
        counts = self._starts[words + 1] - begins
        starts = counts.cumsum(0) - counts
        positions = torch.arange(int(counts.sum()), device=self.device)
        positions += torch.repeat_interleave(begins - starts, counts, output_size=len(positions))
        return self._rows[positions].long(), starts, counts
