"""The losses' own settings: what exists only for one loss. Free of torch and NumPy, so that --help
can list them.

On the command line `--negatives 10`, in YAML `negatives: 10` or `loss.negatives: 10`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from w2v.kernels.plan import CROSS_ENTROPY, LOG_Z_BIAS, NOISE, PATH, WORD_BIAS, FusedPlan
from w2v.settings.declare import setting

BIAS = "give every output word a bias that is trained: a point of analogies, a fifth of the speed"


@dataclass(frozen=True)
class LossOptions:
    """The settings of one loss."""

    def plan(self) -> FusedPlan | None:
        """What the loss asks of a fused kernel; None: no fused kernel has it."""
        return None


@dataclass(frozen=True)
class SampledOptions(LossOptions):
    """Losses that score the target against k noise words drawn from q(w) ~ count(w)^power."""

    negatives: int = setting(5, "noise words drawn per window", low=1, lm=1024)
    noise_power: float = setting(
        0.75,
        "the noise is drawn by count to this power (0: uniform, 1: by frequency)",
        low=-5,
        high=5,
    )

    @property
    def has_bias(self) -> bool:
        """Whether every output word has a bias that is trained. Without one, vectors whose scores
        are log-probabilities must hold how frequent a word is, and hold less of its meaning."""
        return False

    def noise_plan(self, rows: int = NOISE, **more: Any) -> FusedPlan:
        """A plan with this noise."""
        return FusedPlan(rows, negatives=self.negatives, power=self.noise_power, **more)


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
        "log Z, subtracted from every score: auto is log V; learned starts there and is trained",
        choices=("auto", "learned"),
        or_number=True,
    )
    nce_bias: bool = setting(False, BIAS)

    @property
    def has_bias(self) -> bool:
        return self.nce_bias

    def log_z(self) -> float | None:
        """The constant log Z; None where it is log V, or starts there."""
        return None if self.nce_log_z in ("auto", "learned") else float(self.nce_log_z)

    def plan(self) -> FusedPlan:
        """Hits stay, for they are noise."""
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
        """Its noise is drawn with replacement, once per window, so that word i is to be expected
        k·q(i) times among k; the layer draws distinct words and expects 1 - (1 - q)^tries. For a
        few words of many thousands the two hardly differ."""
        hits, bias = int(self.remove_hits), WORD_BIAS * self.has_bias
        return self.noise_plan(link=CROSS_ENTROPY, offsets=1, skip_hits=hits, bias=bias)


@dataclass(frozen=True)
class SoftmaxOptions(LossOptions):
    """Full softmax: nothing to set."""


@dataclass(frozen=True)
class LabelSmoothingOptions(LossOptions):
    """Full softmax against the target mixed with the uniform distribution."""

    smoothing: float = setting(
        0.1, "share alpha of the probability spread evenly over all classes", low=0, high=1
    )


@dataclass(frozen=True)
class SparseSoftmaxOptions(LossOptions):
    """Softmax over the highest scores only."""

    top_k: int = setting(128, "how many of the highest scores are kept; fewer learn less", low=1)
    keep_target: bool = setting(True, "keep the target's score too when it is not among them")


@dataclass(frozen=True)
class AmSoftmaxOptions(LossOptions):
    """Additive margin: scale * (cos - margin) for the target, scale * cos for the others.

    The defaults are for text, where a context leaves many right answers. The paper's are for faces,
    each of which has one; with them the demo corpus gets half as many questions right.
    `w2v.compat.losses.am_softmax_loss` keeps the paper's.
    """

    scale: float = setting(15.0, "factor on the cosines (30 in the paper, for faces)", above=0)
    am_margin: float = setting(
        0.1, "margin subtracted from the target's cosine (0.35 in the paper)", low=0
    )


@dataclass(frozen=True)
class LSoftmaxOptions(LossOptions):
    """Large margin: the target's angle is multiplied.

    The bare margin (annealing 0, as in `w2v.compat.losses.l_softmax_loss`) asks every right answer
    to stand out from all others; a word's context leaves many right answers, and vectors shrink
    towards 0 instead.
    """

    angular_margin: int = setting(2, "factor m on the target's angle", low=1, high=4)
    annealing: float = setting(
        10.0,
        "lambda: (lambda * plain score + margin score) / (1 + lambda); near 0 nothing is learnt"
        " from text",
        low=0,
    )


@dataclass(frozen=True)
class SmSoftmaxOptions(LossOptions):
    """Soft margin: subtracted from the target's score."""

    sm_margin: float = setting(0.5, "margin subtracted from the target's score", low=0)


@dataclass(frozen=True)
class AdaptiveOptions(LossOptions):
    """Adaptive softmax: frequent words in the head, others in clusters of decreasing size."""

    cutoffs: tuple[str, ...] = setting(
        (), "first ids of the clusters, ascending; none: chosen by a cost model"
    )
    div_value: float = setting(
        4.0, "each further cluster's vectors are shorter by this factor", low=1
    )
    head_bias: bool = setting(False, "give the head a bias")


@dataclass(frozen=True)
class HsigmoidOptions(LossOptions):
    """Hierarchical softmax over the Huffman tree: nothing to set."""

    def plan(self) -> FusedPlan:
        return FusedPlan(PATH)


@dataclass(frozen=True)
class HsigmoidNegOptions(SampledOptions):
    """Hierarchical softmax and negative sampling at once."""

    def plan(self) -> FusedPlan:
        """Two matrices of output rows."""
        return self.noise_plan(PATH + NOISE, skip_hits=1, path="path.weight", noise="noise.weight")
