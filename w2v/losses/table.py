"""The table of output layers. Every loss is: which output rows are scored for a target x a link
function on the scores.

Reading this table imports neither torch nor NumPy. Adding a loss = its class, its options, one
entry here, its tests; a loss that scores few rows says by a plan what it asks of a fused kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Flag, auto
from typing import Any

from w2v.kernels.plan import FusedPlan
from w2v.losses import options as of


class Scored(Flag):
    """Which output rows a loss scores for a hidden vector and its target."""

    ALL = auto()  # those of all V words
    LEVELS = auto()  # the head's, and those of the target's cluster
    PATH = auto()  # the inner nodes on the target's path
    NOISE = auto()  # those of the target and of noise words


@dataclass(frozen=True)
class About:
    """What `w2v losses` prints, for people only. Formulas: h is the hidden vector, w_i the output
    row of i, t the target, s = sigmoid."""

    rows: str  # which output rows are scored
    link: str
    formula: str
    probabilities: str  # what log P(w | h) is computed from
    paper: str


@dataclass(frozen=True)
class LossEntry:
    """One output layer."""

    name: str
    layer: str  # its class, module:name
    options: type[of.LossOptions]  # the dataclass of the loss's own settings
    scored: Scored
    about: About
    exact: bool = False  # whether the training loss is -log P(target | hidden)
    fused: Callable[[Any], FusedPlan] | None = None  # of the options; None: no fused kernel has it
    sparse: bool = False  # whether the layer can give gradients of the used rows only
    tied: bool = True  # whether the output rows are the words' own, so that they can be the input's
    bias: bool = True  # whether there can be an output bias

    @property
    def scores_all(self) -> bool:
        """Whether every one of the V output rows is scored for each hidden vector."""
        return Scored.ALL in self.scored

    @property
    def draws_noise(self) -> bool:
        """Whether noise words are scored."""
        return Scored.NOISE in self.scored

    @property
    def sorted_only(self) -> bool:
        """Whether the layer needs ids sorted by frequency, and depends on how many there are."""
        return Scored.LEVELS in self.scored

    def negatives(self, options: of.LossOptions) -> int:
        """How many noise words are drawn for a target: 0 for a loss without."""
        return options.negatives if isinstance(options, of.SampledOptions) else 0

    def with_negatives(self, options: of.LossOptions, most: int) -> of.LossOptions:
        """Returns the options with no more noise words than there are to draw."""
        if not isinstance(options, of.SampledOptions) or options.negatives <= most:
            return options
        return replace(options, negatives=most)


_ENTRIES = (
    LossEntry(
        "softmax",
        "w2v.losses.softmax:Softmax",
        of.SoftmaxOptions,
        Scored.ALL,
        About(
            rows="all V",
            link="cross-entropy",
            formula="log sum_j exp(z_j) - z_t, z_i = h.w_i",
            probabilities="exact",
            paper="Bridle 1990, doi:10.1007/978-3-642-76153-9_28",
        ),
        exact=True,
    ),
    LossEntry(
        "label-smoothing",
        "w2v.losses.softmax:LabelSmoothing",
        of.LabelSmoothingOptions,
        Scored.ALL,
        About(
            rows="all V",
            link="cross-entropy with the target (1 - a) onehot + a / V",
            formula="log sum_j exp(z_j) - (1 - a) z_t - a / V sum_j z_j",
            probabilities="softmax of the scores",
            paper="Szegedy et al. 2016, arXiv:1512.00567",
        ),
    ),
    LossEntry(
        "sparse-softmax",
        "w2v.losses.softmax:SparseSoftmax",
        of.SparseSoftmaxOptions,
        Scored.ALL,
        About(
            rows="all V, the k highest and t kept",
            link="cross-entropy over the kept",
            formula="log sum_{j in top k or t} exp(z_j) - z_t",
            probabilities="softmax of the scores",
            paper="Sun et al. 2021, arXiv:2112.12433",
        ),
    ),
    LossEntry(
        "am-softmax",
        "w2v.losses.margin:AmSoftmax",
        of.AmSoftmaxOptions,
        Scored.ALL,
        About(
            rows="all V",
            link="cross-entropy, margin m off the target's cosine",
            formula="softmax loss of z_t = s (cos_t - m), z_j = s cos_j",
            probabilities="softmax of s cos",
            paper="Wang et al. 2018, arXiv:1801.05599",
        ),
        bias=False,
    ),
    LossEntry(
        "l-softmax",
        "w2v.losses.margin:LSoftmax",
        of.LSoftmaxOptions,
        Scored.ALL,
        About(
            rows="all V",
            link="cross-entropy, the target's angle times m",
            formula="softmax loss of z_t = |h| |w_t| ((-1)^k cos(m a_t) - 2 k), z_j = h.w_j",
            probabilities="softmax of the scores",
            paper="Liu et al. 2016, arXiv:1612.02295",
        ),
        bias=False,
    ),
    LossEntry(
        "sm-softmax",
        "w2v.losses.margin:SmSoftmax",
        of.SmSoftmaxOptions,
        Scored.ALL,
        About(
            rows="all V",
            link="cross-entropy, margin m off the target's score",
            formula="softmax loss of z_t - m and z_j, z_i = h.w_i",
            probabilities="softmax of the scores",
            paper="Liang et al. 2017, doi:10.1007/978-3-319-70096-0_43",
        ),
    ),
    LossEntry(
        "adaptive-softmax",
        "w2v.losses.adaptive:AdaptiveSoftmax",
        of.AdaptiveOptions,
        Scored.LEVELS,
        About(
            rows="the head, then the cluster that holds t",
            link="cross-entropy per level",
            formula="-log P(cluster of t | h) - log P(t | cluster, h)",
            probabilities="exact",
            paper="Grave et al. 2017, arXiv:1609.04309",
        ),
        exact=True,
    ),
    LossEntry(
        "hsigmoid",
        "w2v.losses.hsigmoid:Hsigmoid",
        of.HsigmoidOptions,
        Scored.PATH,
        About(
            rows="inner nodes on t's path in the Huffman tree",
            link="logistic per node",
            formula="-sum_n log s(+-h.w_n) over the nodes n of t's path",
            probabilities="exact",
            paper="Morin and Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781",
        ),
        exact=True,
        fused=of.hsigmoid_plan,
        sparse=True,
        tied=False,
    ),
    LossEntry(
        "neg",
        "w2v.losses.sampled:Neg",
        of.NegOptions,
        Scored.NOISE,
        About(
            rows="t and k noise words",
            link="logistic",
            formula="-log s(h.w_t) - sum_k log s(-h.w_k)",
            probabilities="softmax of score + log q(w)",
            paper="Mikolov et al. 2013, arXiv:1310.4546",
        ),
        fused=of.neg_plan,
        sparse=True,
    ),
    LossEntry(
        "nce",
        "w2v.losses.sampled:Nce",
        of.NceOptions,
        Scored.NOISE,
        About(
            rows="t and k noise words",
            link="logistic",
            formula="-log s(z_t) - sum_k log s(-z_k), z_i = h.w_i + b_i - log Z - log(k q(i))",
            probabilities="softmax of the scores",
            paper="Gutmann and Hyvarinen 2010; Mnih and Teh 2012, arXiv:1206.6426",
        ),
        fused=of.nce_plan,
        sparse=True,
    ),
    LossEntry(
        "sampled-softmax",
        "w2v.losses.sampled:SampledSoftmax",
        of.SampledSoftmaxOptions,
        Scored.NOISE,
        About(
            rows="t and k noise words, distinct in autograd",
            link="cross-entropy",
            formula="log sum_{j in t or noise} exp(z_j) - z_t, z_i = h.w_i - log(expected count)",
            probabilities="softmax of h.w_i",
            paper="Jean et al. 2015, arXiv:1412.2007",
        ),
        fused=of.sampled_softmax_plan,
        sparse=True,
    ),
    LossEntry(
        "hsigmoid+neg",
        "w2v.losses.combined:HsigmoidNeg",
        of.HsigmoidNegOptions,
        Scored.PATH | Scored.NOISE,
        About(
            rows="inner nodes on t's path; t and k noise words",
            link="logistic, two matrices of output rows",
            formula="the sum of hsigmoid's loss and neg's, as word2vec.c -hs 1 -negative 5",
            probabilities="those of hsigmoid",
            paper="Mikolov et al. 2013, arXiv:1310.4546",
        ),
        fused=of.hsigmoid_neg_plan,
        sparse=True,
        tied=False,
    ),
)

LOSSES: dict[str, LossEntry] = {entry.name: entry for entry in _ENTRIES}
WORDS_LOSS = "neg"  # of word vectors, where the user names none
LM_LOSS = "softmax"  # of language models
BASELINE = "softmax"  # which others are compared with


def cheaper_losses() -> list[str]:
    """The losses that do not score all V rows."""
    return [entry.name for entry in LOSSES.values() if not entry.scores_all]


def fused_losses() -> list[str]:
    """The losses that fused kernels have."""
    return [entry.name for entry in LOSSES.values() if entry.fused is not None]


def training_figure(loss: str) -> str:
    """What the training loss of an output layer is, in words: only of exact ones is it -log P of
    the target."""
    return "-log P" if LOSSES[loss].exact else "training objective (not -log P)"
