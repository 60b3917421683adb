"""Softmax over all V classes and its variants: label smoothing and sparse softmax.

    Softmax         log sum_j exp z_j - z_t                             z = hidden @ weight.T + bias
    LabelSmoothing  log sum_j exp z_j - sum_j q_j z_j,   q = (1 - a) onehot(t) + a / V
    SparseSoftmax   log sum_{j in K} exp z_j - z_t,     K = the k highest scores and t, or without t

Label smoothing is as in PyTorch: the target's class also gets a uniform share (Szegedy et al.
2016, arXiv:1512.00567). Sparse softmax: Sun et al. 2021, arXiv:2112.12433. Probabilities are the
plain softmax of the scores. The scores [N, V] of a batch are never held in memory.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from w2v.losses.base import OutputLayer
from w2v.losses.math.blocks import floor_of
from w2v.losses.math.cross_entropy import linear_cross_entropy
from w2v.losses.math.numbers import accumulate_dtype, eager, log_add, rows_for
from w2v.losses.math.products import all_scores
from w2v.losses.math.top_scores import top_scores
from w2v.losses.options import LabelSmoothingOptions, SoftmaxOptions, SparseSoftmaxOptions
from w2v.losses.sharded import Shard, local_part, sharded_loss, sums_here

Operands = tuple[Tensor, Tensor, Tensor | None]  # hidden, weight, bias


class FullLayer(OutputLayer):
    """Base of layers whose distribution is a softmax over all V classes; subclasses implement
    `_loss`. Their rows can be sharded over ranks, see `w2v.losses.sharded`."""

    shard: Shard | None = None
    others_only = False  # the argument of `score_sums`

    def of_sums(self, total: Tensor, score: Tensor, *more: Tensor) -> Tensor:
        """Returns the loss [N] from log-sum-exp, target's score and further sums over ranks."""
        return total - score

    def shares(self, hidden: Tensor, classes: Tensor) -> Tensor:
        """Returns this rank's sums [N, K] for the hidden rows and classes [N] of all ranks."""
        return torch.stack(sums_here(self, hidden, classes), 1)

    def of_shares(self, shares: Tensor) -> Tensor:
        """Returns the loss [N] from the sums of all ranks [ranks, N, K]."""
        return self.of_sums(shares[..., 0].logsumexp(0), *shares[..., 1:].sum(0).unbind(1))

    @eager
    def forward(self, hidden: Tensor, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        if self.shard is None:
            return super().forward(hidden, target, row_of)
        rows, classes, _ = self._checked(hidden, target, None)
        return sharded_loss(self, rows, classes.view(-1)).view(classes.shape)

    def operands(self, hidden: Tensor) -> Operands:
        """Returns (h, w, b): the layer's distribution is the softmax of h @ w.T + b."""
        return hidden, self.weight, self.bias

    def _log_prob(self, hidden: Tensor) -> Tensor:
        return all_scores(*self.operands(hidden)).log_softmax(1)

    def _nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        h, weight, bias = self.operands(hidden)
        return linear_cross_entropy(h, weight, target, bias)


class Softmax(FullLayer):
    """Cross-entropy of the softmax over all classes; the training loss equals `nll`."""

    takes = SoftmaxOptions

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        return linear_cross_entropy(hidden, self.weight, target, self.bias, row_of)


class LabelSmoothing(FullLayer):
    """Cross-entropy against (1 - smoothing) onehot(target) + smoothing / V."""

    takes = LabelSmoothingOptions
    options: LabelSmoothingOptions

    def shares(self, hidden: Tensor, classes: Tensor) -> Tensor:
        assert self.shard is not None
        dtype = accumulate_dtype(hidden)
        mean = hidden.to(dtype) @ self.weight[:-1].sum(0, dtype=dtype)
        if self.bias is not None:
            mean = mean + self.bias[:-1].sum(dtype=dtype)
        return torch.stack([*sums_here(self, hidden, classes), mean / self.num_classes], 1)

    def of_sums(self, total: Tensor, score: Tensor, *more: Tensor) -> Tensor:
        alpha, (mean,) = self.options.smoothing, more
        return total - (1 - alpha) * score - alpha * mean

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        alpha = self.options.smoothing
        return linear_cross_entropy(hidden, self.weight, target, self.bias, row_of, smoothing=alpha)


class SparseSoftmax(FullLayer):
    """Cross-entropy over the top_k highest scores and the target's (keep_target), or over the top_k
    alone.

    Without keep_target, a target outside the top k costs at least log k, and its score gets no
    gradient through the sum. A top_k above V means V.
    """

    takes = SparseSoftmaxOptions
    options: SparseSoftmaxOptions

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        k = min(self.options.top_k, self.num_classes)
        values, ids, score = top_scores(self.operands(hidden), target, row_of, k)
        inside = (rows_for(ids, row_of) == target[:, None]).any(1)
        total = rows_for(values.logsumexp(1), row_of)
        return kept_cross_entropy(total, score, inside, self.options.keep_target)

    def shares(self, hidden: Tensor, classes: Tensor) -> Tensor:
        """Returns this rank's highest scores, the target's score and 1 + its index among all."""
        assert self.shard is not None
        k, dtype = min(self.options.top_k, self.num_classes), accumulate_dtype(hidden)
        local, mine, operands = local_part(self, hidden, classes)
        values, ids, score = top_scores(operands, local, None, min(k, self.shard.rows))
        values = F.pad(values, (0, k - values.shape[1]), value=floor_of(dtype))
        hits, first = (ids == local[:, None]).max(1)
        number = torch.where(hits, self.shard.ranks.rank * k + first + 1, 0).to(dtype)
        return torch.cat([values, torch.where(mine, score, 0.0)[:, None], number[:, None]], 1)

    def of_shares(self, shares: Tensor) -> Tensor:
        k = shares.shape[2] - 2
        values, order = shares[..., :k].transpose(0, 1).flatten(1).topk(k, 1)
        score, number = shares[..., k:].sum(0).unbind(1)
        inside = (order == number.long()[:, None] - 1).any(1)
        return kept_cross_entropy(values.logsumexp(1), score, inside, self.options.keep_target)


def kept_cross_entropy(top: Tensor, score: Tensor, inside: Tensor, keep_target: bool) -> Tensor:
    """Returns the loss [N] from the log-sum-exp `top` of the highest scores, the target's score,
    and whether the target is among them."""
    if keep_target:
        top = torch.where(inside, top, log_add(top, score))
    return top - score
