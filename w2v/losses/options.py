"""The settings that belong to a single loss. Imports neither torch nor NumPy, so that --help can
list them.

On the command line `--negatives 10`, in YAML `negatives: 10` or `loss.negatives: 10`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from w2v.kernels.plan import CROSS_ENTROPY, LOG_Z_BIAS, NOISE, PATH, WORD_BIAS, FusedPlan
from w2v.settings.declare import setting
from w2v.settings.interval import checked_cutoffs

BIAS = "give output words a trained bias: gains a point of analogies, costs a fifth of the speed"


@dataclass(frozen=True)
class LossOptions:
    """The settings of one loss."""

    def plan(self) -> FusedPlan | None:
        """Returns the plan of the fused kernel, or None for losses without one."""
        return None


@dataclass(frozen=True)
class SampledOptions(LossOptions):
    """Losses that score the target and k noise words drawn from q(w) ~ count(w)^power."""

    negatives: int = setting(5, "noise words drawn per window", low=1, lm=1024)
    noise_power: float = setting(
        0.75,
        "noise words are drawn in proportion to count^power (0: uniform, 1: by frequency)",
        low=-5,
        high=5,
    )

    @property
    def has_bias(self) -> bool:
        """Whether every output word has a trained bias. Without one, vectors whose scores are
        log-probabilities must also encode word frequency, at the expense of meaning."""
        return False

    def noise_plan(self, rows: int = NOISE, **fields: Any) -> FusedPlan:
        """Returns a plan with this noise distribution."""
        return FusedPlan(rows, negatives=self.negatives, power=self.noise_power, **fields)


@dataclass(frozen=True)
class NegOptions(SampledOptions):
    """Negative sampling, word2vec's default."""

    def plan(self) -> FusedPlan:
        return self.noise_plan(skip_hits=1)


@dataclass(frozen=True)
class NceOptions(SampledOptions):
    """Noise-contrastive estimation: the score is h.w (+ b) - log Z."""

    nce_log_z: str = setting(
        "auto",
        "log Z, subtracted from every score; auto: log V; learned: starts at log V, is trained",
        choices=("auto", "learned"),
        or_number=True,
    )
    nce_bias: bool = setting(False, BIAS)

    @property
    def has_bias(self) -> bool:
        return self.nce_bias

    def log_z(self) -> float | None:
        """Returns the constant log Z; None if it is log V or starts there."""
        return None if self.nce_log_z in ("auto", "learned") else float(self.nce_log_z)

    def plan(self) -> FusedPlan:
        """Noise words that equal the target are kept: NCE treats them as noise."""
        learned = self.nce_log_z == "learned"
        bias = WORD_BIAS * self.has_bias + LOG_Z_BIAS * learned
        return self.noise_plan(offsets=1, bias=bias, log_z=0.0 if learned else self.log_z())


@dataclass(frozen=True)
class SampledSoftmaxOptions(SampledOptions):
    """Softmax over the target and noise words, corrected by their expected counts."""

    remove_hits: bool = setting(True, "leave out noise words that equal the target")
    softmax_bias: bool = setting(False, BIAS)

    @property
    def has_bias(self) -> bool:
        return self.softmax_bias

    def plan(self) -> FusedPlan:
        """The kernel draws noise with replacement once per window, so that word i is expected
        k·q(i) times among k words; the layer draws distinct words and expects 1 - (1 - q)^tries.
        For few words out of many thousands the two hardly differ."""
        hits, bias = int(self.remove_hits), WORD_BIAS * self.has_bias
        return self.noise_plan(link=CROSS_ENTROPY, offsets=1, skip_hits=hits, bias=bias)


@dataclass(frozen=True)
class SoftmaxOptions(LossOptions):
    """Full softmax; has no settings."""


@dataclass(frozen=True)
class LabelSmoothingOptions(LossOptions):
    """Full softmax with the target mixed with the uniform distribution."""

    smoothing: float = setting(
        0.1, "share alpha of the probability that is spread evenly over all classes", low=0, high=1
    )


@dataclass(frozen=True)
class SparseSoftmaxOptions(LossOptions):
    """Softmax over the highest scores only."""

    top_k: int = setting(128, "number of highest scores kept; with fewer, less is learnt", low=1)
    keep_target: bool = setting(True, "keep the target's score even if it is not among the top k")


@dataclass(frozen=True)
class AmSoftmaxOptions(LossOptions):
    """Additive margin: scale * (cos - margin) for the target, scale * cos for the others.

    The defaults suit text, where several words are right in a context. Those of the paper are for
    faces, with one right answer each; with them the demo corpus gets half as many analogies right.
    `w2v.compat.losses.am_softmax_loss` has the paper's defaults.
    """

    scale: float = setting(15.0, "factor on the cosines (the paper: 30, for faces)", above=0)
    am_margin: float = setting(
        0.1, "margin subtracted from the target's cosine (the paper: 0.35)", low=0
    )


@dataclass(frozen=True)
class LSoftmaxOptions(LossOptions):
    """Large margin: the target's angle is multiplied by an integer.

    The margin alone (annealing 0, as in `w2v.compat.losses.l_softmax_loss`) demands that every
    right answer stand out from all others; in text several words are right in a context, and the
    vectors shrink towards 0 instead.
    """

    angular_margin: int = setting(2, "factor m of the target's angle", low=1, high=4)
    annealing: float = setting(
        10.0,
        "lambda: (lambda * plain score + margin score) / (1 + lambda); with values near 0"
        " nothing is learnt from text",
        low=0,
    )


@dataclass(frozen=True)
class SmSoftmaxOptions(LossOptions):
    """Soft margin: a constant is subtracted from the target's score."""

    sm_margin: float = setting(0.5, "margin subtracted from the target's score", low=0)


@dataclass(frozen=True)
class AdaptiveOptions(LossOptions):
    """Adaptive softmax: frequent words in the head, the others in clusters."""

    cutoffs: tuple[str, ...] = setting(
        (),
        "first id of each cluster, ascending; by default a cost model chooses them",
        low=1,
        read=checked_cutoffs,
    )
    div_value: float = setting(
        4.0, "factor by which the vectors of each further cluster are shorter", low=1
    )
    head_bias: bool = setting(False, "give the head a bias")


@dataclass(frozen=True)
class HsigmoidOptions(LossOptions):
    """Hierarchical softmax over the Huffman tree; has no settings."""

    def plan(self) -> FusedPlan:
        return FusedPlan(PATH)


@dataclass(frozen=True)
class HsigmoidNegOptions(SampledOptions):
    """Hierarchical softmax and negative sampling at once."""

    def plan(self) -> FusedPlan:
        """A plan with two matrices of output rows."""
        return self.noise_plan(PATH + NOISE, skip_hits=1, path="path.weight", noise="noise.weight")
