"""Hierarchical sigmoid and negative sampling at once: one hidden vector, two matrices of output
rows, the sum of both losses, as word2vec.c trains with -hs 1 -negative 5.

    loss = -sum over the nodes n of t's path of log s(±h.u_n)
           - log s(h.w_t) - sum over noise words k of log s(-h.w_k)

Probabilities are those of the hierarchical sigmoid, which are exact; negative sampling's would only
be estimates. The training loss is their sum and so not a -log P. arXiv:1310.4546.

    layer = HsigmoidNeg(dim, counts, HsigmoidNegOptions(negatives=5))
    layer(hidden, target).mean().backward()
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from w2v.losses.base import OutputLayer, Scores
from w2v.losses.hsigmoid import Hsigmoid
from w2v.losses.options import HsigmoidNegOptions, NegOptions
from w2v.losses.sampled import Neg
from w2v.sampling.candidates import Candidates, Sampler


class HsigmoidNeg(OutputLayer):
    """The sum of `path`, a Hsigmoid, and `noise`, a Neg, which hold the rows: path.weight [V - 1,
    D], noise.weight [V, D].

    Args:
        weight: share this [V, D] tensor as noise.weight.
        bias: True gives both a bias; False: neither.
        sampler, per_row, generator: of the noise words, as in SampledLayer.
        sparse: both give sparse gradients.
        dim, counts, options, ignore_index: as in OutputLayer.

    Raises:
        ValueError: as Hsigmoid and Neg.
    """

    exact = False

    def __init__(
        self,
        dim: int,
        counts: Tensor | Sequence[int],
        options: HsigmoidNegOptions | None = None,
        *,
        weight: Tensor | None = None,
        bias: bool = False,
        ignore_index: int | None = None,
        sampler: Sampler | None = None,
        per_row: bool = False,
        sparse: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        options = options or HsigmoidNegOptions()
        super().__init__(dim, counts, options, ignore_index=ignore_index)
        self.path = Hsigmoid(dim, counts, sparse=sparse, bias=bias)
        self.noise = Neg(
            dim,
            counts,
            NegOptions(options.negatives, options.noise_power),
            weight=weight,
            bias=bias,
            sampler=sampler,
            per_row=per_row,
            sparse=sparse,
            generator=generator,
        )

    def make_rows(
        self, rows: int, weight: Tensor | None, bias: Tensor | bool
    ) -> tuple[Tensor, None]:
        """No rows, [0, D]: they live in `path` and `noise`."""
        return torch.empty(0, self.dim), None

    @property
    def sampler(self) -> Sampler:
        """Where the noise words come from."""
        return self.noise.sampler

    def score(self, hidden: Tensor, samples: Candidates | None = None) -> Scores:
        """Scores of the noise words, [U, S]; the path's depend on the targets."""
        return self.noise.score(hidden, samples)

    def link(self, scores: Scores, target: Tensor, row_of: Tensor | None = None) -> Tensor:
        """The sum of both losses [N] of the targets [N] or [N, 1]."""
        target, valid = self.checked(target)
        loss = self.path.link(Scores(scores.hidden), target, row_of) + self.noise.link(
            scores, target, row_of
        )
        return loss if valid is None else torch.where(valid, loss, 0)

    def log_prob(self, hidden: Tensor) -> Tensor:
        return self.path.log_prob(hidden)

    def nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        """-log P(target | hidden) [N] of the hierarchical sigmoid, which visits one path per
        target."""
        target, valid = self.checked(target)
        nll = self.path.nll(hidden, target)
        return nll if valid is None else torch.where(valid, nll, 0)

    def predict(self, hidden: Tensor, k: int = 1) -> tuple[Tensor, Tensor]:
        return self.path.predict(hidden, k)
