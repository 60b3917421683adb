"""Softmax over all V classes and its relatives: label smoothing, sparse softmax.

    Softmax         log sum_j exp z_j - z_t                             z = hidden @ weight.T + bias
    LabelSmoothing  log sum_j exp z_j - sum_j q_j z_j,   q = (1 - a) onehot(t) + a / V
    SparseSoftmax   log sum_{j in K} exp z_j - z_t,     K = the k highest scores and t, or without t

Label smoothing as in PyTorch: the target's class takes part in the uniform share (Szegedy et al.
2016, arXiv:1512.00567). Sparse softmax: Sun et al. 2021, arXiv:2112.12433. Probabilities are the
plain softmax of the scores. None of them ever holds the scores [N, V] of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from w2v.losses.base import OutputLayer, Scores, rows_for
from w2v.losses.math.cross_entropy import (
    all_scores,
    check_shapes,
    check_smoothing,
    linear_cross_entropy,
)
from w2v.losses.math.top_scores import top_scores
from w2v.losses.options import LabelSmoothingOptions, SoftmaxOptions, SparseSoftmaxOptions


class FullLayer(OutputLayer):
    """Layers that score all V classes; a subclass adds `link`."""

    exact = False

    def operands(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """(h, w, b) whose softmax of h @ w.T + b is the layer's distribution."""
        return hidden, self.weight, self.bias

    def unigram_bias(self) -> Tensor:
        """log of the counts' shares [V]."""
        return self.log_shares()

    def score(self, hidden: Tensor, samples: Any = None) -> Scores:
        """Only keeps hidden: the scores of all V are never held."""
        return Scores(hidden)

    def log_prob(self, hidden: Tensor) -> Tensor:
        """log softmax of the scores, [N, V]."""
        return all_scores(*self.operands(hidden)).log_softmax(1)

    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """-log P(target | hidden) [N], a block of scores at a time."""
        h, weight, bias = self.operands(hidden)
        return linear_cross_entropy(h, weight, target, bias, ignore_index=self.ignore_index)


class Softmax(FullLayer):
    """Cross-entropy of the softmax over all classes; the training loss is the nll."""

    exact = True

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: SoftmaxOptions | None = None,
        **kw: Any,
    ):
        super().__init__(dim, counts, options or SoftmaxOptions(), **kw)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """log sum_j exp z_j - z_target [N]."""
        return linear_cross_entropy(
            scores.hidden, self.weight, target, self.bias, row_of, ignore_index=self.ignore_index
        )


class LabelSmoothing(FullLayer):
    """Cross-entropy against (1 - smoothing) onehot(target) + smoothing / V.

    Raises:
        ValueError: smoothing is outside 0 … 1.
    """

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: LabelSmoothingOptions | None = None,
        **kw: Any,
    ):
        options = options or LabelSmoothingOptions()
        check_smoothing(options.smoothing)
        super().__init__(dim, counts, options, **kw)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """log sum_j exp z_j - sum_j q_j z_j [N]."""
        return linear_cross_entropy(
            scores.hidden,
            self.weight,
            target,
            self.bias,
            row_of,
            smoothing=self.options.smoothing,
            ignore_index=self.ignore_index,
        )


class SparseSoftmax(FullLayer):
    """Cross-entropy over the top_k highest scores and the target's (keep_target), or over the top_k
    alone.

    Without keep_target, a target outside the top k costs at least log k and nothing pulls its score
    into the sum. A top_k above V means V.

    Raises:
        ValueError: top_k is below 1.
    """

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: SparseSoftmaxOptions | None = None,
        **kw: Any,
    ):
        options = options or SparseSoftmaxOptions()
        if options.top_k < 1:
            raise ValueError(f"top_k is {options.top_k}, it must be 1 or more")
        super().__init__(dim, counts, options, **kw)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """log sum_{j kept} exp z_j - z_target [N]."""
        target, valid = self.checked(target)
        check_shapes(scores.hidden, self.weight, self.bias, target, row_of)
        k = min(self.options.top_k, self.num_classes)
        values, ids, score = top_scores(scores.hidden, self.weight, self.bias, target, row_of, k)
        inside = (rows_for(ids, row_of) == target[:, None]).any(1)
        loss = kept_cross_entropy(
            rows_for(values.logsumexp(1), row_of), score, inside, self.options.keep_target
        )
        return loss if valid is None else torch.where(valid, loss, 0)


def kept_cross_entropy(top: Tensor, score: Tensor, inside: Tensor, keep_target: bool) -> Tensor:
    """Loss [N] from the log-sum-exp `top` of the highest scores, the target's score and whether it
    is among them."""
    if keep_target:
        top = torch.where(inside, top, torch.logaddexp(top, score))
    return top - score
