"""Hierarchical sigmoid and negative sampling at once: one hidden vector, two matrices of output
rows, and the sum of both losses, as word2vec.c trains with -hs 1 -negative 5.

    loss = -sum over the nodes n of t's path of log s(±h.u_n)
           - log s(h.w_t) - sum over noise words k of log s(-h.w_k)

Probabilities are those of the hierarchical sigmoid, which are exact. Source: arXiv:1310.4546.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from w2v.errors import shown
from w2v.losses.base import Counts, OutputLayer, WeightAndBias
from w2v.losses.hsigmoid import Hsigmoid
from w2v.losses.math.numbers import accumulate_dtype
from w2v.losses.options import HsigmoidNegOptions, NegOptions
from w2v.losses.sampled import Neg
from w2v.sampling.candidates import Sampler
from w2v.sampling.checks import checked_flag


class HsigmoidNeg(OutputLayer):
    """The sum of the losses of `path`, a Hsigmoid, and `noise`, a Neg. They hold the output rows,
    path.weight [V - 1, D] and noise.weight [V, D].

    bias and sparse apply to both; of_noise are further arguments of Neg: weight [V, D], sampler,
    per_row, generator.
    """

    takes = HsigmoidNegOptions
    options: HsigmoidNegOptions

    def __init__(
        self,
        dim: int,
        counts: Counts,
        options: HsigmoidNegOptions | None = None,
        *,
        bias: bool = False,
        sparse: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **of_noise: Any,
    ) -> None:
        super().__init__(dim, counts, options, device=device, dtype=dtype)
        if not isinstance(bias, bool):
            raise ValueError(f"bias is {shown(bias)}, it must be True or False (for both matrices)")
        self.sparse = checked_flag(sparse, "sparse")
        both = {"sparse": self.sparse, "bias": bias, **self.new}
        noise = NegOptions(self.options.negatives, self.options.noise_power)
        self.path = Hsigmoid(dim, self.counts, **both)
        self.noise = Neg(dim, self.counts, noise, **both, **of_noise)

    def make_rows(self, rows: int, weight: Tensor | None, bias: Tensor | bool) -> WeightAndBias:
        """Returns no rows, [0, D]: they are in `path` and `noise`."""
        return torch.empty(0, self.dim), None

    def reset_parameters(self) -> None:
        """Resets the parameters of both layers."""
        self.path.reset_parameters()
        self.noise.reset_parameters()

    @property
    def sampler(self) -> Sampler:
        """The sampler of the noise words."""
        return self.noise.sampler

    def _loss(self, hidden: Tensor, target: Tensor, row_of: Tensor | None) -> Tensor:
        hidden = hidden.to(accumulate_dtype(hidden))  # its two gradients are rounded once, added
        of_path = self.path._loss(hidden, target, row_of)
        return of_path + self.noise._loss(hidden, target, row_of)

    def _log_prob(self, hidden: Tensor) -> Tensor:
        return self.path._log_prob(hidden)

    def _nll(self, hidden: Tensor, target: Tensor) -> Tensor:
        return self.path._nll(hidden, target)

    def _predict(self, hidden: Tensor, k: int) -> tuple[Tensor, Tensor]:
        return self.path._predict(hidden, k)
