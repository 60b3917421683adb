"""The table of output layers. Every loss combines a choice of output rows that are scored for a
target with a link function on the scores.

Reading this table imports neither torch nor NumPy. A new loss needs its class, its options, an
entry here with a description, and tests. If the fused kernels can compute it (see
`w2v.kernels.plan.FusedPlan`), its options make their plan; otherwise it trains with autograd.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Flag, auto

from w2v.losses import options as of


class Scored(Flag):
    """The output rows that a loss scores for a hidden vector and its target."""

    ALL = auto()  # all V words
    LEVELS = auto()  # the head, and the cluster of the target
    PATH = auto()  # the inner nodes on the target's path
    NOISE = auto()  # the target and noise words


ALL, LEVELS, PATH, NOISE = Scored.ALL, Scored.LEVELS, Scored.PATH, Scored.NOISE


@dataclass(frozen=True)
class About:
    """The description that `w2v losses` prints."""

    rows: str  # which output rows are scored
    link: str
    probabilities: str  # what log P(w | h) is computed from
    formula: str
    paper: str


@dataclass(frozen=True)
class LossEntry:
    """One output layer and its properties."""

    name: str
    layer: str  # its class, as module:name in w2v.losses
    options: type[of.LossOptions]  # the dataclass of the loss's own settings
    scored: Scored
    exact: bool = False  # whether the training loss is -log P(target | hidden)
    bias: bool = True  # whether the layer can have an output bias

    @property
    def scores_all(self) -> bool:
        """Whether every one of the V output rows is scored for each hidden vector."""
        return ALL in self.scored

    @property
    def fused(self) -> bool:
        """Whether fused kernels implement it, which is so if its options make a plan for them."""
        return self.options().plan() is not None

    @property
    def sparse(self) -> bool:
        """Whether the layer can give sparse gradients of only the rows used."""
        return bool(self.scored & (PATH | NOISE))

    @property
    def tied(self) -> bool:
        """Whether the output rows belong to words, so that they can be shared with the input."""
        return PATH not in self.scored

    @property
    def has_word_rows(self) -> bool:
        """Whether each word has an output row of the same length as the hidden vector."""
        return bool(self.scored & (ALL | NOISE))

    @property
    def draws_noise(self) -> bool:
        """Whether noise words are scored."""
        return NOISE in self.scored

    @property
    def sorted_only(self) -> bool:
        """Whether the layer needs ids sorted by frequency, and depends on their number."""
        return LEVELS in self.scored

    @property
    def about(self) -> About:
        """The description of the loss."""
        first, formula, paper = _ABOUT.split(f"\n{self.name}\n")[1].splitlines()[:3]
        rows, link, probabilities = first.split(" | ")
        return About(rows, link, probabilities, formula, paper)

    def negatives(self, options: of.LossOptions) -> int:
        """Returns the number of noise words drawn per target; 0 for a loss without noise."""
        return options.negatives if isinstance(options, of.SampledOptions) else 0

    def with_negatives(self, options: of.LossOptions, most: int) -> of.LossOptions:
        """Returns the options with at most `most` noise words."""
        if not isinstance(options, of.SampledOptions) or options.negatives <= most:
            return options
        return replace(options, negatives=most)


_ENTRIES = (
    LossEntry("softmax", "softmax:Softmax", of.SoftmaxOptions, ALL, exact=True),
    LossEntry("label-smoothing", "softmax:LabelSmoothing", of.LabelSmoothingOptions, ALL),
    LossEntry("sparse-softmax", "softmax:SparseSoftmax", of.SparseSoftmaxOptions, ALL),
    LossEntry("am-softmax", "margin:AmSoftmax", of.AmSoftmaxOptions, ALL, bias=False),
    LossEntry("l-softmax", "margin:LSoftmax", of.LSoftmaxOptions, ALL, bias=False),
    LossEntry("sm-softmax", "margin:SmSoftmax", of.SmSoftmaxOptions, ALL),
    LossEntry("adaptive-softmax", "adaptive:AdaptiveSoftmax", of.AdaptiveOptions, LEVELS, True),
    LossEntry("hsigmoid", "hsigmoid:Hsigmoid", of.HsigmoidOptions, PATH, exact=True),
    LossEntry("neg", "sampled:Neg", of.NegOptions, NOISE),
    LossEntry("nce", "sampled:Nce", of.NceOptions, NOISE),
    LossEntry("sampled-softmax", "sampled:SampledSoftmax", of.SampledSoftmaxOptions, NOISE),
    LossEntry("hsigmoid+neg", "combined:HsigmoidNeg", of.HsigmoidNegOptions, PATH | NOISE),
)

# Each entry: name; rows | link | probabilities; formula; paper. h is the hidden vector, w_i the
# output row of i, t the target, s the sigmoid.
_ABOUT = """
softmax
all V | cross-entropy | exact
log sum_j exp(z_j) - z_t, z_i = h.w_i
Bridle 1990, doi:10.1007/978-3-642-76153-9_28

label-smoothing
all V | cross-entropy with the target (1 - a) onehot + a / V | softmax of the scores
log sum_j exp(z_j) - (1 - a) z_t - a / V sum_j z_j
Szegedy et al. 2016, arXiv:1512.00567

sparse-softmax
all V, the k highest and t kept | cross-entropy over the kept | softmax of the scores
log sum_{j in top k or t} exp(z_j) - z_t
Sun et al. 2021, arXiv:2112.12433

am-softmax
all V | cross-entropy, margin m off the target's cosine | softmax of s cos
softmax loss of z_t = s (cos_t - m), z_j = s cos_j
Wang et al. 2018, arXiv:1801.05599

l-softmax
all V | cross-entropy, the target's angle times m | softmax of the scores
softmax loss of z_t = |h| |w_t| ((-1)^k cos(m a_t) - 2 k), z_j = h.w_j
Liu et al. 2016, arXiv:1612.02295

sm-softmax
all V | cross-entropy, margin m off the target's score | softmax of the scores
softmax loss of z_t - m and z_j, z_i = h.w_i
Liang et al. 2017, doi:10.1007/978-3-319-70096-0_43

adaptive-softmax
the head, then the cluster that holds t | cross-entropy per level | exact
-log P(cluster of t | h) - log P(t | cluster, h)
Grave et al. 2017, arXiv:1609.04309

hsigmoid
inner nodes on t's path in the Huffman tree | logistic per node | exact
-sum_n log s(+-h.w_n) over the nodes n of t's path
Morin and Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781

neg
t and k noise words | logistic | softmax of score + log q(w)
-log s(h.w_t) - sum_k log s(-h.w_k)
Mikolov et al. 2013, arXiv:1310.4546

nce
t and k noise words | logistic | softmax of the scores
-log s(z_t) - sum_k log s(-z_k), z_i = h.w_i + b_i - log Z - log(k q(i))
Gutmann and Hyvarinen 2010; Mnih and Teh 2012, arXiv:1206.6426

sampled-softmax
t and k noise words, distinct in autograd | cross-entropy | softmax of h.w_i
log sum_{j in t or noise} exp(z_j) - z_t, z_i = h.w_i - log(expected count)
Jean et al. 2015, arXiv:1412.2007

hsigmoid+neg
inner nodes on t's path; t and k noise words | logistic, two matrices of output rows | those of \
hsigmoid
the sum of hsigmoid's loss and neg's, as word2vec.c -hs 1 -negative 5
Mikolov et al. 2013, arXiv:1310.4546
"""

LOSSES: dict[str, LossEntry] = {entry.name: entry for entry in _ENTRIES}
WORDS_LOSS = "neg"  # the default for word vectors
LM_LOSS = "softmax"  # the default for language models
BASELINE = "softmax"  # the loss that others are compared with


def cheaper_losses() -> list[str]:
    """Returns the names of the losses that do not score all V rows."""
    return [entry.name for entry in LOSSES.values() if not entry.scores_all]


def training_figure(loss: str) -> str:
    """Returns a description of the training loss: only for exact losses it is -log P of the
    target."""
    return "-log P" if LOSSES[loss].exact else "training objective (not -log P)"
