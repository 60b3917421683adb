"""The adaptive softmax as functions of its weights: the head and the clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.losses.math.cross_entropy import score_sums
from w2v.losses.math.numbers import rows_for, whole_batch

Cutoffs = Sequence[int]  # the first class of each cluster


class Tail(NamedTuple):
    """Weights of one cluster: projection [d, D] and output rows [words, d]."""

    projection: Tensor
    output: Tensor


def tails_of(clusters: nn.ModuleList) -> list[Tail]:
    """Returns the weights of clusters that consist of two linear layers each."""
    pairs = [cast(Sequence[nn.Linear], pair) for pair in clusters]
    return [Tail(projection.weight, output.weight) for projection, output in pairs]


class Weights(NamedTuple):
    """The weights: head [c_0 + clusters, D], its bias [c_0 + clusters] or None, the clusters'."""

    head: Tensor
    bias: Tensor | None
    tails: Sequence[Tail]

    def to(self, dtype: torch.dtype) -> Weights:
        """Returns the weights in another dtype."""
        bias = None if self.bias is None else self.bias.to(dtype)
        tails = [Tail(down.to(dtype), up.to(dtype)) for down, up in self.tails]
        return Weights(self.head.to(dtype), bias, tails)


def adaptive_log_prob(
    hidden: Tensor, target: Tensor, weights: Weights, cutoffs: Cutoffs, row_of: Tensor | None = None
) -> Tensor:
    """Returns log P(target | hidden) [N] for hidden [U, D], target [N] in 0 … V - 1 and weights in
    the dtype to compute in.

    Targets are sorted by cluster once. Each cluster scores only the hidden rows with targets in it;
    a cluster without targets is skipped, and its weights get no gradient.
    """
    if whole_batch(target)[1]:  # vmap hides the values, and with them the clusters
        log_prob = rows_for(all_log_prob(hidden, weights, cutoffs), row_of)
        return log_prob.gather(1, target[:, None])[:, 0]
    with torch.autocast(hidden.device.type, enabled=False):
        hidden = hidden.to(weights.head.dtype)
        # 0 means in the head
        cluster = torch.zeros_like(target)
        for low in cutoffs:
            cluster += target >= low
        in_head = torch.where(cluster == 0, target, cutoffs[0] - 1 + cluster)
        log_p = _target_log_prob(hidden, weights.head, weights.bias, in_head, row_of)
        ordered, order = cluster.sort(stable=True)
        numbers = torch.arange(len(cutoffs) + 1, device=target.device)
        ends = torch.searchsorted(ordered, numbers, right=True).tolist()
        for i, tail in enumerate(weights.tails):
            members = order[ends[i] : ends[i + 1]]
            if not len(members):
                continue
            rows, within = members, None
            if row_of is not None:
                rows, within = row_of[members].unique(return_inverse=True)  # type: ignore[no-untyped-call]
            projected = F.linear(hidden.index_select(0, rows), tail.projection)
            local = target[members] - cutoffs[i]
            within_cluster = _target_log_prob(projected, tail.output, None, local, within)
            log_p = log_p.index_add(0, members, within_cluster)
        return log_p


def all_log_prob(hidden: Tensor, weights: Weights, cutoffs: Cutoffs) -> Tensor:
    """Returns log P(class | hidden) [N, V] for hidden [N, D]."""
    with torch.autocast(hidden.device.type, enabled=False):
        hidden = hidden.to(weights.head.dtype)
        words, clusters = _head_log_prob(hidden, weights, cutoffs[0])
        tails = [tail_log_prob(hidden, tail) for tail in weights.tails]
        below = [log_p + clusters[:, i, None] for i, log_p in enumerate(tails)]
        return torch.cat([words, *below], dim=1)


def best_classes(
    hidden: Tensor, weights: Weights, cutoffs: Cutoffs, k: int
) -> tuple[Tensor, Tensor]:
    """Returns (ids [N, k], log-probabilities [N, k]), best first.

    No word is more probable than its cluster, so a tail is scored only for rows where the cluster
    as a whole is more probable than the k-th best word so far.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        hidden = hidden.to(weights.head.dtype)
        words, clusters = _head_log_prob(hidden, weights, cutoffs[0])
        best, ids = F.pad(words, (0, max(0, k - cutoffs[0])), value=-torch.inf).topk(k, dim=1)
        for i, tail in enumerate(weights.tails):
            rows = (clusters[:, i] > best[:, -1]).nonzero()[:, 0]
            if not len(rows):
                continue
            log_p = tail_log_prob(hidden[rows], tail) + clusters[rows, i, None]
            log_p, within = log_p.topk(min(k, log_p.shape[1]), dim=1)
            best[rows], columns = torch.cat([best[rows], log_p], 1).topk(k, dim=1)
            ids[rows] = torch.cat([ids[rows], within + cutoffs[i]], 1).gather(1, columns)
        return ids, best


def _target_log_prob(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, row_of: Tensor | None
) -> Tensor:
    """Returns log softmax(hidden weight^T + bias)[target] [N] without holding all scores."""
    total, score, _ = score_sums(hidden, weight, bias, target, row_of)
    return score - total


def _head_log_prob(hidden: Tensor, weights: Weights, words: int) -> tuple[Tensor, Tensor]:
    """Returns log P of the head's words [N, words] and of the clusters [N, clusters]."""
    head = F.log_softmax(F.linear(hidden, weights.head, weights.bias), dim=1)
    return head[:, :words], head[:, words:]


def tail_log_prob(hidden: Tensor, tail: Tail) -> Tensor:
    """Returns log P(word | hidden, its cluster) [N, words of the cluster]."""
    return F.log_softmax(F.linear(F.linear(hidden, tail.projection), tail.output), dim=1)
