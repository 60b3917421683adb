"""Adaptive softmax: scores the head's rows and those of the cluster that holds the target, with a
cross-entropy per level.

Ids are sorted by frequency. The head is a softmax over the most frequent c_0 words and one row per
cluster. Cluster i holds words c_i … c_(i+1) - 1; it projects the hidden vector to D //
div_value^(i+1) dimensions and applies a softmax of its own:

    P(w | h) = head_w(h)                       w < c_0
    P(w | h) = head_(c_0 + i)(h) · tail_i,w(h)      w in cluster i

The probabilities are exact. A target costs the head, plus its cluster if it is in one; most words
are in clusters but few targets are. Parameters have the names and shapes of
torch.nn.AdaptiveLogSoftmaxWithLoss, and state dicts load both ways. Grave et al. 2017,
arXiv:1609.04309.

    layer = AdaptiveSoftmax(dim, counts, AdaptiveOptions(cutoffs=("2000", "10000")))
    layer(hidden, target).mean().backward()
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.errors import shown
from w2v.losses.base import Counts, Generator, OutputLayer, WeightAndBias, draw
from w2v.losses.checks import check_shared
from w2v.losses.math import levels
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.options import AdaptiveOptions

# cost of one score's exponential and memory traffic, in multiply-adds (1.3 of 5 ns)
LOGIT_COST = 40.0
# cost of one more cluster, in multiply-adds per target: 0.15 ms in a batch of 1000
CLUSTER_COST = 4000.0
CANDIDATES = 64  # cutoffs that the cost model tries, geometrically spaced
MOST_CLUSTERS = 3
SHORTEST = 4  # dimensions of the last default cluster; shorter vectors cannot tell many words apart


class AdaptiveSoftmax(OutputLayer):
    """Adaptive softmax with the parameters of torch's module: head.weight, head.bias,
    tail.i.0.weight, tail.i.1.weight. They are initialised as in torch (the same seed gives the same
    numbers), because tails could not learn from zeros. `weight` is [0, D] unless it is tied.

    Args:
        counts: [V], in descending order; the default cutoffs are computed from them.
        weight: tied [V, D]; its first c_0 rows score the head's words. head.weight then has only
            the rows of the clusters.
        bias: True creates one for the head; a tensor [c_0 + clusters] is shared; None: the setting
            options.head_bias
    """

    takes = AdaptiveOptions
    options: AdaptiveOptions
    tail: nn.ModuleList

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: AdaptiveOptions | None = None,
        *,
        weight: Tensor | None = None,
        bias: Tensor | bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(dim, counts, options, weight=weight, device=device, dtype=dtype)
        options, dim = self.options, self.dim
        check_sorted(self.counts)
        if options.cutoffs:
            self.cutoffs = check_cutoffs(list(map(int, options.cutoffs)), self.num_classes)
        else:
            self.cutoffs = default_cutoffs(self.counts.cpu().numpy(), dim, options.div_value)
        widths = [cluster_width(dim, options.div_value, i) for i in range(len(self.cutoffs))]
        bias = options.head_bias if bias is None else bias
        rows = self.cutoffs[0] + len(self.cutoffs)
        if not isinstance(bias, bool):
            check_shared(bias, "bias", [rows])
        outputs = len(self.cutoffs) if self.shared[0] else rows
        self.head = _Head(nn.Linear(dim, outputs, bias is True and outputs == rows, **self.new))
        if isinstance(bias, Tensor):
            self.head.bias = bias
        elif bias and outputs < rows:
            self.head.bias = nn.Parameter(torch.zeros(rows, **self.new))
        self.shared = self.shared[0], isinstance(bias, Tensor)
        self.tail = nn.ModuleList()
        edges = pairwise([*self.cutoffs, self.num_classes])
        for width, (low, end) in zip(widths, edges, strict=True):
            down = nn.Linear(dim, width, bias=False, **self.new)
            up = nn.Linear(width, end - low, bias=False, **self.new)
            self.tail.append(nn.Sequential(down, up))

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> WeightAndBias:
        """Returns the tied weight [V, D], or [0, D]: all other rows are in `head` and `tail`."""
        if weight is None:
            return torch.empty(0, self.dim), None
        return super().make_rows(rows, weight, False)[0], None

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """As in OutputLayer; initialises in the same order as torch's module."""
        nn.init.kaiming_uniform_(self.head.weight, math.sqrt(5))
        if self.head.bias is not None and not self.shared[1]:
            bound = 0.0 if self.shared[0] else 1 / math.sqrt(self.dim)
            nn.init.uniform_(self.head.bias, -bound, bound)
        for linear in self.tail.modules():
            if isinstance(linear, nn.Linear):
                linear.reset_parameters()

    @torch.no_grad()
    def start_as_unigram(self) -> None:
        """As in OutputLayer, except that tails have no biases: for a hidden row of zeros, all words
        of a cluster are equally probable."""
        if self.head.bias is None:
            return
        edges = [*self.cutoffs, self.num_classes]
        shares = self.unigram_bias().exp()
        clusters = [shares[low:end].sum() for low, end in pairwise(edges)]
        self.head.bias.copy_(torch.cat([shares[: self.cutoffs[0]], torch.stack(clusters)]).log())

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        weights = self._weights(hidden)
        return -levels.adaptive_log_prob(hidden, target, weights, self.cutoffs, row_of)

    def _log_prob(self, hidden: Tensor) -> Tensor:
        return levels.all_log_prob(hidden, self._weights(hidden), self.cutoffs)

    def _predict(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        return levels.best_classes(hidden, self._weights(hidden), self.cutoffs, k)

    def _sample(self, hidden: Tensor, generator: Generator, temperature: float) -> Tensor:
        """Draws a word or cluster from the head, then one of the cluster, at this temperature."""
        weight, bias, tails = self._weights(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.to(weight.dtype)
            ids = draw(F.linear(hidden, weight, bias), generator, temperature)
            cluster = ids - self.cutoffs[0]  # below 0: a word of the head
            for i, tail in enumerate(tails):
                rows = (cluster == i).nonzero()[:, 0]
                if len(rows):
                    log_prob = levels.tail_log_prob(hidden[rows], tail)
                    ids[rows] = draw(log_prob, generator, temperature) + self.cutoffs[i]
        return ids

    def _weights(self, hidden: Tensor) -> levels.Weights:
        """Returns the weights in the dtype that the loss is computed in."""
        weight = self.head.weight
        if len(self.weight):
            weight = torch.cat([self.weight[: self.cutoffs[0]], weight])
        weights = levels.Weights(weight, self.head.bias, levels.tails_of(self.tail))
        return weights.to(accumulate_dtype(hidden))


class _Head(nn.Module):
    """weight [c_0 + clusters, D], or [clusters, D] if the words' rows are tied, and bias [c_0 +
    clusters] or None; taken from a linear layer."""

    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias


def check_sorted(counts: Tensor) -> None:
    """Raises ValueError unless the counts [V] are in descending order."""
    rising = (counts[1:] > counts[:-1]).nonzero()
    if len(rising):
        label = int(rising[0, 0])
        pair = f"class {label} has count {counts[label].item()}, but class {label + 1} has"
        raise ValueError(
            f"ids are not sorted by frequency: {pair} {counts[label + 1].item()};"
            " the adaptive softmax needs the most frequent first"
        )


def check_cutoffs(cutoffs: list[int], num_classes: int) -> list[int]:
    """Returns the cutoffs (at least one). Raises ValueError unless they are in ascending order and
    within 1 … num_classes - 1."""
    if (last := cutoffs[-1]) >= num_classes:
        raise ValueError(f"cutoffs: {last} is not below the number of classes, {num_classes}")
    if cutoffs[0] < 1 or any(b <= a for a, b in pairwise(cutoffs)):
        raise ValueError(f"cutoffs are {shown(cutoffs)}, they must ascend from 1 or more")
    return cutoffs


def cluster_width(dim: int, div_value: float, cluster: int) -> int:
    """Returns dim // div_value^(cluster + 1), the vector length in a cluster (counted from 0).
    Raises ValueError if that is 0."""
    width = int(dim // div_value ** (cluster + 1))
    if width < 1:
        raise ValueError(
            f"dim {dim} // div_value {div_value:g}^{cluster + 1} is 0: cluster {cluster + 1} would"
            " have vectors of no dimension; use fewer cutoffs or a smaller div_value"
        )
    return width


def default_cutoffs(counts: np.ndarray, dim: int, div_value: float) -> list[int]:
    """Returns the cutoffs with the lowest expected cost, in multiply-adds, of a target drawn in
    proportion to counts [V].

        cost = (c_0 + K) (D + E) + sum_i P(cluster i) (d_i D + words_i (d_i + E)) + K C

    with d_i = D // div_value^(i+1), K clusters, E = LOGIT_COST and C = CLUSTER_COST, measured for
    the forward and backward pass on a CPU. All combinations of 64 geometrically spaced candidates
    in 1 … V - 1 are compared for K = 1, 2, 3, as long as d_K is at least 4 (K = 1 is always tried).
    """
    V = len(counts)
    grid = np.unique(np.geomspace(1, V - 1, CANDIDATES).round().astype(np.int64))
    edges = np.append(grid, V)
    mass = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])[edges]
    mass /= max(float(counts.sum()), 1.0)
    cheapest: tuple[float, list[int]] = (np.inf, [])
    for clusters in range(1, MOST_CLUSTERS + 1):
        widths = [int(dim // div_value ** (i + 1)) for i in range(clusters)]
        if clusters > 1 and widths[-1] < SHORTEST:
            break
        # from the last cluster to the first: cost[a] is the cost of all words from edge a on,
        # plan[-1][a] the edge of the next cut
        cost, plan = np.append(np.full(len(grid), np.inf), 0.0), []
        for width in reversed(widths):
            words, share = edges[None, :] - edges[:, None], mass[None, :] - mass[:, None]
            per_target = width * dim + words * (width + LOGIT_COST)
            through = np.where(words > 0, share * per_target + cost, np.inf)
            plan.append(through.argmin(axis=1))
            cost = through.min(axis=1)
        cost = cost + (edges + clusters) * (dim + LOGIT_COST) + clusters * CLUSTER_COST
        best = int(cost.argmin())
        if cost[best] < cheapest[0]:
            chosen = [best]
            for following in reversed(plan[1:]):
                chosen.append(int(following[chosen[-1]]))
            cheapest = float(cost[best]), [int(edges[i]) for i in chosen]
    return cheapest[1]
