"""Losses that score the target against a few noise words: negative sampling, NCE, sampled softmax.

With the score s(w) = h.w (+ b_w), k noise words drawn from q, and n(w) the expected number of
occurrences of w among them (k q(w) if words may repeat):

    neg              logistic        z(w) = s(w)     noise words equal to the target are left out
    nce              logistic        z(w) = s(w) - log Z - log n(w)
    sampled-softmax  cross-entropy   z(w) = s(w) - log n(w)     leaves them out too

    logistic:      softplus(-z) of the target plus softplus(z) of every noise word
    cross-entropy: logsumexp over target and noise words - z of the target

arXiv:1310.4546 (neg), arXiv:1206.6426 (nce), arXiv:1412.2007 (sampled softmax).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from typing_extensions import Unpack

from w2v.losses.base import Counts, RowArguments, WeightAndBias
from w2v.losses.math import sampled_step
from w2v.losses.math.numbers import (
    LARGEST,
    accumulate_dtype,
    checked_number,
    transformed,
    whole_batch,
)
from w2v.losses.math.products import product_dtype
from w2v.losses.math.sampled_step import LOGISTIC, REMOVED, Link, log_count
from w2v.losses.options import NceOptions, NegOptions, SampledOptions, SampledSoftmaxOptions
from w2v.losses.softmax import FullLayer, Operands
from w2v.sampling.candidates import Candidates, Sampler
from w2v.sampling.checks import check_kind, checked_flag
from w2v.sampling.samplers import UnigramSampler
from w2v.system.gpu import distant


class SampledLayer(FullLayer):
    """Base of the sampled losses.

    Args:
        sampler: the source of noise words; None: drawn by counts^options.noise_power.
        per_row: draw noise words for each hidden row instead of once for all of them.
        sparse: give `weight` and `bias` sparse gradients of only the rows scored.
        generator: the random generator for the draws; it may be replaced at any time.
    """

    options: SampledOptions
    link: ClassVar[Link] = LOGISTIC
    unique: ClassVar[bool] = False  # whether the noise words of a draw are all different
    subtracts_counts: ClassVar[bool] = True
    removes_hits = False
    # (U, r, n): the hidden rows are rows r, r + n, … of a batch of U; likewise their noise words
    share: tuple[int, int, int] | None = None

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: SampledOptions | None = None,
        *,
        sampler: Sampler | None = None,
        per_row: bool = False,
        sparse: bool = False,
        generator: torch.Generator | None = None,
        **rows: Unpack[RowArguments],
    ) -> None:
        super().__init__(dim, counts, options, **rows)
        negatives = self.options.negatives
        check_kind(sampler, "sampler", Sampler)
        check_kind(generator, "generator", torch.Generator)
        if sampler is None:
            with torch.device("cpu"):
                sampler = UnigramSampler(self.counts, distortion=self.options.noise_power)
        classes, V = sampler.range_max, self.num_classes
        if classes != V:
            raise ValueError(f"the sampler has {classes} classes, counts has {V}")
        if self.unique and negatives > sampler.support():
            support = f"there are only {sampler.support()} distinct words to draw"
            raise ValueError(f"negatives is {negatives}, but {support}")
        self.sampler, self.per_row = sampler, checked_flag(per_row, "per_row")
        self.sparse = checked_flag(sparse, "sparse")
        self.generator = generator

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> WeightAndBias:
        return super().make_rows(rows, weight, self.options.has_bias if bias is False else bias)

    def draw(self, hidden: Tensor) -> Candidates:
        """Draws noise words for the rows of `hidden`; under torch.func.vmap, one draw for all."""
        if self.per_row and whole_batch(hidden)[1]:
            raise ValueError("per_row=True does not work under torch.func.vmap: use per_row=False")
        size = len(hidden) if self.share is None else self.share[0]
        rows, device = size or None if self.per_row else None, hidden.device
        drawn = self.options.negatives, self.unique, self.generator
        with torch._C._DisableFuncTorch():
            samples = self.sampler.sample(None, *drawn, rows=rows, device=device)
        if rows is None or self.share is None:
            return samples
        _, first, step = self.share
        parts = {
            name: part[first::step]
            for name, part in samples._asdict().items()
            if isinstance(part, Tensor)
        }
        return samples._replace(**parts)

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        return self.loss_with(self.draw(hidden), hidden, target, row_of)

    def loss_with(
        self, samples: Candidates, hidden: Tensor, target: Tensor, row_of: Tensor | None = None
    ) -> Tensor:
        """Returns the loss [N] with given noise words; arguments as in `forward`, unchecked."""
        sampled, counts = samples.sampled, None
        if self.subtracts_counts:
            of_labels = self._label_counts(samples, target, row_of)
            counts = torch.cat([of_labels, samples.sampled_expected_count.reshape(-1)])
        ids = torch.cat([target, sampled.reshape(-1)])
        rows, offset = self._rows(ids, counts, accumulate_dtype(hidden))
        sets, removed = len(hidden) if sampled.dim() == 2 else 1, None
        if self.removes_hits:
            if row_of is not None and sampled.dim() == 2:
                sampled = sampled.index_select(0, row_of)
            removed = target[:, None] == sampled
            if not (transformed() or distant(target)):
                removed = removed.view(-1).nonzero()[:, 0]
        layout = sampled_step.RowLayout(self.link, 1, sets, row_of, removed)
        return sampled_step.sampled_loss(hidden, rows, offset, layout)

    def shares(self, hidden: Tensor, classes: Tensor) -> Tensor:
        """As in FullLayer, for the noise words and targets on this rank: the loss [N, 1] if the
        link is separable, otherwise the log-sum-exp and the target's score [N, 2]. All ranks draw
        the same words."""
        assert self.shard is not None
        samples, dtype, counts = self.draw(hidden), accumulate_dtype(hidden), None
        mine, drawn = (self.shard.has(ids).nonzero()[:, 0] for ids in (classes, samples.sampled))
        target, sampled, n = classes[mine], samples.sampled[drawn], len(mine)
        if self.subtracts_counts:
            of_labels = self._label_counts(samples, target, None)
            counts = torch.cat([of_labels, samples.sampled_expected_count[drawn]])
        rows, offset = self._rows(torch.cat([target, sampled]) - self.shard.low, counts, dtype)
        kind = product_dtype(torch.promote_types(hidden.dtype, rows.dtype))
        true = (hidden[mine].to(dtype) * rows[:n].to(dtype)).sum(1)
        noise = (hidden.to(kind) @ rows[n:].to(kind).t()).to(dtype)
        if offset is not None:
            true, noise = true + offset[:n], noise + offset[n:]
        if self.removes_hits:
            noise = noise.masked_fill(classes[:, None] == sampled, REMOVED)
        # a label that is on another rank must add nothing here
        absent = -REMOVED if self.link.separable else REMOVED
        labels = noise.new_full((len(classes),), absent).index_copy(0, mine, true)[:, None]
        if self.link.separable:
            return self.link.plain(labels, noise)[:, None]
        score = noise.new_zeros(len(classes)).index_copy(0, mine, true)
        return torch.stack([torch.cat([labels, noise], 1).logsumexp(1), score], 1)

    def of_shares(self, shares: Tensor) -> Tensor:
        return shares[..., 0].sum(0) if self.link.separable else super().of_shares(shares)

    def _rows(
        self, ids: Tensor, counts: Tensor | None, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output rows `ids` and what is added to their scores. counts: the expected
        counts, if they are to be subtracted."""
        tables = (self.weight,) if self.bias is None else (self.weight, self.bias)
        rows, *bias = sampled_step.take_rows(ids, self.sparse, *tables)
        offset = bias[0] if bias else None
        if counts is not None:
            constant = self.constants(log_count(counts, dtype))
            offset = -constant if offset is None else offset - constant
        return rows, offset

    def constants(self, log_counts: Tensor) -> Tensor:
        """Returns what is subtracted from the scores of words with these expected counts."""
        return log_counts

    def _label_counts(self, samples: Candidates, target: Tensor, row_of: Tensor | None) -> Tensor:
        """Returns expected counts [N]: those given with the samples, else from the sampler."""
        if samples.true_expected_count is not None:
            return samples.true_expected_count.view(target.shape)
        tries = samples.num_tries
        if isinstance(tries, Tensor) and row_of is not None:
            tries = tries.index_select(0, row_of)
        return self.sampler.expected_count(target, samples.sampled.shape[-1], tries)


class Neg(SampledLayer):
    """Negative sampling. Its scores estimate log(P(w | h) / q(w)) + constant, so log q is added
    back for log_prob and nll."""

    takes = NegOptions
    removes_hits = True
    subtracts_counts = False

    def unigram_bias(self) -> Tensor:
        """As in OutputLayer; scores are log(P / q) - log k."""
        noise = self.sampler.probability(torch.arange(self.num_classes, device="cpu"))
        log_q = log_count(noise, torch.float64)
        return super().unigram_bias() - log_q - math.log(self.options.negatives)

    def operands(self, hidden: Tensor) -> Operands:
        noise = self.sampler.probability(torch.arange(self.num_classes, device=hidden.device))
        log_q = log_count(noise, accumulate_dtype(self.weight))
        return hidden, self.weight, log_q if self.bias is None else log_q + self.bias


class Nce(SampledLayer):
    """Noise-contrastive estimation. options.nce_log_z: "auto" (log V), "learned" (a parameter that
    starts at log V), or a number; options.nce_bias: a bias for every word, like bias=True."""

    takes = NceOptions
    options: NceOptions

    def __init__(
        self, dim: int, counts: Counts, options: NceOptions | None = None, **kwargs: Any
    ) -> None:
        super().__init__(dim, counts, options, **kwargs)
        log_z = self.options.log_z()
        if log_z is not None:
            checked_number(log_z, "nce_log_z", -LARGEST)
        self.log_z: float | nn.Parameter = math.log(self.num_classes) if log_z is None else log_z
        if self.options.nce_log_z == "learned":
            self.log_z = nn.Parameter(torch.tensor(self.log_z, **self.new))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        super().reset_parameters()
        if isinstance(self.log_z, nn.Parameter):
            self.log_z.fill_(math.log(self.num_classes))

    def unigram_bias(self) -> Tensor:
        return super().unigram_bias() + torch.as_tensor(self.log_z).detach().cpu()

    def constants(self, log_counts: Tensor) -> Tensor:
        return log_counts + self.log_z


class SampledSoftmax(SampledLayer):
    """Softmax over the target and distinct noise words; options.remove_hits excludes those that
    equal the target."""

    takes = SampledSoftmaxOptions
    options: SampledSoftmaxOptions
    link = sampled_step.SOFTMAX
    unique = True

    @property
    def removes_hits(self) -> bool:  # type: ignore[override]
        return self.options.remove_hits
