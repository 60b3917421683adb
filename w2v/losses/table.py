"""The table of output layers. Every loss is: which output rows are scored for a target x a link
function on the scores.

Reading this table imports neither torch nor NumPy. Adding a loss = its module, its options, one
entry here, its tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from w2v.losses.options import (
    AdaptiveOptions,
    AmSoftmaxOptions,
    HsigmoidNegOptions,
    HsigmoidOptions,
    LabelSmoothingOptions,
    LSoftmaxOptions,
    NceOptions,
    NegOptions,
    SampledSoftmaxOptions,
    SmSoftmaxOptions,
    SoftmaxOptions,
    SparseSoftmaxOptions,
)


@dataclass(frozen=True)
class LossEntry:
    """One output layer. Formulas: h is the hidden vector, w_i the output row of i, t the target, s
    = sigmoid."""

    name: str
    layer: str  # its class, module:name
    options: type  # the dataclass of the loss's own settings
    rows: str  # which output rows are scored
    link: str
    formula: str
    probabilities: str  # what log P(w | h) is computed from
    paper: str
    engines: tuple[str, ...] = ("autograd",)
    sparse: bool = False  # whether the layer can give gradients of the used rows only
    tied: bool = True  # whether the output rows are the words' own, so that they can be the input's
    bias: bool = True  # whether there can be an output bias

    @property
    def sampled(self) -> bool:
        return hasattr(self.options, "negatives")

    def negatives(self, options: Any) -> int:
        return int(getattr(options, "negatives", 0))

    @property
    def scores_all(self) -> bool:
        """Whether every one of the V output rows is scored for each hidden vector."""
        return self.rows.startswith("all V")


_ALL_ROWS = (
    LossEntry(
        name="softmax",
        layer="w2v.losses.softmax:Softmax",
        options=SoftmaxOptions,
        rows="all V",
        link="cross-entropy",
        formula="log sum_j exp(z_j) - z_t, z_i = h.w_i",
        probabilities="exact",
        paper="Bridle 1990, doi:10.1007/978-3-642-76153-9_28",
    ),
    LossEntry(
        name="label-smoothing",
        layer="w2v.losses.softmax:LabelSmoothing",
        options=LabelSmoothingOptions,
        rows="all V",
        link="cross-entropy with the target (1 - a) onehot + a / V",
        formula="log sum_j exp(z_j) - (1 - a) z_t - a / V sum_j z_j",
        probabilities="softmax of the scores",
        paper="Szegedy et al. 2016, arXiv:1512.00567",
    ),
    LossEntry(
        name="sparse-softmax",
        layer="w2v.losses.softmax:SparseSoftmax",
        options=SparseSoftmaxOptions,
        rows="all V, the k highest and t kept",
        link="cross-entropy over the kept",
        formula="log sum_{j in top k or t} exp(z_j) - z_t",
        probabilities="softmax of the scores",
        paper="Sun et al. 2021, arXiv:2112.12433",
    ),
    LossEntry(
        name="am-softmax",
        layer="w2v.losses.margin:AmSoftmax",
        options=AmSoftmaxOptions,
        rows="all V",
        link="cross-entropy, margin m off the target's cosine",
        formula="softmax loss of z_t = s (cos_t - m), z_j = s cos_j",
        probabilities="softmax of s cos",
        paper="Wang et al. 2018, arXiv:1801.05599",
        bias=False,
    ),
    LossEntry(
        name="l-softmax",
        layer="w2v.losses.margin:LSoftmax",
        options=LSoftmaxOptions,
        rows="all V",
        link="cross-entropy, the target's angle times m",
        formula="softmax loss of z_t = |h| |w_t| ((-1)^k cos(m a_t) - 2 k), z_j = h.w_j",
        probabilities="softmax of the scores",
        paper="Liu et al. 2016, arXiv:1612.02295",
        bias=False,
    ),
    LossEntry(
        name="sm-softmax",
        layer="w2v.losses.margin:SmSoftmax",
        options=SmSoftmaxOptions,
        rows="all V",
        link="cross-entropy, margin m off the target's score",
        formula="softmax loss of z_t - m and z_j, z_i = h.w_i",
        probabilities="softmax of the scores",
        paper="Liang et al. 2017, doi:10.1007/978-3-319-70096-0_43",
    ),
)
_ADAPTIVE = LossEntry(
    name="adaptive-softmax",
    layer="w2v.losses.adaptive:AdaptiveSoftmax",
    options=AdaptiveOptions,
    rows="the head, then the cluster that holds t",
    link="cross-entropy per level",
    formula="-log P(cluster of t | h) - log P(t | cluster, h)",
    probabilities="exact",
    paper="Grave et al. 2017, arXiv:1609.04309",
)
_HSIGMOID = LossEntry(
    name="hsigmoid",
    layer="w2v.losses.hsigmoid:Hsigmoid",
    options=HsigmoidOptions,
    rows="inner nodes on t's path in the Huffman tree",
    link="logistic per node",
    formula="-sum_n log s(+-h.w_n) over the nodes n of t's path",
    probabilities="exact",
    paper="Morin and Bengio 2005; Mikolov et al. 2013, arXiv:1301.3781",
    sparse=True,
    tied=False,
    engines=("hogwild", "autograd"),
)
_HSIGMOID_NEG = LossEntry(
    name="hsigmoid+neg",
    layer="w2v.losses.combined:HsigmoidNeg",
    options=HsigmoidNegOptions,
    rows="inner nodes on t's path; t and k noise words",
    link="logistic, two matrices of output rows",
    formula="the sum of hsigmoid's loss and neg's, as word2vec.c -hs 1 -negative 5",
    probabilities="those of hsigmoid",
    paper="Mikolov et al. 2013, arXiv:1310.4546",
    sparse=True,
    tied=False,
    engines=("hogwild", "autograd"),
)
_SAMPLED = (
    LossEntry(
        name="neg",
        layer="w2v.losses.sampled:Neg",
        options=NegOptions,
        rows="t and k noise words",
        link="logistic",
        formula="-log s(h.w_t) - sum_k log s(-h.w_k)",
        probabilities="softmax of score + log q(w)",
        paper="Mikolov et al. 2013, arXiv:1310.4546",
        sparse=True,
        engines=("hogwild", "autograd"),
    ),
    LossEntry(
        name="nce",
        layer="w2v.losses.sampled:Nce",
        options=NceOptions,
        rows="t and k noise words",
        link="logistic",
        formula="-log s(z_t) - sum_k log s(-z_k), z_i = h.w_i + b_i - log Z - log(k q(i))",
        probabilities="softmax of the scores",
        paper="Gutmann and Hyvarinen 2010; Mnih and Teh 2012, arXiv:1206.6426",
        sparse=True,
        engines=("hogwild", "autograd"),
    ),
    LossEntry(
        name="sampled-softmax",
        layer="w2v.losses.sampled:SampledSoftmax",
        options=SampledSoftmaxOptions,
        rows="t and k noise words, distinct in autograd",
        link="cross-entropy",
        formula="log sum_{j in t or noise} exp(z_j) - z_t, z_i = h.w_i - log(expected count of i)",
        probabilities="softmax of h.w_i",
        paper="Jean et al. 2015, arXiv:1412.2007",
        sparse=True,
        engines=("hogwild", "autograd"),
    ),
)

LOSSES: dict[str, LossEntry] = {
    entry.name: entry for entry in (*_ALL_ROWS, _ADAPTIVE, _HSIGMOID, *_SAMPLED, _HSIGMOID_NEG)
}


def training_figure(loss: str) -> str:
    """What the training loss of an output layer is, in words: only of exact ones is it -log P of
    the target."""
    return "-log P" if LOSSES[loss].probabilities == "exact" else "training objective (not -log P)"
