"""Adaptive softmax: the head's rows, then the rows of the cluster that holds the target x
cross-entropy per level.

Ids are sorted by frequency. The most frequent c_0 words and one row per cluster make up the head, a
softmax; cluster i holds words c_i … c_(i+1) - 1 behind a projection to D // div_value^(i+1)
dimensions, a softmax of its own:

    P(w | h) = head_w(h)                       w < c_0
    P(w | h) = head_(c_0 + i)(h) · tail_i,w(h)      w in cluster i

Exact. A target costs the head, and its cluster only if it has one: rare words are many, but rarely
targets. Parameters have the names and shapes of torch.nn.AdaptiveLogSoftmaxWithLoss, state dicts
load both ways. Grave et al. 2017, arXiv:1609.04309.

    layer = AdaptiveSoftmax(dim, counts, AdaptiveOptions(cutoffs=("2000", "10000")))
    layer(hidden, target).mean().backward()
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from w2v.losses.base import Counts, Generator, Made, OutputLayer, draw
from w2v.losses.given import check_given
from w2v.losses.math import levels
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.options import AdaptiveOptions
from w2v.sampling.given import short

# of one score's exponential and memory traffic, in multiply-adds of its dot product (1.3 of 5 ns)
LOGIT_COST = 40.0
# of one more cluster, in multiply-adds per target: 0.15 ms in a batch of 1000
CLUSTER_COST = 4000.0
CANDIDATES = 64  # cutoffs that the cost model tries, in geometric steps
MOST_CLUSTERS = 3
SHORTEST = 4  # dimensions of the last default cluster; shorter vectors cannot tell many words apart


class AdaptiveSoftmax(OutputLayer):
    """Adaptive softmax with torch's parameters: head.weight, head.bias, tail.i.0.weight,
    tail.i.1.weight. They start as torch's do (the same seed gives the same numbers), for zeros
    could not leave zero in the tails. `weight` is [0, D] if nothing is tied.

    Args:
        counts: [V], never increasing; from them come the default cutoffs.
        weight: tied [V, D]: its first c_0 rows are the head's words. head.weight then has the
            clusters' rows only.
        bias: True makes one for the head, a tensor [c_0 + clusters] is shared; None: as
            options.head_bias says.
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
            self.cutoffs = check_cutoffs(options.cutoffs, self.num_classes)
        else:
            self.cutoffs = default_cutoffs(self.counts.cpu().numpy(), dim, options.div_value)
        widths = [cluster_width(dim, options.div_value, i) for i in range(len(self.cutoffs))]
        bias = options.head_bias if bias is None else bias
        rows = self.cutoffs[0] + len(self.cutoffs)
        if not isinstance(bias, bool):
            check_given(bias, "bias", [rows])
        made = len(self.cutoffs) if self.shared[0] else rows
        self.head = _Head(nn.Linear(dim, made, bias is True and made == rows, **self.new))
        if isinstance(bias, Tensor):
            self.head.bias = bias
        elif bias and made < rows:
            self.head.bias = nn.Parameter(torch.zeros(rows, **self.new))
        self.shared = self.shared[0], isinstance(bias, Tensor)
        self.tail = nn.ModuleList()
        edges = pairwise([*self.cutoffs, self.num_classes])
        for width, (low, end) in zip(widths, edges, strict=True):
            down = nn.Linear(dim, width, bias=False, **self.new)
            up = nn.Linear(width, end - low, bias=False, **self.new)
            self.tail.append(nn.Sequential(down, up))

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> Made:
        """The tied weight [V, D], or [0, D]: what is not tied lives in `head` and `tail`."""
        if weight is None:
            return torch.empty(0, self.dim), None
        return super().make_rows(rows, weight, False)[0], None

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """As in OutputLayer, in the order in which torch's module does it."""
        nn.init.kaiming_uniform_(self.head.weight, math.sqrt(5))
        if self.head.bias is not None and not self.shared[1]:
            bound = 0.0 if self.shared[0] else 1 / math.sqrt(self.dim)
            nn.init.uniform_(self.head.bias, -bound, bound)
        for linear in self.tail.modules():
            if isinstance(linear, nn.Linear):
                linear.reset_parameters()

    @torch.no_grad()
    def start_as_unigram(self) -> None:
        """As in OutputLayer, but tails have no biases: within a cluster a hidden row of zeros
        prefers no word."""
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
        """A word or a cluster by the head, then a word of the cluster; each by temperature."""
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
        """In the dtype that the loss is computed in."""
        weight = self.head.weight
        if len(self.weight):
            weight = torch.cat([self.weight[: self.cutoffs[0]], weight])
        found = levels.Weights(weight, self.head.bias, levels.tails_of(self.tail))
        return found.to(accumulate_dtype(hidden))


class _Head(nn.Module):
    """weight [c_0 + clusters, D], or [clusters, D] when the words' rows are tied, and bias [c_0 +
    clusters] or None; made as a linear layer's are."""

    bias: Tensor | None

    def __init__(self, made: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = made.weight, made.bias


def check_sorted(counts: Tensor) -> None:
    """Raises ValueError unless counts [V] never increase."""
    rising = (counts[1:] > counts[:-1]).nonzero()
    if len(rising):
        at = int(rising[0, 0])
        these = f"class {at} has count {counts[at].item()}, but class {at + 1} has"
        raise ValueError(
            f"ids are not sorted by frequency: {these} {counts[at + 1].item()};"
            " the adaptive softmax needs the most frequent first"
        )


def check_cutoffs(cutoffs: Sequence[int | str], num_classes: int) -> list[int]:
    """The cutoffs, one at least, as numbers. ValueError: one is no whole number, is not above the
    one before it, or lies outside 1 … num_classes - 1."""
    listed = ", ".join(map(str, cutoffs))[:60]
    try:
        numbers = [int(cutoff) for cutoff in cutoffs]
    except ValueError:
        raise ValueError(f"cutoffs are {listed}, they must be whole numbers") from None
    if numbers[-1] >= num_classes:
        last = short(numbers[-1])
        raise ValueError(f"cutoffs: {last} is not below the number of classes, {num_classes}")
    if numbers[0] < 1 or any(b <= a for a, b in pairwise(numbers)):
        raise ValueError(f"cutoffs are {listed}, they must ascend from 1 or more")
    return numbers


def cluster_width(dim: int, div_value: float, cluster: int) -> int:
    """dim // div_value^(cluster + 1), the length of the vectors in a cluster (the first is 0).
    ValueError: nothing is left."""
    width = int(dim // div_value ** (cluster + 1))
    if width < 1:
        raise ValueError(
            f"dim {dim} // div_value {div_value:g}^{cluster + 1} is 0: cluster {cluster + 1} would"
            " have vectors of no dimension; use fewer cutoffs or a smaller div_value"
        )
    return width


def default_cutoffs(counts: np.ndarray, dim: int, div_value: float) -> list[int]:
    """The cutoffs for which a target drawn by counts [V] costs the fewest multiply-adds.

        cost = (c_0 + K) (D + E) + sum_i P(cluster i) (d_i D + words_i (d_i + E)) + K C

    with d_i = D // div_value^(i+1), K clusters, E = LOGIT_COST and C = CLUSTER_COST, measured
    forward and backward on a CPU. All combinations of 64 candidates, geometrically spaced in 1 … V
    - 1, are compared for K = 1, 2, 3, as long as d_i is 4 or more (one cluster is always tried).
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
        # from the last cluster to the first: cost[a] = of all words from edge a on, next_edge[a] =
        # where to cut next
        cost, plan = np.append(np.full(len(grid), np.inf), 0.0), []
        for width in reversed(widths):
            words, share = edges[None, :] - edges[:, None], mass[None, :] - mass[:, None]
            per_target = width * dim + words * (width + LOGIT_COST)
            through = np.where(words > 0, share * per_target + cost, np.inf)
            plan.append(through.argmin(axis=1))
            cost = through.min(axis=1)
        cost = cost + (edges + clusters) * (dim + LOGIT_COST) + clusters * CLUSTER_COST
        at = int(cost.argmin())
        if cost[at] < cheapest[0]:
            chosen = [at]
            for following in reversed(plan[1:]):
                chosen.append(int(following[chosen[-1]]))
            cheapest = float(cost[at]), [int(edges[place]) for place in chosen]
    return cheapest[1]
