"""Losses that score the target against a few noise words: negative sampling, NCE, sampled softmax.

With the score s(w) = h.w (+ b_w), k noise words drawn from q, and n(w) how often w is to be
expected among them (k q(w) when words may repeat):

    neg              logistic        z(w) = s(w)     noise words equal to the target left out
    nce              logistic        z(w) = s(w) - log Z - log n(w)
    sampled-softmax  cross-entropy   z(w) = s(w) - log n(w) noise words equal to the target left out

    logistic:      sum over the T labels of softplus(z) - z / T, plus the noise words' softplus(z)
    cross-entropy: logsumexp over labels and noise words - mean of the labels' z

arXiv:1310.4546 (neg), arXiv:1206.6426 (nce), arXiv:1412.2007 (sampled softmax).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from w2v.losses.base import OutputLayer, Scores, accumulate_dtype, checked_classes, rows_for
from w2v.losses.math.cross_entropy import all_scores, linear_cross_entropy
from w2v.losses.math.products import linear, outer, product_dtype
from w2v.losses.options import NceOptions, SampledOptions, SampledSoftmaxOptions
from w2v.sampling.candidates import Candidates, Sampler
from w2v.sampling.samplers import UnigramSampler

REMOVED = torch.finfo(
    torch.float32
).min  # the score of a noise word left out: finite, so that nothing becomes NaN
LINEAR_FROM = 40.0  # softplus(z) = z from here on, exactly in float64


class SampledLayer(OutputLayer):
    """Base of the sampled losses: `score` draws the noise words and scores them for every hidden
    row, `link` scores the labels. Targets are [N], or [N, T] for T labels a row.

    Args:
        dim, counts, options, weight, bias, ignore_index: as in OutputLayer; a row of T labels is
            ignored if one of them is ignore_index.
        sampler: where the noise words come from; None: counts^options.noise_power.
        per_row: draw noise words for every hidden row instead of once for all of them.
        sparse: give `weight` and `bias` sparse gradients that hold only the rows scored.
        generator: for the draws; it may be replaced at any time.

    Raises:
        ValueError: the sampler has other classes than counts, or not as many as there are noise
            words to draw.
    """

    exact = False
    unique = False  # whether the noise words of a draw are distinct
    removes_hits = False
    subtracts_counts = True

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: SampledOptions,
        *,
        weight: Tensor | None = None,
        bias: Tensor | bool = False,
        ignore_index: int | None = None,
        sampler: Sampler | None = None,
        per_row: bool = False,
        sparse: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(dim, counts, options, weight=weight, bias=bias, ignore_index=ignore_index)
        if sampler is None:
            sampler = UnigramSampler(torch.as_tensor(counts), distortion=options.noise_power)
        if sampler.range_max != self.num_classes:
            raise ValueError(
                f"the sampler has {sampler.range_max} classes, counts has {self.num_classes}"
            )
        if self.unique and options.negatives > sampler.support():
            raise ValueError(
                f"negatives is {options.negatives}, but there are only {sampler.support()} distinct"
                " words to draw"
            )
        self.sampler, self.per_row, self.sparse, self.generator = (
            sampler,
            per_row,
            sparse,
            generator,
        )

    def draw(self, hidden: Tensor) -> Candidates:
        """Noise words for the rows of `hidden`."""
        rows = len(hidden) if self.per_row else None
        return self.sampler.sample(
            None,
            self.options.negatives,
            self.unique,
            self.generator,
            rows=rows,
            device=hidden.device,
        )

    def score(self, hidden: Tensor, samples: Candidates | None = None) -> Scores:
        """Scores of the noise words, [U, S]; samples: the noise words to use instead of drawing
        some."""
        if samples is None:
            samples = self.draw(hidden)
        rows = take_rows(self.weight, samples.sampled, self.sparse)
        logits = noise_scores(hidden, rows)
        # what depends on the word alone is put together first: one pass over [U, S]
        if self.bias is not None:
            logits = logits + self.corrected(
                take_rows(self.bias, samples.sampled, self.sparse), samples.sampled_expected_count
            )
        else:
            logits = self.corrected(logits, samples.sampled_expected_count)
        return Scores(hidden, logits, samples)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        target = target[:, None] if target.dim() == 1 else target
        labels, valid = checked_classes(target, self.num_classes, self.ignore_index)
        rows = len(scores.hidden if row_of is None else row_of)
        if len(labels) != rows:
            raise ValueError(f"there are targets for {len(labels)} rows, hidden has {rows}")
        samples, noise = scores.extra, scores.logits
        assert noise is not None
        true = label_scores(
            rows_for(scores.hidden, row_of), take_rows(self.weight, labels, self.sparse)
        )
        if self.bias is not None:
            true = true + take_rows(self.bias, labels, self.sparse)
        if self.subtracts_counts:
            true = self.corrected(true, self._label_counts(samples, labels, row_of))
        if self.removes_hits:
            sampled = samples.sampled
            if row_of is not None:
                noise = noise.index_select(0, row_of)
                sampled = sampled if sampled.dim() == 1 else sampled.index_select(0, row_of)
                row_of = None
            candidates = sampled if sampled.dim() == 1 else sampled[:, None]
            noise = noise.masked_fill((labels[:, :, None] == candidates).any(1), REMOVED)
        loss = self.combine(true, noise, row_of)
        return loss if valid is None else torch.where(valid.all(1), loss, 0)

    def combine(self, true: Tensor, noise: Tensor, row_of: Tensor | None) -> Tensor:
        """Loss [N] of the labels' z [N, T] and the noise words' z [U, S]; row_of [N] leads from N
        to U."""
        return logistic(true, noise, row_of)

    def corrected(self, logits: Tensor, expected_count: Tensor) -> Tensor:
        """z of the scores, of words with these expected counts."""
        return logits - log_count(expected_count, logits.dtype) if self.subtracts_counts else logits

    def class_biases(self, device: torch.device) -> Tensor | None:
        """What is added to h.w for the scores whose softmax is the layer's distribution: [V] or
        None."""
        return self.bias

    def unigram_bias(self) -> Tensor:
        """log of the counts' shares [V]."""
        return self.log_shares()

    def log_prob(self, hidden: Tensor) -> Tensor:
        return all_scores(hidden, self.weight, self.class_biases(hidden.device)).log_softmax(1)

    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """-log P(target | hidden) [N], a block of scores at a time."""
        bias = self.class_biases(hidden.device)
        return linear_cross_entropy(
            hidden, self.weight, target, bias, ignore_index=self.ignore_index
        )

    def _label_counts(self, samples: Candidates, labels: Tensor, row_of: Tensor | None) -> Tensor:
        """Expected counts [N, T]: those that came with the samples, else the sampler's."""
        counts = samples.true_expected_count
        if counts is None:
            tries = samples.num_tries
            if isinstance(tries, Tensor) and row_of is not None:
                tries = tries.index_select(0, row_of)
            return self.sampler.expected_count(labels, samples.sampled.shape[-1], tries)
        counts = counts[:, None] if counts.dim() == 1 else counts
        if counts.shape != labels.shape:
            raise ValueError(
                f"true_expected_count has shape {list(counts.shape)}, the targets"
                f" {list(labels.shape)}"
            )
        return counts


class Neg(SampledLayer):
    """Negative sampling. Its scores estimate log(P(w | h) / q(w)) + constant, so that log q is
    added back for log_prob and nll."""

    removes_hits = True
    subtracts_counts = False

    def unigram_bias(self) -> Tensor:
        """As its scores are log P / q, less log k."""
        noise = self.sampler.probability(torch.arange(self.num_classes)).to(self.counts.device)
        return (
            super().unigram_bias()
            - log_count(noise, torch.float64)
            - math.log(self.options.negatives)
        )

    def class_biases(self, device: torch.device) -> Tensor | None:
        """log q, and the bias if there is one."""
        noise = self.sampler.probability(torch.arange(self.num_classes, device=device))
        log_q = log_count(noise, accumulate_dtype(self.weight))
        return log_q if self.bias is None else log_q + self.bias


class Nce(SampledLayer):
    """Noise-contrastive estimation. options.nce_log_z: "auto" (log V), "learned" (a parameter that
    starts there), or a number; options.nce_bias: a bias for every word, as bias=True."""

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: NceOptions,
        *,
        bias: Tensor | bool = False,
        **more: Any,
    ) -> None:
        super().__init__(
            dim, counts, options, bias=options.nce_bias if bias is False else bias, **more
        )
        self.log_z: float | nn.Parameter
        start = math.log(self.num_classes)
        try:
            self.log_z = (
                start if options.nce_log_z in ("auto", "learned") else float(options.nce_log_z)
            )
        except ValueError:
            raise ValueError(
                f"nce_log_z is '{options.nce_log_z}', it must be auto, learned or a number"
            ) from None
        if options.nce_log_z == "learned":
            self.log_z = nn.Parameter(torch.tensor(start))

    def unigram_bias(self) -> Tensor:
        return super().unigram_bias() + torch.as_tensor(self.log_z).detach()

    def corrected(self, logits: Tensor, expected_count: Tensor) -> Tensor:
        return logits - (log_count(expected_count, logits.dtype) + self.log_z)


class SampledSoftmax(SampledLayer):
    """Softmax over the target and the noise words, which are distinct; options.remove_hits leaves
    out those that equal the target."""

    unique = True

    def __init__(
        self, dim: int, counts: Tensor | Sequence[int], options: SampledSoftmaxOptions, **more: Any
    ) -> None:
        super().__init__(dim, counts, options, **more)
        self.removes_hits = options.remove_hits

    def combine(self, true: Tensor, noise: Tensor, row_of: Tensor | None) -> Tensor:
        return cross_entropy(true, rows_for(noise, row_of))


def logistic(true: Tensor, noise: Tensor, row_of: Tensor | None = None) -> Tensor:
    """Sum over the columns of the logistic loss [N], labels 1 / T for `true` [N, T], 0 for `noise`
    [U, S]."""
    # softplus(z) - z / T = softplus(-z) + (1 - 1 / T) z, without the loss of digits for a large z
    loss = F.softplus(-true, threshold=LINEAR_FROM).sum(1)
    if true.shape[1] > 1:
        loss = loss + (1 - 1 / true.shape[1]) * true.sum(1)
    return loss + rows_for(F.softplus(noise, threshold=LINEAR_FROM).sum(1), row_of)


def cross_entropy(true: Tensor, noise: Tensor) -> Tensor:
    """-(mean over `true` [N, T] of the log-softmax over `true` and `noise` [N, S]) [N]."""
    return -F.log_softmax(torch.cat([true, noise], 1), 1)[:, : true.shape[1]].mean(1)


def noise_scores(hidden: Tensor, rows: Tensor) -> Tensor:
    """hidden [U, D] times rows [S, D], or times each hidden row's own [U, S, D]: [U, S]."""
    if rows.dim() == 2:
        kind = product_dtype(torch.promote_types(hidden.dtype, rows.dtype))
        scores = _Product.apply(hidden.to(kind), rows.to(kind))
    else:
        scores = torch.bmm(rows, hidden[:, :, None])[:, :, 0]
    return scores.to(accumulate_dtype(scores))


def label_scores(hidden: Tensor, rows: Tensor) -> Tensor:
    """hidden [N, D] times the labels' rows [N, T, D]: [N, T]."""
    dtype = accumulate_dtype(hidden)
    return torch.linalg.vecdot(hidden[:, None].to(dtype), rows.to(dtype))


def log_count(expected_count: Tensor, dtype: torch.dtype) -> Tensor:
    """log of expected counts, which are constants; one of 0 counts as the least number above 0."""
    counts = expected_count.detach().double()
    return counts.clamp_min(torch.finfo(torch.float64).tiny).log_().to(dtype)


def take_rows(table: Tensor, ids: Tensor, sparse: bool) -> Tensor:
    """table[ids], of a table [V, D] or [V]; sparse: its gradient holds only those rows."""
    if sparse:
        return sparse_rows(ids, table)[0]
    return table.index_select(0, ids.reshape(-1)).view(*ids.shape, *table.shape[1:])


def sparse_rows(ids: Tensor, *tables: Tensor) -> tuple[Tensor, ...]:
    """take_rows(table, ids, sparse=True) of each of the tables."""
    return _SparseRows.apply(ids, *tables)


class _Product(torch.autograd.Function):
    """hidden [U, D] @ rows.T [D, S] by the fastest library."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, rows)
        return linear(hidden, rows)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        hidden, rows = ctx.saved_tensors
        return linear(gradient, rows.t()), outer(gradient, hidden)


class _SparseRows(torch.autograd.Function):
    """table[ids] with a sparse gradient. (torch.nn.functional.embedding has one for [V, D]
    only.)"""

    @staticmethod
    def forward(ctx: Any, ids: Tensor, *tables: Tensor) -> tuple[Tensor, ...]:
        ctx.save_for_backward(ids)
        ctx.shapes = [table.shape for table in tables]
        flat = ids.reshape(-1)
        return tuple(
            table.index_select(0, flat).view(*ids.shape, *table.shape[1:]) for table in tables
        )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (ids,) = ctx.saved_tensors
        return None, *(
            (
                torch.sparse_coo_tensor(
                    ids.reshape(1, -1),
                    gradient.reshape(-1, *shape[1:]),
                    shape,
                    check_invariants=False,
                )
                if wanted
                else None
            )
            for gradient, shape, wanted in zip(
                gradients, ctx.shapes, ctx.needs_input_grad[1:], strict=True
            )
        )
